/*
 * Logins by every mechanism against the client half of Cyrus SASL: who gets in, who does not, and
 * that nobody learns why not. Accounts are in memory, the clock is moved by hand.
 */
#include "tests/unit/auth/client.h"

#include "lib/base/clock.h"
#include "lib/base/io.h"
#include "lib/base/log.h"
#include "lib/cred/cred.h"

#include <check.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define S6                                                                                         \
    "{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"                             \
    "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"

/* clang-format off */
static struct account people[] = {
    { .name = "alice@a.test", .password = "correct horse" },
    { .name = "alice@b.test", .password = "another horse" },
    { .name = "bob@a.test", .verifier = S6 },
    { .name = "carol@a.test", .password = "battery", .refused = "This account is suspended: unpaid" },
    { .name = "dave@a.test" },
    { .name = "\xe6\x9d\xb1@a.test", .password = "\xe3\x83\x91\xe3\x82\xb9\xef\xbc\x91" },
};
/* clang-format on */

static struct account mine[YB_COUNT(people)];
static struct accounts accounts;
static struct yb_auth *auth;

static void
start(const struct yb_auth_conf *wanted)
{
    struct yb_auth_conf conf = *wanted;
    struct yb_err err = { 0 };

    yb_log_init("test", YB_LOG_ERROR);
    memcpy(mine, people, sizeof(mine));
    accounts_init(&accounts, mine, YB_COUNT(mine));
    conf.service = "imap";
    conf.source = accounts_source(&accounts);
    conf.now_ms = clock_now;
    if (conf.mechanisms.n == 0)
        conf.mechanisms = YB_STR(YB_AUTH_MECHANISMS);
    auth = yb_auth_new(&conf, &err);
    ck_assert_msg(auth != NULL, "%s", err.text);
    client_start();
}

static void
setup(void)
{
    start(&(struct yb_auth_conf){ .secret = YB_STR("of all nodes") });
}

static void
teardown(void)
{
    client_stop();
    yb_auth_free(&auth);
}

/* The first members of a struct login. */
#define AS(m, u, p) .mechanism = m, .user = u, .password = p
#define SAME .client = SAME_BINDING, .server_binding = true
#define PLUS "SCRAM-SHA-256-PLUS"
#define SCRAM "SCRAM-SHA-256"

static const struct {
    struct login login;
    const char *status; /* "": he is in */
} logins[] = {
    /* clang-format off */
    { { AS("PLAIN", "alice@a.test", "correct horse") }, "" },
    { { AS("PLAIN", "Alice@A.TEST", "correct horse") }, "" },
    { { AS("PLAIN", "alice@a.test", "correct horse"), .no_initial = true }, "" },
    { { AS("PLAIN", "alice@a.test", "correct horse"), .authzid = "alice@a.test" }, "" },
    { { AS("PLAIN", "alice@a.test", "correct horse"), .authzid = "bob@a.test" }, "5.7.8" },
    { { AS("PLAIN", "alice@a.test", "wrong") }, "5.7.8" },
    { { AS("PLAIN", "alice@b.test", "correct horse") }, "5.7.8" },
    { { AS("PLAIN", "alice@b.test", "another horse") }, "" },
    { { AS("PLAIN", "alice", "correct horse") }, "5.7.8" },
    { { AS("PLAIN", "nobody@a.test", "correct horse") }, "5.7.8" },
    { { AS("PLAIN", "bob@a.test", "Hello world!") }, "" },
    { { AS("PLAIN", "carol@a.test", "battery") }, "5.7.13" },
    { { AS("PLAIN", "carol@a.test", "batterz") }, "5.7.8" },
    { { AS("PLAIN", "dave@a.test", "x") }, "5.7.8" }, /* no password set */
    { { AS("PLAIN", "\xe6\x9d\xb1@a.test", "\xe3\x83\x91\xe3\x82\xb9\x31") }, "" }, /* SASLprep */
    { { AS("LOGIN", "alice@a.test", "correct horse") }, "" },
    { { AS("LOGIN", "alice@a.test", "wrong") }, "5.7.8" },
    { { AS("LOGIN", "nobody@a.test", "wrong") }, "5.7.8" },
    { { AS(SCRAM, "alice@a.test", "correct horse") }, "" },
    { { AS(SCRAM, "ALICE@a.test", "correct horse"), .no_initial = true }, "" },
    { { AS(SCRAM, "alice@a.test", "wrong") }, "5.7.8" },
    { { AS(SCRAM, "nobody@a.test", "wrong") }, "5.7.8" },
    { { AS(SCRAM, "bob@a.test", "Hello world!") }, "5.7.8" }, /* not before the upgrade */
    { { AS(SCRAM, "carol@a.test", "battery") }, "5.7.13" },
    { { AS(SCRAM, "carol@a.test", "batterz") }, "5.7.8" },
    { { AS(SCRAM, "dave@a.test", "x") }, "5.7.8" },
    { { AS(SCRAM, "alice@a.test", "correct horse"), .authzid = "bob@a.test" }, "5.7.8" },
    { { AS(SCRAM, "alice@a.test", "correct horse"), .server_binding = true }, "" },
    /* The client could bind and believes that we could not: somebody took -PLUS off our list. */
    { { AS(SCRAM, "alice@a.test", "correct horse"), SAME, .list = SCRAM " PLAIN" }, "5.5.2" },
    { { AS(SCRAM, "alice@a.test", "wrong"), SAME, .list = SCRAM " PLAIN" }, "5.5.2" },
    { { AS(SCRAM, "nobody@a.test", "wrong"), SAME, .list = SCRAM " PLAIN", .no_initial = true }, "5.5.2" },
    { { AS(SCRAM, "alice@a.test", "correct horse"), .client = SAME_BINDING, .list = SCRAM " PLAIN" }, "" },
    { { AS(PLUS, "alice@a.test", "correct horse"), SAME }, "" },
    { { AS(PLUS, "alice@a.test", "wrong"), SAME }, "5.7.8" },
    { { AS(PLUS, "nobody@a.test", "wrong"), SAME }, "5.7.8" },
    { { AS(PLUS, "alice@a.test", "correct horse"), .client = OTHER_BINDING, .server_binding = true }, "5.5.2" },
    { { AS(PLUS, "alice@a.test", "correct horse"), .client = SAME_BINDING }, "5.5.4" },
    /* clang-format on */
};

