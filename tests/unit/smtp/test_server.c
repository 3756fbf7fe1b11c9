/* Whole sessions of the three dialects, at once and byte by byte. */
#include "tests/unit/smtp/rig.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define HELLO "EHLO c.test\r\n"
#define ENVELOPE "MAIL FROM:<a@c.test>\r\nRCPT TO:<b@ours.test>\r\n"

static const struct script {
    const char *name;
    enum yb_smtp_dialect dialect;
    bool can_tls, is_tls;
    const char *say;   /* in one piece unless `turns`: "\x01" separates turns of the dialogue */
    const char *codes; /* of all turns together */
    const char *taken;
} scripts[] = {
    { "a message", YB_SMTP_MX, false, false,
      HELLO "\x01" ENVELOPE "DATA\r\n\x01Subject: x\r\n\r\n..dot\r\n.\r\n\x01QUIT\r\n",
      "220 250 250 250 354 250 221", "a@c.test|b@ours.test|Subject: x\r\n\r\n.dot\r\n;" },
    { "two messages on one connection", YB_SMTP_MX, false, false,
      HELLO "\x01" ENVELOPE "DATA\r\n\x01x\r\n.\r\n\x01" ENVELOPE "DATA\r\n\x01y\r\n.\r\n",
      "220 250 250 250 354 250 250 250 354 250",
      "a@c.test|b@ours.test|x\r\n;a@c.test|b@ours.test|y\r\n;" },
    { "chunks, all in one write", YB_SMTP_MX, false, false,
      HELLO "\x01" ENVELOPE "BDAT 4\r\nab\r\nBDAT 3 LAST\r\nc\r\nQUIT\r\n",
      "220 250 250 250 250 250 221", "a@c.test|b@ours.test|ab\r\nc\r\n;" },
    { "a CRLF across two chunks is one", YB_SMTP_MX, false, false,
      HELLO "\x01" ENVELOPE "BDAT 3\r\nab\rBDAT 4 LAST\r\n\nc\r\n", "220 250 250 250 250 250",
      "a@c.test|b@ours.test|ab\r\nc\r\n;" },
    { "an empty last chunk", YB_SMTP_MX, false, false,
      HELLO "\x01" ENVELOPE "BDAT 3\r\na\r\nBDAT 0 LAST\r\n", "220 250 250 250 250 250",
      "a@c.test|b@ours.test|a\r\n;" },
    { "chunks without a recipient are swallowed", YB_SMTP_MX, false, false,
      HELLO "\x01MAIL FROM:<a@c.test>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "220 250 250 503 250",
      "" },
    { "chunks before hello are swallowed", YB_SMTP_MX, false, false, "BDAT 6\r\nQUIT\r\nNOOP\r\n",
      "220 503 250", "" },
    { "a chunk without a size ends it", YB_SMTP_MX, false, false,
      HELLO "\x01" ENVELOPE "BDAT x\r\nNOOP\r\n", "220 250 250 250 501", "" },
    { "nor with nothing at all", YB_SMTP_MX, false, false, HELLO "\x01" ENVELOPE "BDAT\r\nNOOP\r\n",
      "220 250 250 250 501", "" },
    { "DATA after a chunk", YB_SMTP_MX, false, false,
      HELLO "\x01" ENVELOPE "BDAT 3\r\na\r\n\x01"
            "DATA\r\n\x01RSET\r\n",
      "220 250 250 250 250 503 250", "" },
    { "bare LF in DATA: refused at its true end", YB_SMTP_MX, false, false,
      HELLO "\x01" ENVELOPE "DATA\r\n\x01x\n.\nMAIL FROM:<evil@c.test>\r\n.\r\n\x01NOOP\r\n",
      "220 250 250 250 354 550 250", "" },
    { "CR dot CR in DATA", YB_SMTP_MX, false, false,
      HELLO "\x01" ENVELOPE "DATA\r\n\x01x\r.\rMAIL FROM:<evil@c.test>\r\n.\r\n\x01NOOP\r\n",
      "220 250 250 250 354 550 250", "" },
    { "LF dot CRLF in DATA", YB_SMTP_MX, false, false,
      HELLO "\x01" ENVELOPE "DATA\r\n\x01x\n.\r\nMAIL FROM:<evil@c.test>\r\n.\r\n\x01NOOP\r\n",
      "220 250 250 250 354 550 250", "" },
    { "CRLF dot LF in DATA", YB_SMTP_MX, false, false,
      HELLO "\x01" ENVELOPE "DATA\r\n\x01x\r\n.\nMAIL FROM:<evil@c.test>\r\n.\r\n\x01NOOP\r\n",
      "220 250 250 250 354 550 250", "" },
    { "bare LF in a chunk", YB_SMTP_MX, false, false,
      HELLO "\x01" ENVELOPE "BDAT 4 LAST\r\na\n\r\nNOOP\r\n", "220 250 250 250 550 250", "" },
    { "bare CR at the end of the last chunk", YB_SMTP_MX, false, false,
      HELLO "\x01" ENVELOPE "BDAT 2 LAST\r\na\rNOOP\r\n", "220 250 250 250 550 250", "" },
    { "bare CR across chunks", YB_SMTP_MX, false, false,
      HELLO "\x01" ENVELOPE "BDAT 2\r\na\rBDAT 3 LAST\r\nb\r\nNOOP\r\n",
      "220 250 250 250 250 550 250", "" },
    { "order", YB_SMTP_MX, false, false,
      "MAIL FROM:<a@c.test>\r\nRCPT TO:<b@ours.test>\r\nDATA\r\n\x01" HELLO
      "\x01RCPT TO:<b@ours.test>\r\nDATA\r\n\x01MAIL FROM:<a@c.test>\r\nMAIL FROM:<a@c.test>\r\n"
      "DATA\r\n",
      "220 503 503 503 250 503 503 250 503 503", "" },
    { "arguments", YB_SMTP_MX, false, false,
      HELLO
      "\x01NOOP x\r\nRSET x\r\nQUIT x\r\nMAIL\r\nEHLO\r\n\x01VRFY x\r\nEXPN x\r\nHELP\r\nFOO\r\n",
      "220 250 250 501 501 501 501 252 502 214 500", "" },
    { "what needs no hello", YB_SMTP_MX, false, false,
      "RSET\r\nNOOP\r\nVRFY x\r\nEXPN x\r\nHELP\r\nMAIL FROM:<a@c.test>\r\n",
      "220 250 250 252 502 214 503", "" },
    { "lines that are none", YB_SMTP_MX, false, false, HELLO "\x01NOOP\nNOOP\rX\r\nNOOP\r\n",
      "220 250 500 500 250", "" },
    { "no AUTH, no LHLO on port 25", YB_SMTP_MX, false, true, "LHLO x\r\nAUTH PLAIN ok\r\n",
      "220 500 500", "" },
    { "refused recipients", YB_SMTP_MX, false, false,
      HELLO "\x01MAIL FROM:<a@c.test>\r\nRCPT TO:<no@ours.test>\r\nRCPT TO:<later@ours.test>\r\n"
            "RCPT TO:<full@ours.test>\r\nDATA\r\n\x01RSET\r\n",
      "220 250 250 550 451 452 503 250", "" },
    { "a refused message does not stop the next", YB_SMTP_MX, false, false,
      HELLO "\x01MAIL FROM:<refuse@c.test>\r\nRCPT "
            "TO:<b@ours.test>\r\nDATA\r\n\x01x\r\n.\r\n\x01" ENVELOPE "DATA\r\n\x01y\r\n.\r\n",
      "220 250 250 250 354 550 250 250 354 250", "a@c.test|b@ours.test|y\r\n;" },
    { "STARTTLS forgets", YB_SMTP_MX, true, false,
      HELLO "\x01STARTTLS\r\n\x01MAIL FROM:<a@c.test>\r\n\x01" HELLO
            "\x01STARTTLS\r\n\x01" ENVELOPE,
      "220 250 220 503 250 503 250 250", "" },
    { "no STARTTLS without a certificate", YB_SMTP_MX, false, false, HELLO "\x01STARTTLS\r\n",
      "220 250 502", "" },
    { "too big by its own words", YB_SMTP_MX, false, false,
      HELLO "\x01MAIL FROM:<a@c.test> SIZE=1048577\r\nMAIL FROM:<a@c.test> SIZE=1048576\r\n",
      "220 250 552 250", "" },
    { "submission needs TLS, then a login", YB_SMTP_SUBMISSION, true, false,
      HELLO "\x01MAIL FROM:<a@c.test>\r\nAUTH PLAIN ok\r\n\x01STARTTLS\r\n\x01" HELLO
            "\x01MAIL FROM:<a@c.test>\r\n\x01"
            "AUTH PLAIN no\r\n\x01"
            "AUTH PLAIN ok\r\n\x01" ENVELOPE "DATA\r\n\x01x\r\n.\r\n",
      "220 250 530 530 220 250 530 535 235 250 250 354 250", "a@c.test|b@ours.test|x\r\n;" },
    { "AUTH in steps", YB_SMTP_SUBMISSION, true, true,
      HELLO "\x01"
            "AUTH LOGIN\r\n\x01*\r\n\x01"
            "AUTH CRAM-MD5\r\n\x01"
            "AUTH LOGIN\r\n\x01"
            "busy\r\n\x01"
            "AUTH LOGIN\r\n\x01ok\r\n\x01"
            "AUTH LOGIN\r\n",
      "220 250 334 501 504 334 454 334 235 503", "" },
    { "unqualified addresses are completed on submission", YB_SMTP_SUBMISSION, true, true,
      HELLO "\x01"
            "AUTH PLAIN ok\r\n\x01MAIL FROM:<me>\r\nRCPT TO:<you>\r\nDATA\r\n\x01x\r\n.\r\n",
      "220 250 235 250 250 354 250", "me@ours.test|you@ours.test|x\r\n;" },
    { "and nowhere else", YB_SMTP_MX, false, false,
      HELLO "\x01MAIL FROM:<me>\r\nMAIL FROM:<a@c.test>\r\nRCPT TO:<you>\r\n",
      "220 250 501 250 501", "" },
    { "LMTP answers for each recipient", YB_SMTP_LMTP, false, false,
      "LHLO c\r\n\x01MAIL FROM:<a@c.test>\r\nRCPT TO:<b@ours.test>\r\nRCPT TO:<no@ours.test>\r\n"
      "RCPT TO:<lost@ours.test>\r\nRCPT TO:<d@ours.test>\r\nBDAT 3 LAST\r\nx\r\nNOOP\r\n",
      "220 250 250 250 550 250 250 250 450 250 250",
      "a@c.test|b@ours.test,lost@ours.test,d@ours.test|x\r\n;" },
    { "LMTP refuses for each recipient", YB_SMTP_LMTP, false, false,
      "LHLO c\r\n\x01MAIL FROM:<a@c.test>\r\nRCPT TO:<b@ours.test>\r\nRCPT TO:<d@ours.test>\r\n"
      "BDAT 2 LAST\r\nx\nNOOP\r\n",
      "220 250 250 250 250 550 550 250", "" },
    { "LMTP has its own hello", YB_SMTP_LMTP, false, false, "EHLO c\r\nHELO c\r\n", "220 500 500",
      "" },
};

