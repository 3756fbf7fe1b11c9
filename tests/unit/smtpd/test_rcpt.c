/* Who may hand in mail for whom, what becomes of it, and what too much of it brings. */
#include "lib/smtp/relaycheck.h"
#include "smtpd/smtpd.h"
#include "tests/unit/receive/fake_directory.h"
#include "tests/unit/smtp/fake_conn.h"
#include "tests/unit/smtp/odd_server.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct door {
    struct smtpd smtpd;
    struct fake_directory directory;
    struct odd_server lmtpd;
    struct yb_msgbuf_pool *pool;
    struct yb_smtp_server *server;
    struct yb_conn *conn;
    bool has_lmtpd;
};

static void
door_open(struct door *d, const struct smtpd_limits_conf *limits, const char *peer,
          const char *local, const char *lmtpd)
{
    const struct smtpd_limits_conf none = { .window_ms = 1000, .block_ms = 1000 };
    const struct yb_msgbuf_conf pool = { .folder = "/tmp",
                                         .memory_each = 1 << 17,
                                         .memory_total = 1 << 24,
                                         .memory_network = 1 << 24,
                                         .disk_network = 1 << 28 };
    struct yb_smtp_conf conf = { .dialect = YB_SMTP_MX,
                                 .name = "smtp",
                                 .hostname = "mx.test",
                                 .max_message = 1 << 20,
                                 .max_errors = 1000 };
    struct yb_smtp_dest_conf dest = {
        .where = "unix:/nowhere/at/all", .hostname = "mx.test", .lmtp = true, .answer_ms = 500
    };
    struct fake_spec fake = { .service = &yb_smtp_service, .peer = peer, .local = local };
    struct yb_err err = { 0 };

    memset(d, 0, sizeof(*d));
    d->pool = yb_msgbuf_pool_new(&pool, &err);
    ck_assert(d->pool != NULL);
    conf.pool = d->pool;
    if (lmtpd != NULL) {
        odd_server_start(&d->lmtpd, lmtpd);
        d->has_lmtpd = true;
        dest.where = d->lmtpd.where;
    }
    d->smtpd.handover.directory = (struct yb_directory *)(void *)&d->directory;
    d->smtpd.handover.lmtpd = yb_smtp_dest_new(&dest);
    d->smtpd.limits = smtpd_limits_new(limits == NULL ? &none : limits);
    ck_assert(yb_cidr_list(YB_STR("127.0.0.0/8"), &d->smtpd.exempt, &d->smtpd.n_exempt, &err) == 0);
    d->server = yb_smtp_server_new(&conf, &smtpd_hooks, &d->smtpd);
    fake.arg = d->server;
    d->conn = fake_open(&fake);
    fake_feed(d->conn, YB_STR("EHLO c.test\r\n"), 0);
    fake_clear(d->conn);
}

static void
door_close(struct door *d)
{
    fake_free(&d->conn);
    yb_smtp_server_free(&d->server);
    yb_smtp_dest_free(&d->smtpd.handover.lmtpd);
    smtpd_limits_free(&d->smtpd.limits);
    yb_free(d->smtpd.exempt);
    if (d->has_lmtpd) {
        odd_server_stop(&d->lmtpd);
        yb_buf_free(&d->lmtpd.log);
    }
    yb_msgbuf_pool_free(&d->pool);
}

/* The one reply to `line`. */
static const char *
say(struct door *d, const char *line, char *reply, size_t size)
{
    struct yb_str out;

    fake_clear(d->conn);
    fake_feed(d->conn, yb_str_from(line), 0);
    fake_feed(d->conn, YB_STR("\r\n"), 0);
    out = fake_output(d->conn);
    ck_assert(out.n > 2 && yb_str_copy(yb_str_head(out, out.n - 2), reply, size));
    return reply;
}

/*
 * Forms in which mail was once relayed by one server or another. None may be accepted, and none may
 * lead to a question outside: the fake directory would say where a name was believed.
 */