/* What is decided by: the kind that belongs to what is answered (auth.h). */
static void
check_kind(const struct yb_err *err)
{
    static const struct {
        const char *status;
        enum yb_err_kind kind;
    } rows[] = {
        /* clang-format off */
        { "",       YB_ERR_OTHER },
        { "5.7.8",  YB_ERR_CREDENTIALS },
        { "5.7.13", YB_ERR_DISABLED },
        { "4.7.0",  YB_ERR_BLOCKED },
        { "4.3.0",  YB_ERR_AWAY },
        { "5.7.11", YB_ERR_NEED_TLS },
        { "5.5.4",  YB_ERR_UNSUPPORTED },
        { "5.5.2",  YB_ERR_SYNTAX },
        { "5.7.0",  YB_ERR_CANCELLED },
        /* clang-format on */
    };
    size_t i = 0;

    while (i < YB_COUNT(rows) && strcmp(rows[i].status, err->status) != 0)
        i++;
    ck_assert_msg(i < YB_COUNT(rows) && err->kind == rows[i].kind, "%s %s: kind %d", err->status,
                  err->text, (int)err->kind);
}

START_TEST(test_login)
{
    const struct login *l = &logins[_i].login;
    struct yb_auth_outcome out = { 0 };

    ck_assert_int_eq(client_login(auth, l, &out), 0);
    ck_assert_msg(strcmp(out.err.status, logins[_i].status) == 0, "%s %s: %s %s", l->mechanism,
                  l->user, out.err.status, out.err.text);
    check_kind(&out.err);
    if (logins[_i].status[0] == '\0') {
        ck_assert_int_eq(out.result, YB_AUTH_DONE);
        ck_assert(yb_str_eqi(yb_str_from(out.user.address), yb_str_from(l->user)));
    } else {
        ck_assert_int_eq(out.result, YB_AUTH_FAILED);
    }
}
END_TEST

/* Names that are nobody's, and wrong passwords, are told with the same words by every mechanism. */
START_TEST(test_nobody_learns)
{
    static const char *const names[] = { "alice@a.test", "nobody@a.test", "bob@a.test",
                                         "dave@a.test",  "nobody",        "carol@a.test" };
    static const char *const mechanisms[] = { "PLAIN", "LOGIN", SCRAM };

    for (size_t m = 0; m < YB_COUNT(mechanisms); m++) {
        struct yb_auth_outcome first = { 0 }, out = { 0 };

        for (size_t i = 0; i < YB_COUNT(names); i++) {
            struct login l = { AS(mechanisms[m], names[i], "wrong") };

            ck_assert_int_eq(client_login(auth, &l, i == 0 ? &first : &out), 0);
            ck_assert(i == 0 || memcmp(&first.err, &out.err, sizeof(out.err)) == 0);
        }
    }
}
END_TEST