/* Turns are fed one after the other: what may not be pipelined waits for its answer. */
static void
run_script(const struct script *sc, size_t piece)
{
    const struct rig_spec spec = { .dialect = sc->dialect,
                                   .can_tls = sc->can_tls,
                                   .is_tls = sc->is_tls };
    struct yb_str left = yb_str_from(sc->say), turn;
    char codes[400], text[2000], all[800] = "";
    size_t n = 0;
    struct rig r;

    rig_open(&r, &spec);
    while (yb_str_split(&left, '\x01', &turn)) {
        ck_assert(yb_str_copy(turn, text, sizeof(text)));
        rig_say(&r, text, piece, codes, sizeof(codes));
        if (codes[0] != '\0')
            n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", n > 0 ? " " : "", codes);
    }
    ck_assert_msg(strcmp(all, sc->codes) == 0, "%s (piece %zu): got %s, want %s", sc->name, piece,
                  all, sc->codes);
    ck_assert_msg(yb_str_eq(rig_taken(&r), yb_str_from(sc->taken)),
                  "%s (piece %zu): took %.*s, want %s", sc->name, piece, YB_STR_ARG(rig_taken(&r)),
                  sc->taken);
    rig_close(&r);
}

START_TEST(test_script)
{
    run_script(&scripts[_i], 0);
    run_script(&scripts[_i], 1);
    run_script(&scripts[_i], 3);
}
END_TEST