/* What no list of ASCII forms can say. */
static const char *const odd_forms[] = {
    "<x@\xef\xbc\xafurs.test>",
};

/* The i-th form: of those that a running server is asked for, too, then the odd ones. */
static struct yb_str
relay_form(size_t i, struct yb_arena *arena)
{
    const struct yb_relay_names names = { YB_STR("bob"), YB_STR("ours.test"),
                                          YB_STR("192.0.2.25") };

    return i < yb_relay_forms() ? yb_relay_form(i, &names, arena)
                                : yb_str_from(odd_forms[i - yb_relay_forms()]);
}

START_TEST(test_relay)
{
    static const char *const senders[] = { "<x@c.test>", "<bob@ours.test>", "<>",
                                           "<postmaster@ours.test>" };
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_str form = relay_form((size_t)_i, arena);
    struct door d;
    char line[200], reply[300];

    door_open(&d, NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < YB_COUNT(senders); i++) {
        snprintf(line, sizeof(line), "MAIL FROM:%s", senders[i]);
        ck_assert(say(&d, line, reply, sizeof(reply))[0] == '2');
        snprintf(line, sizeof(line), "RCPT TO:%.*s", YB_STR_ARG(form));
        say(&d, line, reply, sizeof(reply));
        ck_assert_msg(reply[0] == '5', "MAIL %s, RCPT %.*s: %s", senders[i], YB_STR_ARG(form),
                      reply);
        say(&d, "RSET", reply, sizeof(reply));
    }
    door_close(&d);
    yb_arena_free(&arena);
}
END_TEST

static const struct {
    const char *to, *reply; /* its beginning */
    const char *local;      /* our address; NULL: 192.0.2.25 */
} answers[] = {
    { "<bob@ours.test>", "250 2.1.5", NULL },
    { "<BOB@Ours.Test>", "250 2.1.5", NULL },
    { "<bob@ours.test.>", "250 2.1.5", NULL },
    { "<\"a/b\"@ours.test>", "250 2.1.5", NULL },
    { "<postmaster>", "250 2.1.5", NULL },
    { "<PostMaster>", "250 2.1.5", NULL },
    { "<postmaster@[192.0.2.25]>", "250 2.1.5", NULL },
    { "<postmaster@[IPv6:2001:db8::25]>", "250 2.1.5", "2001:db8::25" },
    { "<postmaster@[192.0.2.25]>", "250 2.1.5", "::ffff:192.0.2.25" },
    { "<team@ours.test>", "250 2.1.5", NULL },
    { "<nobody@ours.test>", "550 5.1.1", NULL },
    { "<x@other.test>", "550 5.7.1", NULL },
    { "<disabled@ours.test>", "550 5.2.1", NULL },
    { "<suspended@ours.test>", "450 4.2.1", NULL },
    { "<moved@ours.test>", "550 5.1.6 So it is", NULL },
    { "<full@ours.test>", "452 4.2.2", NULL },
    { "<fuller@ours.test>", "552 5.2.2", NULL },
    { "<loop@ours.test>", "550 5.4.6", NULL },
    { "<far@ours.test>", "451 4.3.0", NULL },
    { "<lost@ours.test>", "451 4.3.0", NULL },
    { "<away@ours.test>", "451 4.3.0", NULL },
};

START_TEST(test_answer)
{
    struct door d;
    char line[200], reply[300];

    door_open(&d, NULL, NULL, answers[_i].local, NULL);
    say(&d, "MAIL FROM:<x@c.test>", reply, sizeof(reply));
    snprintf(line, sizeof(line), "RCPT TO:%s", answers[_i].to);
    say(&d, line, reply, sizeof(reply));
    ck_assert_msg(yb_str_starts(yb_str_from(reply), yb_str_from(answers[_i].reply)), "%s: %s",
                  answers[_i].to, reply);
    /* Nobody hears 5xx because our database is away; relaying tricks need no database. */
    d.directory.down = true;
    say(&d, line, reply, sizeof(reply));
    ck_assert_msg(yb_str_starts(yb_str_from(reply), YB_STR("451 4.3.0")), "%s: %s", answers[_i].to,
                  reply);
    ck_assert(strstr(reply, "database") == NULL);
    door_close(&d);
}
END_TEST