/* SCRAM's first answer names a salt for everybody, the same one each time. */
START_TEST(test_salt_of_nobody)
{
    /* Kelvin's K folds to k, the wide letter is the letter in a domain name. */
    static const char *const names[] = { "alice@a.test",   "nobody@a.test",
                                         "NOBODY@a.test",  "bob@a.test",
                                         "nobody@a.test.", "nobody@\xef\xbd\x81.test",
                                         "kurt@a.test",    "\xe2\x84\xaaurt@a.test" };
    struct yb_auth_facts facts = { .tls = true };
    char salts[YB_COUNT(names)][64];

    for (size_t i = 0; i < YB_COUNT(names); i++) {
        struct yb_auth_session *s = NULL;
        struct yb_auth_outcome out;
        char message[128], line[256], answer[512] = { 0 };
        struct yb_str first;
        size_t n;

        snprintf(message, sizeof(message), "n,,n=%s,r=abcdefghijklmnopqrstuvwx", names[i]);
        first = yb_str(line, yb_base64(yb_str_from(message), line));
        ck_assert_int_eq(yb_auth_begin(auth, &s, YB_STR(SCRAM), &first, &facts, &out),
                         YB_AUTH_CONTINUE);
        ck_assert_uint_lt(out.challenge.n, sizeof(answer));
        ck_assert(yb_unbase64(out.challenge, (uint8_t *)answer, &n));
        ck_assert_ptr_nonnull(strstr(answer, ",i=8192"));
        ck_assert_int_eq(sscanf(strstr(answer, ",s="), ",s=%63[^,]", salts[i]), 1);
        ck_assert_uint_eq(strlen(salts[i]), 24);
        yb_auth_abandon(&s);
    }
    ck_assert_str_ne(salts[0], salts[1]);
    ck_assert_str_eq(salts[1], salts[2]);
    ck_assert_str_ne(salts[1], salts[3]);
    ck_assert_str_eq(salts[1], salts[4]);
    ck_assert_str_eq(salts[1], salts[5]);
    ck_assert_str_eq(salts[6], salts[7]);
}
END_TEST

static int
password(const char *name, const char *word, uint32_t from, struct yb_err *err)
{
    struct sockaddr_in peer = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(from) };
    struct yb_auth_facts facts = { .tls = true, .peer = (const struct sockaddr *)&peer };
    struct yb_auth_user user;

    *err = (struct yb_err){ 0 };
    return yb_auth_password(auth, yb_str_from(name), yb_str_from(word), &facts, &user, err);
}

#define HOME 0xc0000201 /* 192.0.2.1 */
#define AWAY 0xcb007101 /* 203.0.113.1 */

START_TEST(test_needs_tls)
{
    struct yb_auth_facts facts = { .tls = false };
    struct yb_auth_session *s = NULL;
    struct yb_auth_outcome out;
    struct yb_auth_user user;
    struct yb_err err = { 0 };

    ck_assert_int_eq(yb_auth_password(auth, YB_STR("alice@a.test"), YB_STR("correct horse"), &facts,
                                      &user, &err),
                     -1);
    ck_assert_str_eq(err.status, "5.7.11");
    check_kind(&err);
    ck_assert_int_eq(yb_auth_begin(auth, &s, YB_STR("PLAIN"), NULL, &facts, &out), YB_AUTH_FAILED);
    ck_assert_str_eq(out.err.status, "5.7.11");
    check_kind(&out.err);
    ck_assert_uint_eq(yb_auth_mechanisms(auth, &facts).n, 0);
    ck_assert_uint_eq(atomic_load(&accounts.asked), 0);
}
END_TEST

START_TEST(test_mechanisms)
{
    struct yb_auth_facts facts = { .tls = true };

    ck_assert(yb_str_eq(yb_auth_mechanisms(auth, &facts), YB_STR("SCRAM-SHA-256 PLAIN LOGIN")));
    facts.has_exporter = true;
    ck_assert(yb_str_eq(yb_auth_mechanisms(auth, &facts),
                        YB_STR("SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN")));
}
END_TEST

/* What is not of an exchange: refused, never a crash, never a login. */
static const struct {
    const char *mechanism, *lines[4];
    enum yb_auth_result result;
    const char *status;
} odd[] = {
    { "PLAIN", { NULL, "*" }, YB_AUTH_CANCELLED, "5.7.0" },
    { "LOGIN", { NULL, "*" }, YB_AUTH_CANCELLED, "5.7.0" },
    { "LOGIN", { NULL, "YWxpY2U=", "*" }, YB_AUTH_CANCELLED, "5.7.0" },
    { "PLAIN", { "not base64" }, YB_AUTH_FAILED, "5.5.2" },
    { "PLAIN", { "=" }, YB_AUTH_FAILED, "5.5.2" },
    { "PLAIN", { NULL, "=" }, YB_AUTH_FAILED, "5.5.2" },
    { "PLAIN", { "AGFsaWNlQGEudGVzdA==" }, YB_AUTH_FAILED, "5.5.2" }, /* no password */
    /* Names the library chokes on, and then loses the password behind them. */
    { "LOGIN", { NULL, "" }, YB_AUTH_FAILED, "5.5.2" },
    { "LOGIN", { NULL, "ICAJ" }, YB_AUTH_FAILED, "5.5.2" },
    { "LOGIN", { "ICAJ" }, YB_AUTH_FAILED, "5.5.2" },
    { "LOGIN", { "IGIN" }, YB_AUTH_FAILED, "5.5.2" },
    { "LOGIN", { "YQBi" }, YB_AUTH_FAILED, "5.5.2" },
    { SCRAM, { "AAAA" }, YB_AUTH_FAILED, "5.5.2" },
    { SCRAM, { "=" }, YB_AUTH_FAILED, "5.5.2" },
    { SCRAM, { NULL, "" }, YB_AUTH_FAILED, "5.5.2" },
    { SCRAM, { "eSwsbj1hbGljZUBhLnRlc3Q=" }, YB_AUTH_FAILED, "5.5.2" }, /* no nonce */
    { "CRAM-MD5", { NULL }, YB_AUTH_FAILED, "5.5.4" },
    { "DIGEST-MD5", { NULL }, YB_AUTH_FAILED, "5.5.4" },
    { "ANONYMOUS", { "YQ==" }, YB_AUTH_FAILED, "5.5.4" },
    { "EXTERNAL", { "=" }, YB_AUTH_FAILED, "5.5.4" },
    { "", { NULL }, YB_AUTH_FAILED, "5.5.4" },
};