/* Who speaks before the greeting hears it, and why its first line is nothing; then all is well. In TLS
 * the client speaks first. */
static const struct {
    enum yb_smtp_dialect dialect;
    bool is_tls;
    const char *say, *codes, *again, *codes_again;
} early[] = {
    { YB_SMTP_MX, false, HELLO, "220 503", HELLO, "250" },
    { YB_SMTP_MX, false, HELLO, "220 503", "HELO c.test\r\n", "250" },
    { YB_SMTP_MX, false, HELLO ENVELOPE "DATA\r\n", "220 503 503 503 503", HELLO, "250" },
    { YB_SMTP_MX, false, "GET / HTTP/1.1\r\n", "220 503", "\r\n", "500" },
    { YB_SMTP_MX, false, "NOOP\nNOOP\r\n", "220 503 250", HELLO, "250" },
    { YB_SMTP_MX, false, "BDAT 6\r\nQUIT\r\nNOOP\r\n", "220 503 250", HELLO, "250" },
    { YB_SMTP_MX, true, HELLO, "220 250", "NOOP\r\n", "250" },
    { YB_SMTP_SUBMISSION, false, HELLO, "220 503", HELLO, "250" },
    { YB_SMTP_SUBMISSION, true, HELLO, "220 250", "NOOP\r\n", "250" },
    { YB_SMTP_LMTP, false, "LHLO c.test\r\n", "220 503", "LHLO c.test\r\n", "250" },
};

