/* Command arguments, reply lines and the LMTP parameters. */
#include "lib/smtp/params.h"
#include "lib/smtp/reply.h"

#include <check.h>
#include <stdlib.h>

static const struct {
    const char *arg;
    unsigned allow;
    const char *status; /* NULL: accepted */
    const char *text;
    uint64_t size;
    bool body_8bit, utf8;
} mails[] = {
    { "FROM:<a@b.test>", 0, NULL, "a@b.test", 0, false, false },
    { "from:<>", 0, NULL, "", 0, false, false },
    { "FROM: <a@b.test>", 0, NULL, "a@b.test", 0, false, false },
    { "FROM:<a@b.test> SIZE=12 BODY=8BITMIME SMTPUTF8", 0, NULL, "a@b.test", 12, true, true },
    { "FROM:<a@b.test>  size=12  body=7bit ", 0, NULL, "a@b.test", 12, false, false },
    { "FROM:<a@b.test> SIZE=99999999999999999999", 0, NULL, "a@b.test", UINT64_MAX, false, false },
    { "FROM:<\xc3\xa4@b.test> SMTPUTF8", 0, NULL, "\xc3\xa4@b.test", 0, false, true },
    { "FROM:<\xc3\xa4@b.test>", 0, "5.6.7", NULL, 0, false, false },
    { "FROM:<@r.test:a@b.test>", 0, NULL, "a@b.test", 0, false, false },
    { "FROM:<\"a b>\"@b.test>", 0, NULL, "\"a b>\"@b.test", 0, false, false },
    { "FROM:<a@b.test> (x)", 0, "5.5.4", NULL, 0, false, false },
    { "FROM:<a@b.test>x", 0, "5.1.7", NULL, 0, false, false },
    { "FROM:a@b.test", 0, "5.1.7", NULL, 0, false, false },
    { "FROM <a@b.test>", 0, "5.5.4", NULL, 0, false, false },
    { "TO:<a@b.test>", 0, "5.5.4", NULL, 0, false, false },
    { "FROM:Name <a@b.test>", 0, "5.1.7", NULL, 0, false, false },
    { "FROM:<a@b.test> SIZE", 0, "5.5.4", NULL, 0, false, false },
    { "FROM:<a@b.test> SIZE=", 0, "5.5.4", NULL, 0, false, false },
    { "FROM:<a@b.test> SIZE=-1", 0, "5.5.4", NULL, 0, false, false },
    { "FROM:<a@b.test> SIZE=1 SIZE=1", 0, "5.5.4", NULL, 0, false, false },
    { "FROM:<a@b.test> BODY=BINARYMIME", 0, "5.5.4", NULL, 0, false, false },
    { "FROM:<a@b.test> BODY=7BIT BODY=7BIT", 0, "5.5.4", NULL, 0, false, false },
    { "FROM:<a@b.test> SMTPUTF8=1", 0, "5.3.3", NULL, 0, false, false },
    { "FROM:<a@b.test> RET=FULL", 0, "5.3.3", NULL, 0, false, false },
    { "FROM:<a@b.test> XORIGIN=auth", 0, "5.3.3", NULL, 0, false, false },
    { "FROM:<a@b.test> XORIGIN=auth RET=HDRS", YB_PARAMS_LMTP, NULL, "a@b.test", 0, false, false },
    { "FROM:<a@b.test> AUTH=<>", 0, "5.3.3", NULL, 0, false, false },
    { "FROM:<a@b.test> AUTH=<>", YB_PARAMS_AUTH, NULL, "a@b.test", 0, false, false },
    { "FROM:<a@b.test> AUTH=a+40b", YB_PARAMS_AUTH, NULL, "a@b.test", 0, false, false },
    { "FROM:<a@b.test> X=a=b", 0, "5.5.4", NULL, 0, false, false },
    { "FROM:<a@b.test> -X", 0, "5.5.4", NULL, 0, false, false },
};

