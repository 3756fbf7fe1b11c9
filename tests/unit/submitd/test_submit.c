/* Who may submit as whom, and what is added; with a login that any password "ok" passes. */
#include "lib/base/clock.h"
#include "submitd/submitd.h"
#include "tests/unit/receive/fake_directory.h"
#include "tests/unit/smtp/fake_conn.h"
#include "tests/unit/smtp/odd_server.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* --- lib/auth as these tests want it --- */

void
yb_auth_facts_of(struct yb_conn *c, struct yb_auth_facts *facts)
{
    memset(facts, 0, sizeof(*facts));
    facts->tls = yb_conn_is_tls(c);
}

struct yb_str
yb_auth_mechanisms(const struct yb_auth *a YB_UNUSED, const struct yb_auth_facts *facts)
{
    return facts->tls ? YB_STR("PLAIN") : yb_str("", 0);
}

enum yb_auth_result
yb_auth_begin(struct yb_auth *a YB_UNUSED, struct yb_auth_session **s YB_UNUSED,
              struct yb_str mechanism YB_UNUSED, const struct yb_str *initial,
              const struct yb_auth_facts *facts YB_UNUSED, struct yb_auth_outcome *out)
{
    memset(out, 0, sizeof(*out));
    out->result = YB_AUTH_FAILED;
    if (initial != NULL && yb_str_eq(*initial, YB_STR("ok"))) {
        out->result = YB_AUTH_DONE;
        out->user.account.v[0] = 1;
        out->user.by.proof = yb_auth_proof(YB_STR("a verifier"));
        memcpy(out->user.address, "bob@ours.test", sizeof("bob@ours.test"));
    } else {
        yb_err_set(&out->err, YB_PERM, "5.7.8", "Wrong name or password");
    }
    return out->result;
}

enum yb_auth_result
yb_auth_step(struct yb_auth_session **s YB_UNUSED, struct yb_str line YB_UNUSED,
             const struct yb_auth_facts *facts YB_UNUSED, struct yb_auth_outcome *out)
{
    memset(out, 0, sizeof(*out));
    return out->result = YB_AUTH_CANCELLED;
}

void
yb_auth_abandon(struct yb_auth_session **s YB_UNUSED)
{
}

/* --- the house --- */

struct house {
    struct submitd submitd;
    struct fake_directory directory;
    struct odd_server lmtpd;
    struct yb_msgbuf_pool *pool;
    struct yb_smtp_server *server;
    struct yb_conn *conn;
};

#define LMTP                                                                                       \
    "<220 x~|>|<250-x~250-PIPELINING~250-SIZE 9~250-XYUBIN~250 X~|>2|<250 a~250 b~|>|<354 "        \
    "c~|.|<250 d~|?"

static void
house_open(struct house *h, size_t memory_each)
{
    const struct yb_msgbuf_conf pool = { .folder = "/tmp",
                                         .memory_each = memory_each,
                                         .memory_total = 1 << 24,
                                         .memory_network = 1 << 24,
                                         .disk_network = 1 << 28 };
    struct yb_smtp_conf conf = { .dialect = YB_SMTP_SUBMISSION,
                                 .name = "submit",
                                 .hostname = "mx.test",
                                 .max_message = 1 << 22 };
    struct yb_smtp_dest_conf dest = { .hostname = "mx.test", .lmtp = true, .answer_ms = 30000 };
    struct fake_spec fake = { .service = &yb_submission_service, .is_tls = true, .can_tls = true };
    struct yb_err err = { 0 };

    memset(h, 0, sizeof(*h));
    odd_server_start(&h->lmtpd, LMTP);
    dest.where = h->lmtpd.where;
    h->pool = yb_msgbuf_pool_new(&pool, &err);
    ck_assert(h->pool != NULL);
    conf.pool = h->pool;
    h->submitd.handover.directory = (struct yb_directory *)(void *)&h->directory;
    h->submitd.handover.origin = YB_ORIGIN_AUTH;
    h->submitd.handover.hide_bcc = true;
    h->submitd.max_per_account = 1;
    h->submitd.handover.lmtpd = yb_smtp_dest_new(&dest);
    h->server = yb_smtp_server_new(&conf, &submitd_hooks, &h->submitd);
    fake.arg = h->server;
    h->conn = fake_open(&fake);
}