START_TEST(test_early)
{
    struct rig r;
    char codes[400];

    rig_open(&r, &(struct rig_spec){ .dialect = early[_i].dialect,
                                     .can_tls = true,
                                     .is_tls = early[_i].is_tls,
                                     .early = true });
    ck_assert_str_eq(rig_say(&r, early[_i].say, 0, codes, sizeof(codes)), early[_i].codes);
    ck_assert_str_eq(rig_say(&r, early[_i].again, 0, codes, sizeof(codes)), early[_i].codes_again);
    ck_assert_uint_eq(rig_taken(&r).n, 0);
    ck_assert(!fake_is_closed(r.conn));
    rig_close(&r);
}
END_TEST

/* Nothing may come behind these: the connection ends, and what came is no command. */
START_TEST(test_pipelined)
{
    static const char *const behind[] = {
        HELLO "NOOP\r\n",
        HELLO "\x01" ENVELOPE "DATA\r\nQUIT\r\n",
    };
    struct yb_str left = yb_str_from(behind[_i]), turn;
    char codes[400], text[500];
    struct rig r;

    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX });
    while (yb_str_split(&left, '\x01', &turn)) {
        ck_assert(yb_str_copy(turn, text, sizeof(text)));
        rig_say(&r, text, 0, codes, sizeof(codes));
    }
    ck_assert_msg(strcmp(codes + strlen(codes) - 3, "503") == 0, "%s", codes);
    ck_assert(fake_is_closed(r.conn));
    rig_close(&r);
}
END_TEST

/* What came with STARTTLS in plain text is nothing (CVE-2011-0411). */
START_TEST(test_injection)
{
    char codes[400];
    struct rig r;

    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX, .can_tls = true });
    rig_say(&r, HELLO, 0, codes, sizeof(codes));
    rig_say(&r, "STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<evil@c.test>\r\n", 0, codes,
            sizeof(codes));
    ck_assert_str_eq(codes, "220");
    rig_say(&r, "RCPT TO:<b@ours.test>\r\n", 0, codes, sizeof(codes));
    ck_assert_str_eq(codes, "503");
    rig_close(&r);
}
END_TEST

static bool
has_line(struct yb_str out, const char *what)
{
    return yb_str_find_str(out, yb_str_from(what)) < out.n;
}

START_TEST(test_ehlo)
{
    struct rig r;
    char codes[100];

    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX, .can_tls = true });
    fake_clear(r.conn);
    fake_feed(r.conn, YB_STR(HELLO), 0);
    ck_assert(has_line(fake_output(r.conn), "250-PIPELINING\r\n"));
    ck_assert(has_line(fake_output(r.conn), "250-SIZE 1048576\r\n"));
    ck_assert(has_line(fake_output(r.conn), "250-8BITMIME\r\n"));
    ck_assert(has_line(fake_output(r.conn), "250-ENHANCEDSTATUSCODES\r\n"));
    ck_assert(has_line(fake_output(r.conn), "250-CHUNKING\r\n"));
    ck_assert(has_line(fake_output(r.conn), "250-STARTTLS\r\n"));
    ck_assert(has_line(fake_output(r.conn), "250 SMTPUTF8\r\n"));
    ck_assert(!has_line(fake_output(r.conn), "AUTH"));
    ck_assert(!has_line(fake_output(r.conn), "XYUBIN"));
    rig_say(&r, "STARTTLS\r\n", 0, codes, sizeof(codes));
    fake_feed(r.conn, YB_STR(HELLO), 0);
    ck_assert(!has_line(fake_output(r.conn), "STARTTLS"));
    rig_close(&r);
    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_SUBMISSION, .can_tls = true });
    fake_feed(r.conn, YB_STR(HELLO), 0);
    ck_assert(!has_line(fake_output(r.conn), "AUTH"));
    rig_say(&r, "STARTTLS\r\n", 0, codes, sizeof(codes));
    fake_feed(r.conn, YB_STR(HELLO), 0);
    ck_assert(has_line(fake_output(r.conn), "250-AUTH PLAIN LOGIN\r\n"));
    rig_close(&r);
}
END_TEST

