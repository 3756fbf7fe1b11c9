/* Recipients that are named again, and very many of them; with hooks that do nothing else. */
#include "tests/unit/receive/desk.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define LMTP_HELLO "<220 x~|>|<250-x~250-PIPELINING~250-SIZE 9~250-XYUBIN~250 CHUNKING~|"
#define ONE LMTP_HELLO ">3|=5|<250 a~250 b~250 c~|?"
#define TWO LMTP_HELLO ">3|<250 a~250 b~250 c~|>|=5|<250 d~250 e~|?"

/* However an address is written, it is one recipient and gets one message. */
static const struct {
    const char *name, *rcpts[4], *lmtpd;
    size_t messages;
} repeats[] = {
    { "once", { "<bob@ours.test>" }, ONE, 1 },
    { "case", { "<bob@ours.test>", "<BOB@Ours.Test>", "<bob@ours.test>" }, ONE, 1 },
    { "quotes and a dot at the end",
      { "<\"a/b\"@ours.test>", "<a/b@ours.test>", "<\"a\\/B\"@ours.test.>" },
      ONE,
      1 },
    { "beyond ASCII: case and composition",
      { "<n1\xc3\xa9@ours.test>", "<N1\xc3\x89@ours.test>",
        "<n1"
        "e\xcc\x81@ours.test>" },
      ONE,
      1 },
    { "no domain", { "<postmaster>", "<PostMaster>" }, ONE, 1 },
    { "others stay others",
      { "<bob@ours.test>", "<ann@ours.test>", "<Bob@ours.test>", "<Ann@ours.test>" },
      TWO,
      2 },
    { "an accent is another name", { "<n1\xc3\xa9@ours.test>", "<n1e@ours.test>" }, TWO, 2 },
    /* Several addresses of one mailbox are one as well. */
    { "an alias and whom it leads to", { "<team@ours.test>", "<bob@ours.test>" }, TWO, 2 },
    { "two aliases", { "<bob@ours.test>", "<team@ours.test>", "<crew@ours.test>" }, TWO, 2 },
    { "sub-addresses", { "<bob+x@ours.test>", "<bob@ours.test>", "<bob+x@ours.test>" }, TWO, 2 },
};

START_TEST(test_repeated)
{
    struct desk d;
    char line[200];

    desk_open(&d, 0, 0, repeats[_i].lmtpd);
    desk_say(&d, "MAIL FROM:<x@c.test> SMTPUTF8", "250 ");
    for (size_t i = 0; i < YB_COUNT(repeats[_i].rcpts) && repeats[_i].rcpts[i] != NULL; i++) {
        snprintf(line, sizeof(line), "RCPT TO:%s", repeats[_i].rcpts[i]);
        desk_say(&d, line, "250 2.1.5");
    }
    desk_say(&d, "DATA", "354 ");
    fake_feed(d.conn, YB_STR("x\r\n\r\n"), 0);
    desk_say(&d, ".", "250 2.0.0");
    ck_assert(d.handover.stored == 1);
    desk_close(&d);
    ck_assert_msg(desk_count(yb_buf_view(d.lmtpd.log), YB_STR("RCPT TO:")) == repeats[_i].messages,
                  "%s: %.*s", repeats[_i].name, YB_STR_ARG(yb_buf_view(d.lmtpd.log)));
    yb_buf_free(&d.lmtpd.log);
}
END_TEST

/*
 * A message for ann and bob of which bob's mailbox is the trouble, and then the next try. What lmtpd
 * answers; what bob's RCPT hears then, and how often lmtpd was told of bob in all.
 */
#define TWO_RCPTS LMTP_HELLO ">3|<250 a~250 b~250 c~|>|"
#define REFUSED_AT_END(a, b) TWO_RCPTS "=5|<" a "~" b "~|"
#define REFUSED_AT_RCPT(b) LMTP_HELLO ">3|<250 a~250 b~" b "~|"
#define ASKED(b) ">3|<250 r~250 a~" b "~|"
#define ANN ">4|=5|<250 r~250 a~250 b~250 c~|?"
#define ANN_ALONE ">3|=5|<250 a~250 b~250 c~|?"
static const struct {
    const char *name, *lmtpd, *answer, *bob;
    size_t told;
} troubles[] = {
    { "at the end, ann held back", REFUSED_AT_END("450 4.5.0 h", "450 4.2.0 x") ANN_ALONE,
      "450 4.2.0", "450 4.2.0", 1 },
    { "at the end, for good", REFUSED_AT_END("450 4.5.0 h", "550 5.2.1 x") ANN_ALONE, "451 4.3.0",
      "550 5.2.1", 1 },
    { "at RCPT, and so still", REFUSED_AT_RCPT("451 4.3.0 x") ASKED("450 4.2.0 y") ANN, "451 4.3.0",
      "450 4.2.0", 2 },
    { "at RCPT, and mended", REFUSED_AT_RCPT("451 4.3.0 x") ASKED("250 y") "?", "451 4.3.0",
      "250 2.1.5", 2 },
    { "no room at the end is asked for",
      REFUSED_AT_END("450 4.5.0 h", "452 4.2.2 x") ">2|<250 a~250 y~|"
                                                   "?",
      "452 4.2.2", "250 2.1.5", 2 },
    { "both: nobody's own trouble", REFUSED_AT_END("452 4.3.1 h", "452 4.3.1 x") "?", "452 4.3.1",
      "250 2.1.5", 1 },
};