START_TEST(test_odd)
{
    struct yb_auth_facts facts = { .tls = true };
    struct yb_auth_session *s = NULL;
    struct yb_auth_outcome out;
    struct yb_str initial = yb_str_from(odd[_i].lines[0]);

    yb_auth_begin(auth, &s, yb_str_from(odd[_i].mechanism),
                  odd[_i].lines[0] == NULL ? NULL : &initial, &facts, &out);
    for (size_t k = 1; k < YB_COUNT(odd[_i].lines) && odd[_i].lines[k] != NULL; k++) {
        ck_assert_int_eq(out.result, YB_AUTH_CONTINUE);
        yb_auth_step(&s, yb_str_from(odd[_i].lines[k]), &facts, &out);
    }
    ck_assert_int_eq(out.result, odd[_i].result);
    ck_assert_msg(strcmp(out.err.status, odd[_i].status) == 0, "%s: %s", odd[_i].mechanism,
                  out.err.text);
    check_kind(&out.err);
    ck_assert_ptr_null(s);
}
END_TEST

/* Who could bind and was rightly not offered it gets in. */
START_TEST(test_binding_not_offered)
{
    struct login l = { AS(SCRAM, "alice@a.test", "correct horse"), SAME, .list = SCRAM " PLAIN" };
    struct yb_auth_outcome out = { 0 };

    teardown();
    start(&(struct yb_auth_conf){ .mechanisms = YB_STR("SCRAM-SHA-256 PLAIN") });
    ck_assert_int_eq(client_login(auth, &l, &out), 0);
    ck_assert_msg(out.result == YB_AUTH_DONE, "%s", out.err.text);
}
END_TEST

/* The last message of a SCRAM exchange with alice: the challenge's nonce between two texts, or, with
 * the first NULL, the second as the line itself. */
static enum yb_auth_result
scram_final(const char *before, const char *after, struct yb_auth_outcome *out)
{
    struct sockaddr_in peer = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(HOME) };
    struct yb_auth_facts facts = { .tls = true, .peer = (const struct sockaddr *)&peer };
    static const char *const first = "n,,n=alice@a.test,r=abcdefghijklmnopqrstuvwx";
    struct yb_auth_session *s = NULL;
    char line[512], message[512];
    struct yb_str initial = yb_str(line, yb_base64(yb_str_from(first), line));
    uint8_t challenge[512] = { 0 };
    size_t n;

    ck_assert_int_eq(yb_auth_begin(auth, &s, YB_STR(SCRAM), &initial, &facts, out),
                     YB_AUTH_CONTINUE);
    ck_assert(yb_unbase64(out->challenge, challenge, &n));
    n = yb_str_find(yb_str((const char *)challenge, n), ',');
    if (before != NULL) {
        snprintf(message, sizeof(message), "%s%.*s%s", before, (int)n, (const char *)challenge,
                 after);
        yb_base64(yb_str_from(message), line);
    }
    return yb_auth_step(&s, yb_str_from(before == NULL ? after : line), &facts, out);
}

#define PROOF "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* What is no guess at a password, however often it comes, stands in nobody's way. */
static const struct {
    const char *before, *after; /* the nonce, see scram_final() */
    const char *status;
} no_guesses[] = {
    { NULL, "*", "5.7.0" },
    { NULL, "!", "5.5.2" }, /* not base64 */
    { "c=biws,", "", "5.5.2" },
    { "c=biws,", ",p=AAAA", "5.5.2" },
    { "c=biws,", ",p=" PROOF ",x=y", "5.5.2" },
    { "c=biws,", "x,p=" PROOF, "5.5.2" },
    { "c=eSws,", ",p=" PROOF, "5.5.2" }, /* another header than at the beginning */
    { "", "", "5.5.2" },
};