START_TEST(test_mail)
{
    struct yb_arena *a = yb_arena_new(2048);
    struct yb_smtp_mail_args out;
    struct yb_err err = { 0 };
    int rc = yb_smtp_mail_parse(yb_str_from(mails[_i].arg), mails[_i].allow, a, &out, &err);

    ck_assert_msg((rc == 0) == (mails[_i].status == NULL), "%s: %s", mails[_i].arg, err.text);
    if (rc < 0) {
        ck_assert_msg(strcmp(err.status, mails[_i].status) == 0, "%s: %s", mails[_i].arg,
                      err.status);
        ck_assert(err.class == YB_PERM);
    } else {
        ck_assert_msg(yb_str_eq(out.text, yb_str_from(mails[_i].text)), "%s: %.*s", mails[_i].arg,
                      YB_STR_ARG(out.text));
        ck_assert(out.size == mails[_i].size && out.utf8 == mails[_i].utf8);
        ck_assert(out.body_8bit == mails[_i].body_8bit);
    }
    yb_arena_free(&a);
}
END_TEST

static const struct {
    const char *arg;
    unsigned allow;
    const char *status, *text;
} rcpts[] = {
    { "TO:<a@b.test>", 0, NULL, "a@b.test" },
    { "TO:<postmaster>", 0, NULL, "postmaster" },
    { "TO:<a@b.test.>", 0, NULL, "a@b.test" },
    { "TO:<@x.test:a@b.test.>", 0, NULL, "a@b.test" },
    { "TO:<a.@b.test>", 0, "5.1.3", NULL },
    { "TO:<a@b_c.test>", YB_PARAMS_ODD_SENDER, "5.1.3", NULL },
    { "TO:<a.@b.test.>", YB_PARAMS_ODD_RCPT, NULL, "a.@b.test" },
    { "TO:<a@b_c.test>", YB_PARAMS_ODD_RCPT, NULL, "a@b_c.test" },
    { "TO:<>", 0, "5.1.3", NULL },
    { "TO:<a>", 0, "5.1.3", NULL },
    { "TO:<a@b.test> NOTIFY=NEVER", 0, "5.3.3", NULL },
    { "TO:<a@b.test> NOTIFY=NEVER", YB_PARAMS_LMTP, NULL, "a@b.test" },
    { "TO:<a@b.test> NOTIFY=NEVER,SUCCESS", YB_PARAMS_LMTP, "5.5.4", NULL },
    { "TO:<a@b.test> XACCEPTED=1", YB_PARAMS_LMTP, "5.5.4", NULL },
    { "TO:<a@b.test> XACCEPTED XACCEPTED", YB_PARAMS_LMTP, "5.5.4", NULL },
    { "TO:<a@b.test> XDELIVERY=00", YB_PARAMS_LMTP, "5.5.4", NULL },
    { "TO:<a@b.test> XOWNER=ffeeddccbbaa99887766554433221100", YB_PARAMS_LMTP, NULL, "a@b.test" },
    { "TO:<a@b.test> XOWNER=ffeeddccbbaa99887766554433221100", 0, "5.3.3", NULL },
    { "TO:<a@b.test> XOWNER=ffeeddccbbaa9988", YB_PARAMS_LMTP, "5.5.4", NULL },
    { "TO:<a@b.test> XOWNER=00000000000000000000000000000000", YB_PARAMS_LMTP, "5.5.4", NULL },
    { "TO:<a@b.test> XHOME=ffeeddccbbaa99887766554433221100", YB_PARAMS_LMTP, NULL, "a@b.test" },
    { "TO:<a@b.test> XHOME=ffeeddccbbaa99887766554433221100", 0, "5.3.3", NULL },
    { "TO:<a@b.test> XHOME=ffeeddccbbaa9988", YB_PARAMS_LMTP, "5.5.4", NULL },
    { "TO:<a@b.test> XHOME=00000000000000000000000000000000", YB_PARAMS_LMTP, "5.5.4", NULL },
    { "TO:<a@b.test> XHOME", YB_PARAMS_LMTP, "5.5.4", NULL },
    { "TO:<a@b.test> ORCPT=rfc822;a+40b.test", YB_PARAMS_LMTP, NULL, "a@b.test" },
    { "TO:<a@b.test> ORCPT=a", YB_PARAMS_LMTP, "5.5.4", NULL },
    { "TO:<a@b.test> ORCPT=rfc822;a+4", YB_PARAMS_LMTP, "5.5.4", NULL },
};