/* Accepted for nothing is no answer of a directory: it ends here, not behind the end of an array. */
START_TEST(test_no_targets)
{
    struct door d;
    char reply[300];

    door_open(&d, NULL, NULL, NULL, NULL);
    say(&d, "MAIL FROM:<x@c.test>", reply, sizeof(reply));
    say(&d, "RCPT TO:<nowhere@ours.test>", reply, sizeof(reply));
    door_close(&d);
}
END_TEST

#define LMTP_HELLO "<220 x~|>|<250-x~250-PIPELINING~250-SIZE 9~250-XYUBIN~250 CHUNKING~|"

/* One message through the door; what lmtpd does, and what the client hears. */
static const struct {
    const char *name, *rcpts, *lmtpd, *reply;
    uint64_t stored, refused, unknown;
} fates[] = {
    { "stored", "RCPT TO:<bob@ours.test>", LMTP_HELLO ">3|=%|<250 a~250 b~250 c~|?", "250 2.0.0", 1,
      0, 0 },
    { "alias: two targets, one answer", "RCPT TO:<team@ours.test>",
      LMTP_HELLO ">3|<250 a~250 b~250 c~|>|=%|<250 d~250 e~|?", "250 2.0.0", 1, 0, 0 },
    { "full: its answer", "RCPT TO:<bob@ours.test>",
      LMTP_HELLO ">3|=%|<250 a~452 4.2.2 full~503 c~|?", "452 4.2.2", 0, 1, 0 },
    { "final: its answer", "RCPT TO:<bob@ours.test>",
      LMTP_HELLO ">3|=%|<250 a~250 b~552 5.2.2 full~|?", "552 5.2.2", 0, 1, 0 },
    { "our own quarrels are no 5xx", "RCPT TO:<bob@ours.test>",
      LMTP_HELLO ">3|=%|<250 a~501 5.5.4 what~503 c~|?", "451 4.3.0", 0, 1, 0 },
    { "lmtpd does not want us", "RCPT TO:<bob@ours.test>", "<554 5.7.1 no~|?", "451 4.3.0", 0, 1,
      0 },
    { "one of two refused: nobody has it", "RCPT TO:<team@ours.test>",
      LMTP_HELLO ">3|<250 a~250 b~552 5.2.2 c~|?", "451 4.3.0", 0, 1, 0 },
    { "one of two failed after the dot", "RCPT TO:<team@ours.test>",
      LMTP_HELLO ">3|<250 a~250 b~250 c~|>|=%|<250 d~452 4.2.2 e~|?", "451 4.3.0", 0, 1, 0 },
    { "no answer", "RCPT TO:<bob@ours.test>", LMTP_HELLO ">3|=%|?", "451 4.3.0", 0, 0, 1 },
    { "died and came back", "RCPT TO:<bob@ours.test>",
      LMTP_HELLO ">3|=%|!|" LMTP_HELLO ">3|=%|<250 a~250 b~250 c~|?", "250 2.0.0", 1, 0, 0 },
    { "nobody there", "RCPT TO:<bob@ours.test>", NULL, "451 4.3.0", 0, 1, 0 },
};

/* The octets of Received and message, which the script writes as "%". */
static void
script_of(const char *text, size_t octets, char *out, size_t size)
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        if (*text == '%')
            n += (size_t)snprintf(out + n, size - n, "%zu", octets);
        else
            out[n++] = *text;
        ck_assert(n < size);
    }
    out[n] = '\0';
}