START_TEST(test_no_guess)
{
    struct login downgraded = { AS(SCRAM, "alice@a.test", "correct horse"), SAME,
                                .list = SCRAM " PLAIN" };
    struct login elsewhere = { AS(PLUS, "alice@a.test", "correct horse"), .client = OTHER_BINDING,
                               .server_binding = true };
    struct yb_auth_outcome out = { 0 };
    struct yb_auth_stats n;
    struct yb_err err;

    for (int round = 0; round < 11; round++) { /* 10 wrong passwords would be the end */
        for (size_t i = 0; i < YB_COUNT(no_guesses); i++) {
            ck_assert_int_ne(scram_final(no_guesses[i].before, no_guesses[i].after, &out),
                             YB_AUTH_DONE);
            ck_assert_msg(strcmp(out.err.status, no_guesses[i].status) == 0, "%s: %s %s",
                          no_guesses[i].after, out.err.status, out.err.text);
            check_kind(&out.err);
        }
        ck_assert_int_eq(client_login(auth, &downgraded, &out), 0);
        ck_assert_str_eq(out.err.status, "5.5.2");
        check_kind(&out.err);
        ck_assert_int_eq(client_login(auth, &elsewhere, &out), 0);
        ck_assert_str_eq(out.err.status, "5.5.2");
        check_kind(&out.err);
        atomic_store(&accounts.away, true);
        ck_assert_int_eq(password("alice@a.test", "wrong", HOME, &err), -1);
        ck_assert_str_eq(err.status, "4.3.0");
        check_kind(&err);
        atomic_store(&accounts.away, false);
    }
    yb_auth_stats_read(auth, &n);
    ck_assert_uint_eq(n.wrong + n.limited, 0);
    ck_assert_int_eq(password("alice@a.test", "correct horse", HOME, &err), 0);
    /* A proof that is one, and wrong, is a guess. */
    for (int round = 0; round < 10; round++) {
        ck_assert_int_eq(scram_final("c=biws,", ",p=" PROOF, &out), YB_AUTH_FAILED);
        ck_assert_str_eq(out.err.status, "5.7.8");
        check_kind(&out.err);
    }
    ck_assert_int_eq(password("alice@a.test", "correct horse", HOME, &err), -1);
    ck_assert_str_eq(err.status, "4.7.0");
    check_kind(&err);
}
END_TEST

/* Names longer than the library's buffers never reach it. */
START_TEST(test_long_names)
{
    static const char *const mechanisms[] = { "PLAIN", "LOGIN", SCRAM };
    static const size_t lengths[] = { 100, 319, 320, 999, 1001, 1025, 4000, 9000 };
    struct yb_auth_facts facts = { .tls = true };
    char message[9100], line[12300];

    for (size_t k = 0; k < YB_COUNT(mechanisms) * YB_COUNT(lengths); k++) {
        const char *mechanism = mechanisms[k % 3];
        size_t n = lengths[k / 3], n_all = n;
        struct yb_auth_session *s = NULL;
        struct yb_auth_outcome out;
        struct yb_str first;

        memset(message, 'x', sizeof(message));
        if (strcmp(mechanism, "PLAIN") == 0) {
            message[0] = message[n + 1] = '\0';
            n_all = n + 5;
        } else if (strcmp(mechanism, SCRAM) == 0) {
            memcpy(message, "n,,n=", 5);
            memcpy(message + 5 + n, ",r=abcdefgh", 11);
            n_all = n + 16;
        }
        first = yb_str(line, yb_base64(yb_str(message, n_all), line));
        if (yb_auth_begin(auth, &s, yb_str_from(mechanism), &first, &facts, &out) ==
            YB_AUTH_CONTINUE)
            yb_auth_step(&s, YB_STR("eHg="), &facts, &out);
        ck_assert_int_eq(out.result, YB_AUTH_FAILED);
        ck_assert_int_eq(out.err.class, YB_PERM);
        yb_auth_abandon(&s);
    }
}
END_TEST

/* The second login with the same password costs no hash, for ten minutes. */
START_TEST(test_remembered)
{
    struct yb_auth_stats n;
    struct yb_err err;

    ck_assert_int_eq(password("alice@a.test", "correct horse", HOME, &err), 0);
    ck_assert_int_eq(password("alice@a.test", "correct horse", AWAY, &err), 0);
    yb_auth_stats_read(auth, &n);
    ck_assert_uint_eq(n.hashed, 1);
    ck_assert_uint_eq(n.remembered, 1);
    ck_assert_int_eq(password("alice@a.test", "correct horsf", HOME, &err), -1);
    clock_move(10 * 60 * 1000);
    ck_assert_int_eq(password("alice@a.test", "correct horse", HOME, &err), 0);
    yb_auth_stats_read(auth, &n);
    ck_assert_uint_eq(n.hashed, 3);
    ck_assert_uint_eq(n.ok, 3);
    ck_assert_uint_eq(n.wrong, 1);
}
END_TEST

