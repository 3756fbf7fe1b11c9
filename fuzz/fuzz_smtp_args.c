/*
 * Arguments of SMTP commands, the LMTP parameters and a server's reply lines. What is accepted must
 * say the same when it is written again.
 */
#include "lib/smtp/params.h"
#include "lib/smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same_params(const struct yb_lmtp_rcpt *r)
{
    struct yb_buf *b = yb_buf_new(1 << 16);
    struct yb_lmtp_rcpt again = { 0 };
    struct yb_str all, word;

    yb_lmtp_rcpt_write(r, b);
    all = yb_str_skip(yb_buf_view(b), 1);
    while (all.n > 0 && yb_str_split(&all, ' ', &word)) {
        size_t eq = yb_str_find(word, '=');

        yb_assert(yb_lmtp_rcpt_read(&again, yb_str_head(word, eq),
                                    eq < word.n ? yb_str_skip(word, eq + 1) : yb_str(NULL, 0)) ==
                  YB_PARAM_OK);
    }
    yb_assert(yb_delivery_id_eq(r->delivery, again.delivery) &&
              yb_account_id_eq(r->account, again.account) && yb_store_id_eq(r->home, again.home) &&
              yb_tenant_id_eq(r->owner, again.owner) && r->quota == again.quota &&
              r->junk == again.junk && r->accepted == again.accepted && r->repeat == again.repeat &&
              r->notify == again.notify && yb_str_eq(r->orcpt, again.orcpt));
    yb_buf_free(&b);
}

static void
check_mail(struct yb_str in, struct yb_arena *a)
{
    struct yb_smtp_mail_args m, again;
    struct yb_str completed = yb_smtp_path_complete(in, YB_STR("d.test"), a), line;

    yb_assert(yb_str_eq(yb_smtp_path_complete(completed, YB_STR("d.test"), a), completed));
    if (yb_smtp_mail_parse(in, YB_PARAMS_LMTP | YB_PARAMS_AUTH | YB_PARAMS_ODD_SENDER, a, &m,
                           NULL) < 0)
        return;
    yb_assert(yb_str_find(m.text, '\r') == m.text.n && yb_str_find(m.text, '\n') == m.text.n);
    line = yb_arena_printf(a, "FROM:<%.*s>%s", YB_STR_ARG(m.text), m.utf8 ? " SMTPUTF8" : "");
    yb_assert(yb_smtp_mail_parse(line, YB_PARAMS_ODD_SENDER, a, &again, NULL) == 0);
    yb_assert(yb_str_eq(again.from.local, m.from.local) &&
              yb_str_eq(again.from.domain, m.from.domain));
}

static void
check_rcpt(struct yb_str in, struct yb_arena *a)
{
    struct yb_smtp_rcpt_args r, again;

    if (yb_smtp_rcpt_parse(in, YB_PARAMS_LMTP, true, a, &r, NULL) < 0)
        return;
    yb_assert(yb_str_find(r.text, '\r') == r.text.n && yb_str_find(r.text, '\n') == r.text.n);
    yb_assert(yb_smtp_rcpt_parse(yb_arena_printf(a, "TO:<%.*s>", YB_STR_ARG(r.text)), 0, true, a,
                                 &again, NULL) == 0);
    yb_assert(yb_str_eq(again.to.local, r.to.local) && yb_str_eq(again.to.domain, r.to.domain));
    same_params(&r.x);
}

/* Nothing that could end a line or a word of Received, or begin a comment or a clause of it. */
static void
check_helo(struct yb_str in, struct yb_arena *a)
{
    for (int utf8 = 0; utf8 < 2; utf8++) {
        struct yb_str text = yb_smtp_helo_text(in, utf8 == 1, a);

        yb_assert(text.n == (in.n < YB_SMTP_HELO_MAX ? in.n : YB_SMTP_HELO_MAX));
        yb_assert(utf8 == 1 ? yb_str_utf8(text) : yb_str_ascii(text));
        for (size_t i = 0; i < text.n; i++)
            yb_assert(memchr(" \t\r\n\0()<>;,@\"\\\x7f", text.p[i], 15) == NULL &&
                      ((unsigned char)text.p[i] >= ' '));
    }
}

static void
check_reply(struct yb_str in)
{
    char out[YB_SMTP_REPLY_LINE], status[10];
    struct yb_smtp_reply r = { 0 };
    struct yb_err err = { 0 };

    if (yb_smtp_reply_line(in, true, &r) == YB_REPLY_BAD)
        return;
    yb_assert(yb_smtp_reply_to_err(&r, &err) == -1 && err.class != YB_OK);
    yb_assert(yb_smtp_reply_code(&err, status) / 100 == status[0] - '0');
    yb_assert(yb_smtp_reply_format(out, r.code, false, r.status, yb_str_from(r.text)) <=
              YB_SMTP_REPLY_LINE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str in = yb_str((const char *)data, size), mechanism, initial;
    struct yb_arena *a = yb_arena_new(4096);
    uint64_t n;
    bool last;

    check_mail(in, a);
    check_rcpt(in, a);
    check_reply(in);
    if (yb_smtp_bdat_parse(in, &n, &last))
        yb_assert(n <= INT64_MAX);
    if (yb_smtp_auth_parse(in, &mechanism, &initial))
        yb_assert(mechanism.n > 0 && mechanism.n <= 20);
    check_helo(in, a);
    yb_arena_free(&a);
    return 0;
}