START_TEST(test_fate)
{
    /* Received: its length varies only with the day of the month. */
    const char *one = "Received: from c.test ([192.0.2.1])\r\n\tby mx.test with ESMTP\r\n\tid "
                      "00000000000000000000000000000000\r\n\tfor <bob@ours.test>; "
                      "Sun, 22 Nov 2026 02:44:25 +0000\r\n";
    char script[600], reply[300];
    size_t octets = strlen(one) + 5 + (strstr(fates[_i].rcpts, "team") != NULL ? 1 : 0);
    time_t now = time(NULL);
    struct tm tm;
    struct door d;

    gmtime_r(&now, &tm);
    octets -= tm.tm_mday < 10 ? 1 : 0;
    if (fates[_i].lmtpd != NULL)
        script_of(fates[_i].lmtpd, octets, script, sizeof(script));
    door_open(&d, NULL, NULL, NULL, fates[_i].lmtpd == NULL ? NULL : script);
    say(&d, "MAIL FROM:<x@c.test>", reply, sizeof(reply));
    say(&d, fates[_i].rcpts, reply, sizeof(reply));
    ck_assert(reply[0] == '2');
    say(&d, "DATA", reply, sizeof(reply));
    fake_feed(d.conn, YB_STR("x\r\n\r\n"), 0);
    say(&d, ".", reply, sizeof(reply));
    ck_assert_msg(yb_str_starts(yb_str_from(reply), yb_str_from(fates[_i].reply)), "%s: %s",
                  fates[_i].name, reply);
    ck_assert(d.smtpd.handover.stored == fates[_i].stored);
    ck_assert(d.smtpd.handover.refused == fates[_i].refused);
    ck_assert(d.smtpd.handover.unknown == fates[_i].unknown);
    door_close(&d);
}
END_TEST

/* Over a limit everybody of that network hears 451, known or not; another network does not. */
START_TEST(test_blocked)
{
    const struct smtpd_limits_conf limits = { .window_ms = 600000,
                                              .block_ms = 600000,
                                              .most = { [SMTPD_LIMIT_UNKNOWN] = 3 } };
    static const char *const peers[] = { "198.51.100.7", "127.0.0.1", "2001:db8::7" };
    char reply[300];
    struct door d;

    door_open(&d, &limits, peers[_i], NULL, NULL);
    say(&d, "MAIL FROM:<x@c.test>", reply, sizeof(reply));
    for (int i = 0; i < 3; i++) {
        say(&d, "RCPT TO:<nobody@ours.test>", reply, sizeof(reply));
        ck_assert_msg(reply[0] == '5', "%d: %s", i, reply);
    }
    say(&d, "RCPT TO:<nobody@ours.test>", reply, sizeof(reply)); /* the first over it */
    ck_assert_msg(yb_str_starts(yb_str_from(reply), _i == 1 ? YB_STR("5") : YB_STR("451 4.7.1")),
                  "%s: %s", peers[_i], reply);
    say(&d, "RCPT TO:<bob@ours.test>", reply, sizeof(reply));
    ck_assert_msg(yb_str_starts(yb_str_from(reply), _i == 1 ? YB_STR("250") : YB_STR("451 4.7.1")),
                  "%s: %s", peers[_i], reply);
    ck_assert(d.smtpd.blocks == (_i == 1 ? 0 : 1));
    door_close(&d);
}
END_TEST

/* Exactly so many, also of those under way at once; and the others count for nothing. */
START_TEST(test_exactly)
{
    const struct smtpd_limits_conf conf = { .window_ms = 1000,
                                            .block_ms = 5000,
                                            .most = { [SMTPD_LIMIT_MESSAGES] = 3 } };
    struct smtpd_limits *l = smtpd_limits_new(&conf);
    int64_t now = 1000000;

    for (int round = 0; round < 3; round++, now += conf.block_ms) {
        for (int i = 0; i < 10; i++)
            ck_assert_int_eq(smtpd_limits_count(l, 1, SMTPD_LIMIT_MESSAGES, now),
                             i < 3    ? SMTPD_WITHIN
                             : i == 3 ? SMTPD_BEGINS
                                      : SMTPD_BLOCKED);
        ck_assert_int_eq(smtpd_limits_count(l, 1, SMTPD_LIMIT_UNKNOWN, now), SMTPD_BLOCKED);
        ck_assert_int_eq(smtpd_limits_count(l, 2, SMTPD_LIMIT_UNKNOWN, now), SMTPD_WITHIN);
    }
    smtpd_limits_free(&l);
}
END_TEST