/* A changed password ends the old one at once, remembered or not. */
START_TEST(test_changed_password)
{
    struct yb_err err;

    ck_assert_int_eq(password("alice@a.test", "correct horse", HOME, &err), 0);
    ck_assert_int_eq(yb_cred_make(YB_STR("new horse"), 0, mine[0].verifier, &err), 0);
    ck_assert_int_eq(password("alice@a.test", "correct horse", HOME, &err), -1);
    ck_assert_int_eq(password("alice@a.test", "new horse", HOME, &err), 0);
    /* Suspension is looked at each time as well. */
    mine[0].refused = "This account is suspended: test";
    ck_assert_int_eq(password("alice@a.test", "new horse", HOME, &err), -1);
    ck_assert_str_eq(err.status, "5.7.13");
    check_kind(&err);
    ck_assert_str_eq(err.text, "This account is suspended: test");
}
END_TEST

START_TEST(test_upgrade)
{
    struct login scram = { AS(SCRAM, "bob@a.test", "Hello world!") };
    struct yb_auth_outcome out;
    struct yb_auth_stats n;
    struct yb_err err;

    ck_assert_int_eq(password("bob@a.test", "Hello world?", HOME, &err), -1);
    ck_assert_uint_eq(atomic_load(&accounts.upgraded), 0);
    ck_assert_int_eq(password("bob@a.test", "Hello world!", HOME, &err), 0);
    ck_assert_uint_eq(atomic_load(&accounts.upgraded), 1);
    ck_assert(!yb_cred_needs_upgrade(yb_str_from(mine[2].verifier)));
    ck_assert_int_eq(password("bob@a.test", "Hello world!", HOME, &err), 0);
    yb_auth_stats_read(auth, &n);
    ck_assert_uint_eq(n.hashed, 2); /* the new verifier was remembered with it */
    ck_assert_uint_eq(atomic_load(&accounts.upgraded), 1);
    ck_assert_int_eq(client_login(auth, &scram, &out), 0);
    ck_assert_int_eq(out.result, YB_AUTH_DONE);
}
END_TEST

static void *
log_bob_in(void *arg)
{
    struct yb_err err;

    *(int *)arg = password("bob@a.test", "Hello world!", HOME, &err);
    return NULL;
}

/* A database that hangs while it takes an upgrade keeps nobody else from hashing. */
START_TEST(test_upgrade_stuck)
{
    pthread_t bob;
    struct yb_err err;
    int in, out = -1;

    teardown();
    start(&(struct yb_auth_conf){ .hashing = 1, .hashing_wait_ms = 1 });
    atomic_store(&accounts.stuck, true);
    ck_assert_int_eq(pthread_create(&bob, NULL, log_bob_in, &out), 0);
    while (atomic_load(&accounts.upgrading) == 0)
        sched_yield();
    in = password("alice@a.test", "correct horse", HOME, &err);
    atomic_store(&accounts.stuck, false);
    ck_assert_int_eq(pthread_join(bob, NULL), 0);
    ck_assert_msg(in == 0, "%s", err.text);
    ck_assert_int_eq(out, 0);
    ck_assert_uint_eq(atomic_load(&accounts.upgraded), 1);
}
END_TEST

START_TEST(test_app_password)
{
    char text[YB_CRED_APP_TEXT], hash[YB_CRED_APP_HASH];
    struct yb_auth_stats n;
    struct yb_err err;

    yb_cred_app_make(text, hash);
    mine[4].app = hash;
    ck_assert_int_eq(password("dave@a.test", text, HOME, &err), 0);
    ck_assert_int_eq(password("alice@a.test", text, HOME, &err), -1);
    yb_auth_stats_read(auth, &n);
    ck_assert_uint_eq(n.hashed, 1); /* random bits need no slow hash */
    text[0] = text[0] == '7' ? '8' : '7';
    ck_assert_int_eq(password("dave@a.test", text, HOME, &err), -1);
}
END_TEST

/* Database away: 4.3.0 for everybody it would have to be asked about; never 5.x. */
START_TEST(test_away)
{
    static const char *const mechanisms[] = { "PLAIN", "LOGIN", SCRAM };
    struct yb_err err;

    atomic_store(&accounts.away, true);
    ck_assert_int_eq(password("alice@a.test", "correct horse", HOME, &err), -1);
    ck_assert_int_eq(err.class, YB_TEMP);
    ck_assert_str_eq(err.status, "4.3.0");
    check_kind(&err);
    for (size_t i = 0; i < YB_COUNT(mechanisms); i++) {
        struct login l = { AS(mechanisms[i], "alice@a.test", "correct horse") };
        struct yb_auth_outcome out = { 0 };

        ck_assert_int_eq(client_login(auth, &l, &out), 0);
        ck_assert_int_eq(out.result, YB_AUTH_FAILED);
        ck_assert_str_eq(out.err.status, "4.3.0");
        check_kind(&out.err);
    }
    atomic_store(&accounts.away, false);
    ck_assert_int_eq(password("alice@a.test", "correct horse", HOME, &err), 0);
}
END_TEST