START_TEST(test_rcpt)
{
    struct yb_arena *a = yb_arena_new(2048);
    struct yb_smtp_rcpt_args out;
    struct yb_err err = { 0 };
    int rc = yb_smtp_rcpt_parse(yb_str_from(rcpts[_i].arg), rcpts[_i].allow, false, a, &out, &err);

    ck_assert_msg((rc == 0) == (rcpts[_i].status == NULL), "%s: %s", rcpts[_i].arg, err.text);
    if (rc < 0)
        ck_assert_msg(strcmp(err.status, rcpts[_i].status) == 0, "%s: %s", rcpts[_i].arg,
                      err.status);
    else
        ck_assert(yb_str_eq(out.text, yb_str_from(rcpts[_i].text)));
    yb_arena_free(&a);
}
END_TEST

static const struct {
    const char *arg, *want;
} completions[] = {
    { "FROM:<u>", "FROM:<u@d.test>" },
    { "FROM:<u> SIZE=1", "FROM:<u@d.test> SIZE=1" },
    { "FROM:<\"u>@\"> SIZE=1", "FROM:<\"u>@\"@d.test> SIZE=1" },
    { "FROM:<>", "FROM:<>" },
    { "FROM:<u@x>", "FROM:<u@x>" },
    { "TO:<PostMaster>", "TO:<PostMaster>" },
    { "FROM:<u", "FROM:<u" },
    { "FROM:u", "FROM:u" },
};

START_TEST(test_complete)
{
    struct yb_arena *a = yb_arena_new(2048);
    struct yb_str got =
        yb_smtp_path_complete(yb_str_from(completions[_i].arg), YB_STR("d.test"), a);

    ck_assert_msg(yb_str_eq(got, yb_str_from(completions[_i].want)), "%s: %.*s",
                  completions[_i].arg, YB_STR_ARG(got));
    got = yb_smtp_path_complete(yb_str_from(completions[_i].arg), YB_STR(""), a);
    ck_assert(yb_str_eq(got, yb_str_from(completions[_i].arg)));
    yb_arena_free(&a);
}
END_TEST

static const struct {
    const char *arg;
    bool ok, last;
    uint64_t n;
} chunks[] = {
    { "0", true, false, 0 },          { "12", true, false, 12 },
    { "12 last", true, true, 12 },    { "12  LAST", true, true, 12 },
    { "", false, false, 0 },          { "LAST", false, false, 0 },
    { "12 LAST x", false, false, 0 }, { "12 FIRST", false, false, 0 },
    { "-1", false, false, 0 },        { "99999999999999999999", false, false, 0 },
};

START_TEST(test_bdat)
{
    uint64_t n = 0;
    bool last = false, ok = yb_smtp_bdat_parse(yb_str_from(chunks[_i].arg), &n, &last);

    ck_assert_msg(ok == chunks[_i].ok, "%s", chunks[_i].arg);
    if (ok)
        ck_assert(n == chunks[_i].n && last == chunks[_i].last);
}
END_TEST

START_TEST(test_words)
{
    struct yb_str m, i;

    ck_assert(yb_smtp_auth_parse(YB_STR("PLAIN"), &m, &i) && i.p == NULL);
    ck_assert(yb_smtp_auth_parse(YB_STR("PLAIN ="), &m, &i) && yb_str_eq(i, YB_STR("=")));
    ck_assert(!yb_smtp_auth_parse(YB_STR("PLAIN a b"), &m, &i));
    ck_assert(!yb_smtp_auth_parse(YB_STR("PL/AIN"), &m, &i));
    ck_assert(!yb_smtp_auth_parse(YB_STR("A23456789012345678901"), &m, &i));
}
END_TEST

static const struct {
    const char *name, *ascii, *utf8;
} helos[] = {
    { "my_host.test", "my_host.test", "my_host.test" },
    { "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]" },
    { "john's-laptop", "john?s-laptop", "john?s-laptop" },
    { "DESKTOP 01", "DESKTOP?01", "DESKTOP?01" },
    { "x (evil) by y; z", "x??evil??by?y??z", "x??evil??by?y??z" },
    { "a\"b\\c<d>@e,f\tg\x01\x7f", "a?b?c?d??e?f?g??", "a?b?c?d??e?f?g??" },
    { "b\xc3\xbcro", "b??ro", "b\xc3\xbcro" },
    { "b\xfcro", "b?ro", "b?ro" },
    { "", "", "" },
};