START_TEST(test_limits)
{
    struct rig r;
    char codes[1200], text[200];

    /* Recipients: those over the limit hear 452, those before it stay. */
    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX, .max_rcpt = 2 });
    rig_say(&r, HELLO, 0, codes, sizeof(codes));
    rig_say(&r, ENVELOPE "RCPT TO:<c@ours.test>\r\nRCPT TO:<d@ours.test>\r\nDATA\r\n", 0, codes,
            sizeof(codes));
    ck_assert_str_eq(codes, "250 250 250 452 354");
    rig_say(&r, "x\r\n.\r\n", 0, codes, sizeof(codes));
    ck_assert_str_eq(codes, "250");
    ck_assert(yb_str_eq(rig_taken(&r), YB_STR("a@c.test|b@ours.test,c@ours.test|x\r\n;")));
    rig_close(&r);
    /* Mistakes. */
    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX, .max_errors = 3 });
    rig_say(&r, "A\r\nB\r\nC\r\nNOOP\r\n", 0, codes, sizeof(codes));
    ck_assert_str_eq(codes, "220 500 500 500 421");
    ck_assert(fake_is_closed(r.conn));
    rig_close(&r);
    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX, .max_errors = 3 });
    rig_say(&r, HELLO, 0, codes, sizeof(codes));
    rig_say(&r, "MAIL x\r\nMAIL FROM:<a@c.test> SIZE=x\r\nDATA\r\n", 0, codes, sizeof(codes));
    ck_assert_str_eq(codes, "501 501 503 421");
    ck_assert(fake_is_closed(r.conn));
    rig_close(&r);
    /* Refused recipients are no mistakes of the protocol: a list owner may have many. */
    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX, .max_errors = 3 });
    rig_say(&r, HELLO "", 0, codes, sizeof(codes));
    rig_say(&r, "MAIL FROM:<a@c.test>\r\n", 0, codes, sizeof(codes));
    for (int i = 0; i < 50; i++) {
        snprintf(text, sizeof(text), "RCPT TO:<no%d@ours.test>\r\n", i);
        rig_say(&r, text, 0, codes, sizeof(codes));
        ck_assert_str_eq(codes, "550");
    }
    rig_close(&r);
    /* Commands that further nothing. */
    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX, .max_idle = 4 });
    rig_say(&r, "NOOP\r\nNOOP\r\nRSET\r\nNOOP\r\nNOOP\r\n", 0, codes, sizeof(codes));
    ck_assert_str_eq(codes, "220 250 250 250 250 421");
    rig_close(&r);
}
END_TEST

/* A message over the limit: all of it is taken off the wire, and the dialogue goes on. */
START_TEST(test_too_big)
{
    static const char data[] = "0123456789\r\n0123456789\r\n0123456789\r\n.\r\n";
    struct rig r;
    char codes[400];

    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX, .max_message = 30 });
    rig_say(&r, HELLO, 0, codes, sizeof(codes));
    rig_say(&r, ENVELOPE "DATA\r\n", 0, codes, sizeof(codes));
    rig_say(&r, data, 5, codes, sizeof(codes));
    ck_assert_str_eq(codes, "552");
    rig_say(&r,
            ENVELOPE "BDAT 20\r\n0123456789\r\n01234567BDAT 20\r\n0123456789\r\n01234567"
                     "BDAT 0 LAST\r\nNOOP\r\n",
            0, codes, sizeof(codes));
    ck_assert_str_eq(codes, "250 250 250 552 503 250");
    ck_assert(rig_taken(&r).n == 0);
    rig_close(&r);
}
END_TEST