/* Ten different wrong passwords from one network: then nothing is told, for a quarter of an hour.
 */
START_TEST(test_limit)
{
    struct login scram = { AS(SCRAM, "alice@a.test", "correct horse") };
    struct yb_auth_outcome out = { 0 };
    struct yb_err err;
    char word[16];

    for (int i = 0; i < 10; i++) {
        snprintf(word, sizeof(word), "guess %d", i);
        ck_assert_int_eq(password("alice@a.test", word, HOME + 4, &err), -1);
        ck_assert_str_eq(err.status, "5.7.8");
        check_kind(&err);
    }
    ck_assert_int_eq(password("Alice@A.test", "correct horse", HOME, &err), -1);
    ck_assert_int_eq(err.class, YB_TEMP);
    ck_assert_str_eq(err.status, "4.7.0");
    check_kind(&err);
    ck_assert_int_eq(client_login(auth, &scram, &out), 0); /* comes from the same network */
    ck_assert_str_eq(out.err.status, "4.7.0");
    check_kind(&out.err);
    ck_assert_int_eq(password("alice@a.test", "correct horse", AWAY, &err), 0);
    ck_assert_int_eq(password("alice@b.test", "another horse", HOME, &err), 0);
    clock_move(15 * 60 * 1000);
    ck_assert_int_eq(password("alice@a.test", "correct horse", HOME, &err), 0);
}
END_TEST

/* Another way of writing a name gives no new attempts, whether anybody has it or not. */
START_TEST(test_limit_spellings)
{
    static const char *const names[][3] = {
        { "alice@a.test", "alice@a.test.", "Alice@\xef\xbd\x81.test" },
        { "kurt@a.test", "\xe2\x84\xaaurt@A.test", "kurt@\xef\xbc\xa1.test." },
    };
    struct yb_err err;
    char word[16];

    for (size_t n = 0; n < YB_COUNT(names); n++) {
        for (int i = 0; i < 12; i++) {
            snprintf(word, sizeof(word), "guess %d", i);
            ck_assert_int_eq(password(names[n][i % 3], word, HOME, &err), -1);
            ck_assert_str_eq(err.status, i < 10 ? "5.7.8" : "4.7.0");
        }
    }
}
END_TEST

/* An old password tried all day is one wrong password, and does not keep hashing. */
START_TEST(test_same_wrong_password)
{
    struct login login = { AS("LOGIN", "alice@a.test", "old horse") };
    struct yb_auth_outcome out = { 0 };
    struct yb_auth_stats n;
    struct yb_err err;

    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(password("alice@a.test", "old horse", HOME, &err), -1);
        ck_assert_str_eq(err.status, "5.7.8");
        check_kind(&err);
        ck_assert_int_eq(client_login(auth, &login, &out), 0);
        ck_assert_str_eq(out.err.status, "5.7.8");
        check_kind(&out.err);
    }
    yb_auth_stats_read(auth, &n);
    ck_assert_uint_eq(n.hashed, 1);
    ck_assert_int_eq(password("alice@a.test", "correct horse", HOME, &err), 0);
    /* It stops being wrong when it becomes the password. */
    ck_assert_int_eq(yb_cred_make(YB_STR("old horse"), 0, mine[0].verifier, &err), 0);
    ck_assert_int_eq(password("alice@a.test", "old horse", HOME, &err), 0);
}
END_TEST

/* SCRAM guesses count like others: ten different ones and no more. */
START_TEST(test_limit_scram)
{
    struct yb_auth_outcome out = { 0 };
    char word[16];

    for (int i = 0; i < 12; i++) {
        struct login l = { AS(SCRAM, i % 2 == 0 ? "alice@a.test" : "nobody@a.test", word) };

        for (int k = 0; k < 2; k++) {
            snprintf(word, sizeof(word), "guess %d", 2 * i + k);
            ck_assert_int_eq(client_login(auth, &l, &out), 0);
            ck_assert_str_eq(out.err.status, i < 10 ? "5.7.8" : "4.7.0");
        }
    }
}
END_TEST

struct guesser {
    pthread_t thread;
    unsigned told, limited, id;
};

static void *
guess_in_parallel(void *arg)
{
    struct guesser *g = arg;
    struct yb_err err;
    char word[32];

    for (int i = 0; i < 8; i++) {
        snprintf(word, sizeof(word), "guess %u-%d", g->id, i);
        if (password("alice@a.test", word, HOME, &err) == 0 || strcmp(err.status, "5.7.8") == 0)
            g->told++;
        else
            g->limited++;
    }
    return NULL;
}