START_TEST(test_helo)
{
    struct yb_arena *a = yb_arena_new(2048);
    struct yb_str in = yb_str_from(helos[_i].name), long_name;

    ck_assert(yb_str_eq(yb_smtp_helo_text(in, false, a), yb_str_from(helos[_i].ascii)));
    ck_assert(yb_str_eq(yb_smtp_helo_text(in, true, a), yb_str_from(helos[_i].utf8)));
    long_name = yb_arena_printf(a, "%0*d", YB_SMTP_HELO_MAX + 1, 0);
    ck_assert_uint_eq(yb_smtp_helo_text(long_name, false, a).n, YB_SMTP_HELO_MAX);
    yb_arena_free(&a);
}
END_TEST

/* --- LMTP parameters --- */

START_TEST(test_lmtp_round)
{
    struct yb_buf *b = yb_buf_new(4096);
    struct yb_lmtp_mail m = { .session = yb_session_id_new(),
                              .message = yb_message_id_new(),
                              .tenant = yb_tenant_id_new(),
                              .origin = YB_ORIGIN_PASS,
                              .whole = true,
                              .ask = true,
                              .ret_hdrs = true,
                              .envid = YB_STR("a+2Bb") };
    struct yb_lmtp_rcpt r = { .delivery = yb_delivery_id_new(),
                              .account = yb_account_id_new(),
                              .home = yb_store_id_new(),
                              .quota = 12345678901,
                              .junk = true,
                              .accepted = true,
                              .repeat = true,
                              .notify = YB_NOTIFY_SUCCESS | YB_NOTIFY_DELAY,
                              .orcpt = YB_STR("rfc822;a@b") };
    struct yb_lmtp_mail m2 = { 0 };
    struct yb_lmtp_rcpt r2 = { 0 };
    struct yb_str all, word;

    yb_lmtp_mail_write(&m, b);
    all = yb_buf_view(b);
    ck_assert(yb_str_split(&all, ' ', &word) && word.n == 0);
    while (yb_str_split(&all, ' ', &word)) {
        size_t eq = yb_str_find(word, '=');

        ck_assert(yb_lmtp_mail_read(&m2, yb_str_head(word, eq),
                                    eq < word.n ? yb_str_skip(word, eq + 1) : yb_str(NULL, 0)) ==
                  YB_PARAM_OK);
    }
    ck_assert(yb_session_id_eq(m.session, m2.session) && yb_message_id_eq(m.message, m2.message));
    ck_assert(yb_tenant_id_eq(m.tenant, m2.tenant) && m2.origin == YB_ORIGIN_PASS && m2.whole &&
              m2.ask && m2.ret_hdrs);
    ck_assert(yb_str_eq(m.envid, m2.envid) && !m2.ret_full);
    yb_buf_clear(b);
    yb_lmtp_rcpt_write(&r, b);
    all = yb_str_skip(yb_buf_view(b), 1);
    while (yb_str_split(&all, ' ', &word)) {
        size_t eq = yb_str_find(word, '=');

        ck_assert(yb_lmtp_rcpt_read(&r2, yb_str_head(word, eq),
                                    eq < word.n ? yb_str_skip(word, eq + 1) : yb_str(NULL, 0)) ==
                  YB_PARAM_OK);
    }
    ck_assert(yb_delivery_id_eq(r.delivery, r2.delivery) &&
              yb_account_id_eq(r.account, r2.account) && yb_store_id_eq(r.home, r2.home));
    ck_assert(r2.quota == r.quota && r2.junk && r2.accepted && r2.repeat);
    ck_assert(r2.notify == r.notify && yb_str_eq(r.orcpt, r2.orcpt));
    /* Nothing said, nothing written. */
    yb_buf_clear(b);
    yb_lmtp_mail_write(&(struct yb_lmtp_mail){ 0 }, b);
    yb_lmtp_rcpt_write(&(struct yb_lmtp_rcpt){ 0 }, b);
    ck_assert(yb_buf_size(b) == 0);
    yb_buf_free(&b);
}
END_TEST