/* Afterwards h->lmtpd.log may be read. */
static void
house_close(struct house *h)
{
    fake_free(&h->conn);
    yb_smtp_server_free(&h->server);
    yb_smtp_dest_free(&h->submitd.handover.lmtpd);
    odd_server_stop(&h->lmtpd);
    yb_msgbuf_pool_free(&h->pool);
}

/* The last reply to what was said. */
static const char *
say(struct house *h, const char *text, char *reply, size_t size)
{
    struct yb_str out, line = { "", 0 }, part;

    fake_clear(h->conn);
    fake_feed(h->conn, yb_str_from(text), 0);
    out = fake_output(h->conn);
    while (yb_str_split(&out, '\n', &part) && part.n > 0)
        line = yb_str_head(part, part.n - 1);
    ck_assert(yb_str_copy(line, reply, size));
    return reply;
}

static void
login(struct house *h)
{
    char reply[300];

    say(h, "EHLO laptop.inside.test\r\n", reply, sizeof(reply));
    ck_assert(strncmp(say(h, "AUTH PLAIN ok\r\n", reply, sizeof(reply)), "235 2.7.0", 9) == 0);
}

/* --- tests --- */

static const struct {
    const char *from, *header, *reply; /* to MAIL if it is refused, else to the message */
} cases[] = {
    { "bob@ours.test", "From: bob@ours.test\r\n", "250 2.0.0" },
    { "team@ours.test", "From: \"Mr. B\" <BOB@Ours.Test>, team@ours.test\r\n", "250 2.0.0" },
    { "bob", "From: bob@ours.test\r\n", "250 2.0.0" },
    { "bob@ours.test", "From: bob@ours.test\r\nSender: team@ours.test\r\n", "250 2.0.0" },
    { "", "From: bob@ours.test\r\n", "250 2.0.0" }, /* receipts, automatic replies */
    { "", "From: ann@ours.test\r\n", "550 5.7.1" },
    { "", "Subject: no author\r\n", "550 5.6.0" },
    { "bob.@ours.test", "From: bob@ours.test\r\n", "501 5.1.7" },
    { "bob@ours.test",
      "From: B\xf6"
      "b <bob@ours.test>\r\n",
      "250 2.0.0" },
    { "bob@ours.test",
      "From: B\xf6"
      "b <ann@ours.test>\r\n",
      "550 5.7.1" },
    { "bob@ours.test", "From: bob.@ours.test\r\n", "550 5.6.0" },
    { "ann@ours.test", "From: bob@ours.test\r\n", "550 5.7.1" },
    { "x@other.test", "From: bob@ours.test\r\n", "550 5.7.1" },
    { "ann", "From: bob@ours.test\r\n", "550 5.7.1" },
    { "bob@[192.0.2.25]", "From: bob@ours.test\r\n", "550 5.7.1" },
    { "bob@ours.test", "From: ann@ours.test\r\n", "550 5.7.1" },
    { "bob@ours.test", "From: x@other.test\r\n", "550 5.7.1" },
    { "bob@ours.test", "From: bob@ours.test, ann@ours.test\r\n", "550 5.7.1" },
    { "bob@ours.test", "From: g: bob@ours.test, ann@ours.test;\r\n", "550 5.7.1" },
    { "bob@ours.test", "From: bob@ours.test\r\n\t, ann@ours.test\r\n", "550 5.7.1" },
    { "bob@ours.test", "From: bob@ours.test\r\nFrom: ann@ours.test\r\n", "550 5.6.0" },
    { "bob@ours.test", "From: bob@ours.test\r\nfrom : ann@ours.test\r\n", "550 5.6.0" },
    { "bob@ours.test", "From: bob@ours.test\r\nSender: ann@ours.test\r\n", "550 5.7.1" },
    { "bob@ours.test", "From: bob@ours.test\r\nResent-From: ann@ours.test\r\n", "550 5.7.1" },
    { "bob@ours.test", "From: bob@ours.test\r\nResent-Sender: ann@ours.test\r\n", "550 5.7.1" },
    { "bob@ours.test", "Subject: no author\r\n", "550 5.6.0" },
    { "bob@ours.test", "From:\r\n", "550 5.6.0" },
    { "bob@ours.test", "From: bob@ours.test\r\nno field\r\n", "550 5.6.0" },
    { "bob@ours.test", "From: <@x.test:bob@ours.test>\r\n", "550 5.6.0" },
    { "bob@ours.test", "", "550 5.6.0" },
};