START_TEST(test_window)
{
    const struct smtpd_limits_conf conf = {
        .networks = 64, .window_ms = 1000, .block_ms = 5000, .most = { [SMTPD_LIMIT_UNKNOWN] = 10 }
    };
    struct smtpd_limits *l = smtpd_limits_new(&conf);
    int64_t now = 1000000;

    /* Just below ten a window, for ever: never blocked. */
    for (int i = 0; i < 1000; i++)
        ck_assert(!smtpd_limits_count(l, 1, SMTPD_LIMIT_UNKNOWN, now + i * 112));
    /* Eleven at once: blocked, and free again by itself. */
    for (int i = 0; i < 10; i++)
        ck_assert(!smtpd_limits_count(l, 2, SMTPD_LIMIT_UNKNOWN, now));
    ck_assert(!smtpd_limits_blocked(l, 2, now));
    ck_assert(smtpd_limits_count(l, 2, SMTPD_LIMIT_UNKNOWN, now));
    ck_assert(smtpd_limits_blocked(l, 2, now + 4999) && !smtpd_limits_blocked(l, 2, now + 5000));
    ck_assert(!smtpd_limits_count(l, 2, SMTPD_LIMIT_UNKNOWN, now + 5000));
    /* Ten at the end of a window and ten at the beginning of the next are too many. */
    for (int i = 0; i < 10; i++)
        ck_assert(!smtpd_limits_count(l, 3, SMTPD_LIMIT_UNKNOWN, now + 999));
    ck_assert(smtpd_limits_count(l, 3, SMTPD_LIMIT_UNKNOWN, now + 1000));
    /* A kind without a limit, and another network. */
    for (int i = 0; i < 100; i++)
        ck_assert(!smtpd_limits_count(l, 4, SMTPD_LIMIT_MESSAGES, now));
    ck_assert(!smtpd_limits_blocked(l, 4, now) && !smtpd_limits_blocked(l, 5, now));
    smtpd_limits_free(&l);
}
END_TEST

/* Very many sources: memory stays what it was, and who is blocked is not pushed out. */
START_TEST(test_many)
{
    const struct smtpd_limits_conf conf = { .networks = 1024,
                                            .window_ms = 1000,
                                            .block_ms = 100000,
                                            .most = { [SMTPD_LIMIT_UNKNOWN] = 1 } };
    struct smtpd_limits *l = smtpd_limits_new(&conf);

    smtpd_limits_count(l, 7, SMTPD_LIMIT_UNKNOWN, 1000);
    ck_assert(smtpd_limits_count(l, 7, SMTPD_LIMIT_UNKNOWN, 1000));
    for (uint64_t n = 100; n < 100100; n++)
        ck_assert(!smtpd_limits_count(l, n, SMTPD_LIMIT_UNKNOWN, 2000));
    ck_assert(smtpd_limits_blocked(l, 7, 2000));
    smtpd_limits_free(&l);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("smtpd/rcpt");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    yb_log_init("test", YB_LOG_ERROR);
    tcase_add_loop_test(tc, test_relay, 0, (int)(yb_relay_forms() + YB_COUNT(odd_forms)));
    tcase_add_loop_test(tc, test_answer, 0, YB_COUNT(answers));
    tcase_add_test_raise_signal(tc, test_no_targets, SIGABRT);
    tcase_add_loop_test(tc, test_fate, 0, YB_COUNT(fates));
    tcase_add_loop_test(tc, test_blocked, 0, 3);
    tcase_add_test(tc, test_exactly);
    tcase_add_test(tc, test_window);
    tcase_add_test(tc, test_many);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