/* --- replies --- */

static const struct {
    enum yb_err_class class;
    const char *status;
    int code;
    const char *told;
} mapped[] = {
    { YB_PERM, "5.1.1", 550, "5.1.1" }, { YB_PERM, "5.1.6", 550, "5.1.6" },
    { YB_TEMP, "4.2.2", 452, "4.2.2" }, { YB_PERM, "5.2.2", 552, "5.2.2" },
    { YB_PERM, "5.3.4", 552, "5.3.4" }, { YB_TEMP, "4.3.1", 452, "4.3.1" },
    { YB_TEMP, "4.5.3", 452, "4.5.3" }, { YB_TEMP, "4.7.1", 451, "4.7.1" },
    { YB_PERM, "5.7.1", 550, "5.7.1" }, { YB_PERM, "5.4.6", 554, "5.4.6" },
    { YB_PERM, "5.5.1", 503, "5.5.1" }, { YB_PERM, "5.6.7", 553, "5.6.7" },
    { YB_PERM, "5.3.3", 555, "5.3.3" }, { YB_TEMP, "4.3.0", 451, "4.3.0" },
    { YB_TEMP, "5.1.1", 450, "4.1.1" }, /* class before status */
    { YB_BUG, "5.5.1", 451, "4.5.1" },  { YB_PERM, "4.2.2", 552, "5.2.2" },
    { YB_PERM, "", 554, "5.3.0" },      { YB_TEMP, "nonsense", 451, "4.3.0" },
    { YB_TEMP, "4.2.1", 450, "4.2.1" }, { YB_TEMP, "4.3.2", 451, "4.3.2" },
    { YB_TEMP, "4.4.2", 451, "4.4.2" },
};

START_TEST(test_code)
{
    struct yb_err err = { .class = mapped[_i].class };
    char status[10];
    int code;

    ck_assert(yb_str_copy(yb_str_from(mapped[_i].status), err.status, sizeof(err.status)));
    code = yb_smtp_reply_code(&err, status);
    ck_assert_msg(code == mapped[_i].code && strcmp(status, mapped[_i].told) == 0, "%s: %d %s",
                  mapped[_i].status, code, status);
    code = yb_smtp_reply_auth_code(&err, status);
    ck_assert(code / 100 == status[0] - '0');
}
END_TEST

static const struct {
    const char *line;
    enum yb_smtp_reply_part part;
    int code;
    const char *status, *text;
} lines[] = {
    { "250 2.1.0 OK", YB_REPLY_LAST, 250, "2.1.0", "OK" },
    { "250-2.1.0 OK", YB_REPLY_MORE, 250, "2.1.0", "OK" },
    { "250", YB_REPLY_LAST, 250, "2.0.0", "" },
    { "550 no", YB_REPLY_LAST, 550, "5.0.0", "no" },
    { "550 4.1.1 mixed", YB_REPLY_LAST, 550, "5.0.0", "4.1.1 mixed" },
    { "550 5.1.1", YB_REPLY_LAST, 550, "5.1.1", "" },
    { "451 4.7.1 a\tb", YB_REPLY_LAST, 451, "4.7.1", "a?b" },
    { "25 x", YB_REPLY_BAD, 0, NULL, NULL },
    { "2500 x", YB_REPLY_BAD, 0, NULL, NULL },
    { "150 x", YB_REPLY_BAD, 0, NULL, NULL },
    { "600 x", YB_REPLY_BAD, 0, NULL, NULL },
    { "250+x", YB_REPLY_BAD, 0, NULL, NULL },
    { "", YB_REPLY_BAD, 0, NULL, NULL },
};

START_TEST(test_line)
{
    struct yb_smtp_reply r = { 0 };

    ck_assert_msg(yb_smtp_reply_line(yb_str_from(lines[_i].line), true, &r) == lines[_i].part, "%s",
                  lines[_i].line);
    if (lines[_i].part != YB_REPLY_BAD) {
        ck_assert_int_eq(r.code, lines[_i].code);
        ck_assert_str_eq(r.status, lines[_i].status);
        ck_assert_str_eq(r.text, lines[_i].text);
    }
    r.code = 251;
    ck_assert(yb_smtp_reply_line(YB_STR("250 x"), false, &r) == YB_REPLY_BAD);
}
END_TEST