START_TEST(test_trouble)
{
    struct desk d;

    desk_open(&d, 0, 0, troubles[_i].lmtpd);
    desk_say(&d, "MAIL FROM:<x@c.test>", "250 ");
    desk_say(&d, "RCPT TO:<ann@ours.test>", "250 ");
    desk_say(&d, "RCPT TO:<bob@ours.test>", "250 ");
    desk_say(&d, "DATA", "354 ");
    fake_feed(d.conn, YB_STR("x\r\n\r\n"), 0);
    desk_say(&d, ".", troubles[_i].answer);
    desk_say(&d, "MAIL FROM:<x@c.test>", "250 ");
    desk_say(&d, "RCPT TO:<bob@ours.test>", troubles[_i].bob);
    desk_say(&d, "RCPT TO:<ann@ours.test>", "250 ");
    if (troubles[_i].bob[0] != '2') {
        desk_say(&d, "DATA", "354 ");
        fake_feed(d.conn, YB_STR("x\r\n\r\n"), 0);
        desk_say(&d, ".", "250 2.0.0");
    }
    desk_close(&d);
    ck_assert_msg(desk_count(yb_buf_view(d.lmtpd.log), YB_STR("XACCOUNT=01")) == troubles[_i].told,
                  "%s: %.*s", troubles[_i].name, YB_STR_ARG(yb_buf_view(d.lmtpd.log)));
    yb_buf_free(&d.lmtpd.log);
}
END_TEST

/* What stands behind our fields is header or body as it was, and of its header a Return-Path goes. */
static const struct {
    const char *name, *sent, *stored;
} messages[] = {
    { "a header", "Subject: x\r\n\r\ny\r\n", "Trace: t\r\nSubject: x\r\n\r\ny\r\n" },
    { "nothing but text", "Disk 93 % full\r\nsecond: line\r\n",
      "Trace: t\r\n\r\nDisk 93 % full\r\nsecond: line\r\n" },
    { "text that would go on our last field", " indented\r\n\r\nx\r\n",
      "Trace: t\r\n\r\n indented\r\n\r\nx\r\n" },
    { "text that looks like a field that goes", "text\r\nReturn-Path: <x@y>\r\n",
      "Trace: t\r\n\r\ntext\r\nReturn-Path: <x@y>\r\n" },
    { "from a mailbox file", "From x@y Mon\r\nReturn-Path: <x@y>\r\nSubject: x\r\n\r\ny\r\n",
      "Trace: t\r\nFrom x@y Mon\r\nSubject: x\r\n\r\ny\r\n" },
    { "fields that go",
      "return-path:\r\n <x@y>\r\nBcc: z@y\r\nReturn-Path: <>\r\n\r\nReturn-Path: y\r\n",
      "Trace: t\r\nBcc: z@y\r\n\r\nReturn-Path: y\r\n" },
    { "no header, a body", "\r\ny\r\n", "Trace: t\r\n\r\ny\r\n" },
};

START_TEST(test_joined)
{
    struct desk d;

    desk_open(&d, 0, 0,
              "<220 x~|>|<250-x~250-PIPELINING~250-SIZE 9~250-XYUBIN~250 X~|>2|<250 a~250 "
              "b~|>|<354 c~|.|<250 d~|?");
    d.head = "Trace: t\r\n";
    desk_say(&d, "MAIL FROM:<x@c.test>", "250 ");
    desk_say(&d, "RCPT TO:<bob@ours.test>", "250 ");
    desk_say(&d, "DATA", "354 ");
    fake_feed(d.conn, yb_str_from(messages[_i].sent), 0);
    desk_say(&d, ".", "250 2.0.0");
    desk_close(&d);
    ck_assert_msg(yb_str_find_str(yb_buf_view(d.lmtpd.log), yb_str_from(messages[_i].stored)) <
                      yb_buf_size(d.lmtpd.log),
                  "%s: %.*s", messages[_i].name, YB_STR_ARG(yb_buf_view(d.lmtpd.log)));
    yb_buf_free(&d.lmtpd.log);
}
END_TEST

/* As many recipients as max_rcpt may allow, and each once more: what counts is who is new. */
START_TEST(test_many)
{
    const size_t most = 10000;
    struct desk d;
    char line[100];

    desk_open(&d, 2 * most + 1, most, "?");
    for (int again = 0; again < 2; again++) {
        desk_say(&d, "MAIL FROM:<x@c.test>", "250 ");
        for (size_t i = 0; i < most; i++) {
            snprintf(line, sizeof(line), "RCPT TO:<n%zu@ours.test>", i);
            desk_say(&d, line, "250 2.1.5");
        }
        for (size_t i = 0; i < most; i += 97) {
            snprintf(line, sizeof(line), "RCPT TO:<N%zu@OURS.test>", i);
            desk_say(&d, line, "250 2.1.5");
        }
        desk_say(&d, "RCPT TO:<n10000@ours.test>", "452 4.5.3");
        /* Another transaction knows nothing of them. */
        desk_say(&d, "RSET", "250 ");
    }
    desk_close(&d);
    yb_buf_free(&d.lmtpd.log);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("receive/handover");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    yb_log_init("test", YB_LOG_ERROR);
    tcase_set_timeout(tc, 30); /* more than lmtpd gets to answer */
    tcase_add_loop_test(tc, test_repeated, 0, YB_COUNT(repeats));
    tcase_add_loop_test(tc, test_trouble, 0, YB_COUNT(troubles));
    tcase_add_loop_test(tc, test_joined, 0, YB_COUNT(messages));
    tcase_add_test(tc, test_many);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