START_TEST(test_nul_and_long_lines)
{
    static const char nul[] = "a\0b\r\n.\r\n";
    char codes[400];
    struct rig r;
    struct yb_buf *big = yb_buf_new(1 << 20);

    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX });
    rig_say(&r, HELLO, 0, codes, sizeof(codes));
    rig_say(&r, ENVELOPE "DATA\r\n", 0, codes, sizeof(codes));
    fake_feed(r.conn, yb_str(nul, sizeof(nul) - 1), 0);
    rig_say(&r, "", 0, codes, sizeof(codes));
    ck_assert_str_eq(codes, "550");
    /* A text line over 998 octets is stored as it came: it harms nobody, refusing it loses mail. */
    rig_say(&r, ENVELOPE "DATA\r\n", 0, codes, sizeof(codes));
    for (int i = 0; i < 5000; i++)
        yb_buf_add_c(big, 'x');
    yb_buf_add(big, YB_STR("\r\n"));
    fake_feed(r.conn, yb_buf_view(big), 700);
    rig_say(&r, ".\r\n", 0, codes, sizeof(codes));
    ck_assert_str_eq(codes, "250");
    ck_assert(yb_str_find_str(rig_taken(&r), yb_buf_view(big)) < rig_taken(&r).n);
    /* A command line is another thing. */
    yb_buf_clear(big);
    for (int i = 0; i < 3000; i++)
        yb_buf_add_c(big, 'x');
    yb_buf_add(big, YB_STR("\r\nNOOP\r\n"));
    fake_feed(r.conn, yb_buf_view(big), 1);
    rig_say(&r, "", 0, codes, sizeof(codes));
    ck_assert_str_eq(codes, "500 250");
    rig_close(&r);
    yb_buf_free(&big);
}
END_TEST

/* Through the file: the same octets, whatever lies in memory. */
START_TEST(test_spooled)
{
    struct yb_buf *big = yb_buf_new(1 << 20);
    char codes[400];
    struct rig r;

    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX, .memory_each = 10000 });
    rig_say(&r, HELLO, 0, codes, sizeof(codes));
    rig_say(&r, ENVELOPE "DATA\r\n", 0, codes, sizeof(codes));
    for (int i = 0; i < 4000; i++)
        yb_buf_printf(big, "line %d\r\n", i);
    fake_feed(r.conn, yb_buf_view(big), 777);
    ck_assert(yb_msgbuf_pool_disk(r.pool) > 0 && yb_msgbuf_pool_memory(r.pool) == 0);
    rig_say(&r, ".\r\n", 0, codes, sizeof(codes));
    ck_assert_str_eq(codes, "250");
    ck_assert(yb_str_find_str(rig_taken(&r), yb_buf_view(big)) < rig_taken(&r).n);
    rig_close(&r);
    yb_buf_free(&big);
}
END_TEST

START_TEST(test_loops)
{
    struct yb_buf *m = yb_buf_new(1 << 20);
    char codes[400];
    struct rig r;

    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX });
    rig_say(&r, HELLO, 0, codes, sizeof(codes));
    for (int hops = 100; hops <= 101; hops++) {
        rig_say(&r, ENVELOPE "DATA\r\n", 0, codes, sizeof(codes));
        for (int i = 0; i < hops; i++)
            fake_feed(r.conn, YB_STR("received: by x\r\n\tReceived: folded\r\n"), 0);
        rig_say(&r, "\r\nReceived: in the body\r\n.\r\n", 0, codes, sizeof(codes));
        ck_assert_str_eq(codes, hops == 100 ? "250" : "554");
    }
    rig_say(&r, ENVELOPE "DATA\r\n", 0, codes, sizeof(codes));
    rig_say(&r, "Delivered-To: b@ours.test\r\n\r\n.\r\n", 0, codes, sizeof(codes));
    ck_assert_msg(strcmp(codes, "250") == 0, "who resends what he got has his Delivered-To in it");
    rig_close(&r);
    yb_buf_free(&m);
}
END_TEST

/* Woken without a reason, a session goes on; with one it hears it, wherever it stands, and a message
 * under way is not taken. */