static const struct {
    const char *line;
    enum yb_err_class class;
    enum yb_err_kind kind;
} refusals[] = {
    /* clang-format off */
    { "550 5.1.1 a",  YB_PERM, YB_ERR_NOT_FOUND },
    { "450 4.1.8 a",  YB_TEMP, YB_ERR_NOT_FOUND },
    { "550 5.2.1 a",  YB_PERM, YB_ERR_DISABLED },
    { "452 4.2.2 a",  YB_TEMP, YB_ERR_FULL },
    { "552 5.2.2 a",  YB_PERM, YB_ERR_FULL },
    { "552 5.2.3 a",  YB_PERM, YB_ERR_TOO_BIG },
    { "550 5.2.0 a",  YB_PERM, YB_ERR_CANNOT },
    { "550 5.2.22 a", YB_PERM, YB_ERR_CANNOT },
    { "552 5.3.4 a",  YB_PERM, YB_ERR_TOO_BIG },
    { "452 4.3.1 a",  YB_TEMP, YB_ERR_OTHER },
    { "501 5.5.4 a",  YB_PERM, YB_ERR_OTHER }, /* our mistake, not the client's */
    { "550 5.6.0 a",  YB_PERM, YB_ERR_CONTENT },
    { "550 5.7.13 a", YB_PERM, YB_ERR_OTHER },
    { "550 mailbox",  YB_PERM, YB_ERR_OTHER },
    { "250 2.2.2 a",  YB_TEMP, YB_ERR_OTHER }, /* no refusal at all */
    /* clang-format on */
};

/* A peer's reply becomes a kind where it is read. */
START_TEST(test_refusal)
{
    struct yb_smtp_reply r = { 0 };
    struct yb_err err = { 0 };

    ck_assert(yb_smtp_reply_line(yb_str_from(refusals[_i].line), true, &r) == YB_REPLY_LAST);
    ck_assert_int_eq(yb_smtp_reply_to_err(&r, &err), -1);
    ck_assert_msg(err.class == refusals[_i].class && err.kind == refusals[_i].kind,
                  "%s: class %d, kind %d", refusals[_i].line, (int)err.class, (int)err.kind);
}
END_TEST

START_TEST(test_format)
{
    char out[YB_SMTP_REPLY_LINE], text[900];
    size_t n = yb_smtp_reply_format(out, 250, false, "2.1.0", YB_STR("OK"));

    ck_assert(yb_str_eq(yb_str(out, n), YB_STR("250 2.1.0 OK\r\n")));
    n = yb_smtp_reply_format(out, 354, true, NULL, YB_STR(""));
    ck_assert(yb_str_eq(yb_str(out, n), YB_STR("354-\r\n")));
    memset(text, 'x', sizeof(text));
    n = yb_smtp_reply_format(out, 250, false, "2.1.0", yb_str(text, sizeof(text)));
    ck_assert(n == YB_SMTP_REPLY_LINE && out[n - 2] == '\r' && out[n - 1] == '\n');
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("smtp/params");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, test_mail, 0, YB_COUNT(mails));
    tcase_add_loop_test(tc, test_rcpt, 0, YB_COUNT(rcpts));
    tcase_add_loop_test(tc, test_complete, 0, YB_COUNT(completions));
    tcase_add_loop_test(tc, test_bdat, 0, YB_COUNT(chunks));
    tcase_add_test(tc, test_words);
    tcase_add_loop_test(tc, test_helo, 0, YB_COUNT(helos));
    tcase_add_test(tc, test_lmtp_round);
    tcase_add_loop_test(tc, test_code, 0, YB_COUNT(mapped));
    tcase_add_loop_test(tc, test_line, 0, YB_COUNT(lines));
    tcase_add_loop_test(tc, test_refusal, 0, YB_COUNT(refusals));
    tcase_add_test(tc, test_format);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