/* Guessing on many connections at once discloses no more than guessing on one. */
START_TEST(test_limit_parallel)
{
    struct guesser g[8] = { { 0 } };
    unsigned told = 0;

    for (unsigned i = 0; i < YB_COUNT(g); i++) {
        g[i].id = i;
        ck_assert_int_eq(pthread_create(&g[i].thread, NULL, guess_in_parallel, &g[i]), 0);
    }
    for (size_t i = 0; i < YB_COUNT(g); i++) {
        pthread_join(g[i].thread, NULL);
        told += g[i].told;
    }
    ck_assert_uint_eq(told, 10);
}
END_TEST

/* Sixteen threads, every mechanism, right and wrong: each gets its own answer. */
struct worker {
    pthread_t thread;
    unsigned id, surprises;
};

static void *
log_in_and_out(void *arg)
{
    struct worker *w = arg;

    for (unsigned i = 0; i < 20; i++) {
        size_t k = (w->id * 7 + i) % YB_COUNT(logins);
        struct yb_auth_outcome out = { 0 };

        if (strcmp(logins[k].login.user, "bob@a.test") == 0)
            continue; /* what he may depends on who came first */
        if (client_login(auth, &logins[k].login, &out) < 0 ||
            strcmp(out.err.status, logins[k].status) != 0)
            w->surprises++;
    }
    return NULL;
}

START_TEST(test_threads)
{
    struct worker w[16] = { { 0 } };

    teardown();
    start(&(struct yb_auth_conf){ .attempts = 1000, .hashing_wait_ms = 60000 });
    for (unsigned i = 0; i < YB_COUNT(w); i++) {
        w[i].id = i;
        ck_assert_int_eq(pthread_create(&w[i].thread, NULL, log_in_and_out, &w[i]), 0);
    }
    for (size_t i = 0; i < YB_COUNT(w); i++) {
        pthread_join(w[i].thread, NULL);
        ck_assert_uint_eq(w[i].surprises, 0);
    }
}
END_TEST

/* Printed, not asserted (machines differ): what a wrong password costs for somebody and nobody. */
START_TEST(test_time)
{
    static const char *const names[] = { "alice@a.test", "nobody@a.test" };
    struct yb_err err;
    char word[16];

    for (size_t i = 0; i < YB_COUNT(names); i++) {
        int64_t begun = yb_clock_us();

        for (int k = 0; k < 10; k++) {
            snprintf(word, sizeof(word), "guess %d", k);
            ck_assert_int_eq(password(names[i], word, HOME, &err), -1);
        }
        printf("# a wrong password of %s: %lld us\n", names[i],
               (long long)(yb_clock_us() - begun) / 10);
    }
}
END_TEST

START_TEST(test_only_one)
{
    struct yb_auth_conf conf = { .service = "imap", .source = accounts_source(&accounts) };
    struct yb_err err = { 0 };

    ck_assert_ptr_null(yb_auth_new(&conf, &err));
    ck_assert_int_eq(err.class, YB_BUG);
    teardown();
    conf.mechanisms = YB_STR("PLAIN NTLM");
    ck_assert_ptr_null(yb_auth_new(&conf, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "\"NTLM\""));
    start(&(struct yb_auth_conf){ .mechanisms = YB_STR("LOGIN PLAIN") });
    ck_assert(yb_str_eq(yb_auth_mechanisms(auth, &(struct yb_auth_facts){ .tls = true }),
                        YB_STR("PLAIN LOGIN")));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("auth");
    TCase *tc = tcase_create("auth");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, test_login, 0, YB_COUNT(logins));
    tcase_add_loop_test(tc, test_odd, 0, YB_COUNT(odd));
    tcase_add_test(tc, test_long_names);
    tcase_add_test(tc, test_nobody_learns);
    tcase_add_test(tc, test_salt_of_nobody);
    tcase_add_test(tc, test_needs_tls);
    tcase_add_test(tc, test_mechanisms);
    tcase_add_test(tc, test_remembered);
    tcase_add_test(tc, test_changed_password);
    tcase_add_test(tc, test_binding_not_offered);
    tcase_add_test(tc, test_no_guess);
    tcase_add_test(tc, test_upgrade);
    tcase_add_test(tc, test_upgrade_stuck);
    tcase_add_test(tc, test_app_password);
    tcase_add_test(tc, test_away);
    tcase_add_test(tc, test_limit);
    tcase_add_test(tc, test_limit_spellings);
    tcase_add_test(tc, test_same_wrong_password);
    tcase_add_test(tc, test_limit_scram);
    tcase_add_test(tc, test_limit_parallel);
    tcase_add_test(tc, test_threads);
    tcase_add_test(tc, test_time);
    tcase_add_test(tc, test_only_one);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