START_TEST(test_ended)
{
    static const char *const at[] = { "", "NOOP\r\n", ENVELOPE, ENVELOPE "DATA\r\n" };
    char codes[400];
    struct rig r;

    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX });
    rig_say(&r, _i > 0 ? HELLO : "", 0, codes, sizeof(codes));
    rig_say(&r, at[_i], 0, codes, sizeof(codes));
    rig_say(&r, _i == 3 ? "half a message\r\n" : "", 0, codes, sizeof(codes));
    fake_wake(r.conn);
    ck_assert(!fake_is_closed(r.conn));
    r.ended = "the administrator ended this session";
    fake_wake(r.conn);
    ck_assert(yb_str_starts(fake_output(r.conn), YB_STR("421 4.7.0 ")));
    ck_assert(fake_is_closed(r.conn) && r.messages == 0);
    rig_close(&r);
}
END_TEST

/* A message has a deadline from its first octet to its last, chunks that are thrown away too; and
 * nothing else has one: a session may be as long as it likes. */
START_TEST(test_deadline)
{
    static const struct {
        const char *begin, *end;
    } cases[] = {
        { ENVELOPE "DATA\r\n", "x\r\n.\r\n" },
        { ENVELOPE "BDAT 4\r\nx", "\r\n\r\nBDAT 0 LAST\r\n" },
        { ENVELOPE "BDAT 4\r\nx\r\n.", "RSET\r\n" },
        { ENVELOPE "BDAT 4\r\nx\r\n.", HELLO },
        { ENVELOPE "BDAT 9999999\r\nx", NULL },
        { "MAIL FROM:<a@c.test>\r\nBDAT 4\r\nx", "\r\n." },
        { "BDAT 4 LAST\r\nx", "\r\n." },
    };
    char codes[400];

    for (size_t i = 0; i < YB_COUNT(cases); i++) {
        struct rig r;

        rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX });
        rig_say(&r, HELLO, 0, codes, sizeof(codes));
        ck_assert_int_eq(fake_deadline(r.conn), 0);
        rig_say(&r, cases[i].begin, 0, codes, sizeof(codes));
        ck_assert_msg(fake_deadline(r.conn) == 7200000, "none in case %zu", i);
        if (cases[i].end != NULL) {
            rig_say(&r, cases[i].end, 0, codes, sizeof(codes));
            ck_assert_msg(fake_deadline(r.conn) == 0, "left by case %zu", i);
        }
        rig_close(&r);
    }
}
END_TEST

START_TEST(test_ends)
{
    char codes[400];
    struct rig r;

    /* In the middle of a message, and by time. */
    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX });
    rig_say(&r, HELLO, 0, codes, sizeof(codes));
    rig_say(&r, ENVELOPE "DATA\r\n", 0, codes, sizeof(codes));
    rig_say(&r, "half a mess", 0, codes, sizeof(codes));
    fake_time_out(r.conn);
    rig_say(&r, "", 0, codes, sizeof(codes));
    ck_assert_str_eq(codes, "421");
    rig_close(&r);
    /* Shut-down: who is in a transaction may end it, the next one hears 421. */
    rig_open(&r, &(struct rig_spec){ .dialect = YB_SMTP_MX });
    rig_say(&r, HELLO, 0, codes, sizeof(codes));
    rig_say(&r, ENVELOPE "DATA\r\n", 0, codes, sizeof(codes));
    yb_smtp_server_drain(r.server);
    rig_say(&r, "x\r\n.\r\n", 0, codes, sizeof(codes));
    ck_assert_str_eq(codes, "250");
    rig_say(&r, ENVELOPE, 0, codes, sizeof(codes));
    ck_assert_str_eq(codes, "421");
    rig_close(&r);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("smtp/server");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    yb_log_init("test", YB_LOG_ERROR);
    tcase_add_loop_test(tc, test_script, 0, YB_COUNT(scripts));
    tcase_add_loop_test(tc, test_early, 0, YB_COUNT(early));
    tcase_add_loop_test(tc, test_pipelined, 0, 2);
    tcase_add_test(tc, test_injection);
    tcase_add_test(tc, test_ehlo);
    tcase_add_test(tc, test_limits);
    tcase_add_test(tc, test_too_big);
    tcase_add_test(tc, test_nul_and_long_lines);
    tcase_add_test(tc, test_spooled);
    tcase_add_test(tc, test_loops);
    tcase_add_loop_test(tc, test_ended, 0, 4);
    tcase_add_test(tc, test_deadline);
    tcase_add_test(tc, test_ends);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