START_TEST(test_sender)
{
    char text[600], reply[300];
    struct house h;

    house_open(&h, 1 << 17);
    login(&h);
    snprintf(text, sizeof(text), "MAIL FROM:<%s>\r\n", cases[_i].from);
    if (say(&h, text, reply, sizeof(reply))[0] == '2') {
        say(&h, "RCPT TO:<ann@ours.test>\r\n", reply, sizeof(reply));
        ck_assert_msg(reply[0] == '2', "%s", reply);
        say(&h, "DATA\r\n", reply, sizeof(reply));
        snprintf(text, sizeof(text), "%s\r\nFrom: in@the.body\r\n.\r\n", cases[_i].header);
        say(&h, text, reply, sizeof(reply));
    }
    ck_assert_msg(strncmp(reply, cases[_i].reply, strlen(cases[_i].reply)) == 0, "%s / %s: %s",
                  cases[_i].from, cases[_i].header, reply);
    house_close(&h);
    yb_buf_free(&h.lmtpd.log);
}
END_TEST

static bool
log_has(const struct house *h, const char *what)
{
    return yb_str_find_str(yb_buf_view(h->lmtpd.log), yb_str_from(what)) <
           yb_buf_size(h->lmtpd.log);
}

/* What lmtpd is given: completed, traced, and silent about where the user sat (R-A109). */
START_TEST(test_handed_over)
{
    const bool complete = _i == 1;
    char reply[300];
    struct house h;

    house_open(&h, 1 << 17);
    login(&h);
    say(&h, "MAIL FROM:<bob>\r\nRCPT TO:<ann>\r\n", reply, sizeof(reply));
    say(&h, "DATA\r\n", reply, sizeof(reply));
    say(&h,
        complete ? "From: bob@ours.test\r\ndate: Thu, 1 Jan 1970 00:00:00 +0000\r\n"
                   "MESSAGE-ID: <x@y>\r\n\r\nx\r\n.\r\n"
                 : "From: bob@ours.test\r\n\r\nDate: no\r\nMessage-ID: no\r\n.\r\n",
        reply, sizeof(reply));
    ck_assert_msg(strncmp(reply, "250 2.0.0", 9) == 0, "%s", reply);
    house_close(&h);
    ck_assert(log_has(&h, "MAIL FROM:<bob@ours.test> SIZE="));
    ck_assert(log_has(&h, " XORIGIN=auth"));
    ck_assert(log_has(&h, "RCPT TO:<ann@ours.test> XDELIVERY="));
    ck_assert(log_has(&h, "Received: by mx.test with ESMTPSA\r\n"));
    ck_assert(!log_has(&h, "192.0.2.1") && !log_has(&h, "laptop"));
    ck_assert(log_has(&h, "\r\nMessage-ID: <") == !complete);
    ck_assert(log_has(&h, "@ours.test>\r\nFrom: bob@ours.test\r\n") == !complete);
    ck_assert(log_has(&h, "\r\nDate: ") != complete || log_has(&h, "\r\ndate: Thu"));
    yb_buf_free(&h.lmtpd.log);
}
END_TEST

/* Whom the others shall not see, nobody sees, however the field is written; what is no field of this
 * header stays. */
START_TEST(test_bcc)
{
    static const char message[] =
        "bcc: ann@ours.test\r\nFrom: bob@ours.test\r\nBCC: "
        "carl@hidden.test,\r\n\tdora@hidden.test\r\n"
        "X-Bcc: kept\r\nBcc :\r\nResent-BCC: eve@hidden.test\r\nSubject: Bcc: kept\r\n\r\n"
        "Bcc: in the body\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nBcc: attached\r\n";
    char reply[300], text[1000];
    struct house h;

    house_open(&h, _i < 2 ? 1 << 17 : 8192);
    login(&h);
    say(&h, "MAIL FROM:<bob>\r\nRCPT TO:<ann>\r\n", reply, sizeof(reply));
    if (_i == 1) {
        snprintf(text, sizeof(text), "BDAT 100\r\n%.100sBDAT %zu LAST\r\n%s", message,
                 sizeof(message) - 1 - 100, message + 100);
        say(&h, text, reply, sizeof(reply));
    } else {
        say(&h, "DATA\r\n", reply, sizeof(reply));
        for (int i = 0; _i == 2 && i < 9000; i++) /* the fields lie behind what is read at first */
            fake_feed(h.conn, YB_STR("X-Long: field of a header\r\n"), 0);
        say(&h, message, reply, sizeof(reply));
        say(&h, ".\r\n", reply, sizeof(reply));
    }
    ck_assert_msg(strncmp(reply, "250 2.0.0", 9) == 0, "%s", reply);
    house_close(&h);
    ck_assert(!log_has(&h, "hidden.test") && !log_has(&h, "Bcc :") && !log_has(&h, "bcc: ann"));
    ck_assert(log_has(&h,
                      "\nFrom: bob@ours.test\r\nX-Bcc: kept\r\nSubject: Bcc: kept\r\n\r\nBcc: in "
                      "the body\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nBcc: attached\r\n"));
    yb_buf_free(&h.lmtpd.log);
}
END_TEST

START_TEST(test_missing)
{
    struct yb_arena *a = yb_arena_new(1024);
    const struct yb_message_id id = { { 0xab } };

    ck_assert(yb_str_eq(
        submitd_missing_fields(YB_STR("Date: x\r\nMessage-Id: y\r\n"), 0, id, YB_STR("d.test"), a),
        YB_STR("")));
    ck_assert(yb_str_eq(submitd_missing_fields(YB_STR("X: y\r\n"), 0, id, YB_STR("d.test"), a),
                        YB_STR("Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: "
                               "<ab000000000000000000000000000000@d.test>\r\n")) ||
              yb_str_eq(submitd_missing_fields(YB_STR("X: y\r\n"), 0, id, YB_STR("d.test"), a),
                        YB_STR("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\nMessage-ID: "
                               "<ab000000000000000000000000000000@d.test>\r\n")));
    yb_arena_free(&a);
}
END_TEST

static const struct {
    const char *to, *reply;
} recipients[] = {
    { "ann@ours.test", "250 2.1.5" },
    { "ann", "250 2.1.5" },
    { "nobody@ours.test", "550 5.1.1" },
    { "x@other.test", "451 4.3.0" }, /* until there is a queue */
    { "x%other.test@ours.test", "550 5.7.1" },
    { "suspended@ours.test", "450 4.2.1" },
    /* As people elsewhere are called; ours are not, whatever a catch-all would take. */
    { "taro.@mobile.test", "451 4.3.0" },
    { "root@web_1.other.test", "451 4.3.0" },
    { "x%y@web_1.other.test", "550 5.7.1" },
    { "n1..2@ours.test", "501 5.1.3" },
    { ".nobody@friend.test", "501 5.1.3" },
    { "ann@ours.test.", "250 2.1.5" },
};

START_TEST(test_recipient)
{
    char text[200], reply[300];
    struct house h;

    house_open(&h, 1 << 17);
    login(&h);
    say(&h, "MAIL FROM:<bob@ours.test>\r\n", reply, sizeof(reply));
    snprintf(text, sizeof(text), "RCPT TO:<%s>\r\n", recipients[_i].to);
    say(&h, text, reply, sizeof(reply));
    ck_assert_msg(strncmp(reply, recipients[_i].reply, 9) == 0, "%s: %s", recipients[_i].to, reply);
    house_close(&h);
    yb_buf_free(&h.lmtpd.log);
}
END_TEST

/* In a file, and with a header longer than is looked at: refused, not half judged. */
START_TEST(test_long_header)
{
    char reply[300];
    struct house h;

    house_open(&h, 8192);
    login(&h);
    say(&h, "MAIL FROM:<bob>\r\nRCPT TO:<ann>\r\n", reply, sizeof(reply));
    say(&h, "DATA\r\n", reply, sizeof(reply));
    say(&h, "From: bob@ours.test\r\n", reply, sizeof(reply));
    for (int i = 0; i < (_i == 0 ? 19000 : 21000); i++)
        fake_feed(h.conn, YB_STR("X-Long: field of a header\r\n"), 0);
    say(&h, "\r\nx\r\n.\r\n", reply, sizeof(reply));
    ck_assert_msg(strncmp(reply, _i == 0 ? "250 2.0.0" : "550 5.6.0", 9) == 0, "%s", reply);
    house_close(&h);
    yb_buf_free(&h.lmtpd.log);
}
END_TEST

START_TEST(test_database_away)
{
    char reply[300];
    struct house h;

    house_open(&h, 1 << 17);
    login(&h);
    h.directory.down = true;
    say(&h, "MAIL FROM:<team@ours.test>\r\n", reply, sizeof(reply));
    ck_assert_msg(strncmp(reply, "451 4.3.0", 9) == 0, "%s", reply);
    say(&h, "MAIL FROM:<Bob@Ours.Test>\r\n", reply, sizeof(reply));
    ck_assert_msg(strncmp(reply, "250 2.1.0", 9) == 0, "%s", reply);
    house_close(&h);
    yb_buf_free(&h.lmtpd.log);
}
END_TEST

/* What happens to the account while he is logged in counts from his next message on. */
START_TEST(test_outlasted)
{
    static const struct fake_directory changes[] = { { .gone = true },
                                                     { .off = true },
                                                     { .verifier = "another" },
                                                     { .refused = "This customer is suspended" } };
    char reply[300];
    struct house h;

    house_open(&h, 1 << 17);
    login(&h);
    say(&h, "MAIL FROM:<bob>\r\n", reply, sizeof(reply));
    ck_assert_msg(reply[0] == '2', "%s", reply);
    h.directory = changes[_i];
    for (int i = 0; i < 2; i++) {
        say(&h, i == 0 ? "RSET\r\nMAIL FROM:<bob>\r\n" : "MAIL FROM:<team@ours.test>\r\n", reply,
            sizeof(reply));
        ck_assert_msg(strncmp(reply, "550 5.7.13 ", 11) == 0, "%s", reply);
    }
    h.directory = (struct fake_directory){ 0 };
    say(&h, "MAIL FROM:<bob>\r\n", reply, sizeof(reply));
    ck_assert_msg(reply[0] == '2', "%s", reply);
    house_close(&h);
    yb_buf_free(&h.lmtpd.log);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("submitd");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    yb_log_init("test", YB_LOG_ERROR);
    tcase_add_loop_test(tc, test_sender, 0, YB_COUNT(cases));
    tcase_add_loop_test(tc, test_handed_over, 0, 2);
    tcase_add_loop_test(tc, test_bcc, 0, 3);
    tcase_add_test(tc, test_missing);
    tcase_add_loop_test(tc, test_recipient, 0, YB_COUNT(recipients));
    tcase_add_loop_test(tc, test_long_header, 0, 2);
    tcase_add_test(tc, test_database_away);
    tcase_add_loop_test(tc, test_outlasted, 0, 4);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
