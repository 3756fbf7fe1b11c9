/* MAIL and RCPT. */
#include "lib/smtp/cmd.h"
#include "lib/smtp/events.h"
#include "lib/smtp/params.h"
#include "lib/smtp/reply.h"
#include "lib/smtp/say.h"

/* Strangers send as they are called, and their mail goes on by LMTP; users send as ours, who are
 * called as we allow, to whomever they like. */
static unsigned
params_allowed(const struct yb_smtp_session *s)
{
    switch (s->server->conf.dialect) {
    case YB_SMTP_LMTP:
        return YB_PARAMS_LMTP | YB_PARAMS_ODD_SENDER;
    case YB_SMTP_SUBMISSION:
        return YB_PARAMS_AUTH | YB_PARAMS_ODD_RCPT;
    case YB_SMTP_MX:
        break;
    }
    return YB_PARAMS_ODD_SENDER;
}

static int
mail_parse(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err)
{
    struct yb_smtp_tx *tx = s->tx;
    struct yb_smtp_mail_args a;

    arg = yb_arena_dup(tx->arena, yb_smtp_path_complete(arg, s->qualify, tx->arena));
    if (yb_smtp_mail_parse(arg, params_allowed(s), tx->arena, &a, err) < 0)
        return -1;
    tx->from = a.from;
    tx->from_text = a.text;
    tx->declared = a.size;
    tx->body_8bit = a.body_8bit;
    tx->utf8 = a.utf8;
    tx->x = a.x;
    tx->id = yb_message_id_is_zero(a.x.message) ? yb_message_id_new() : a.x.message;
    if (a.size > s->server->conf.max_message)
        return yb_err_as(err, YB_ERR_TOO_BIG, YB_PERM, "5.3.4",
                         "Message too big, at most %llu octets are taken",
                         (unsigned long long)s->server->conf.max_message);
    if (s->server->conf.pool != NULL &&
        yb_msgbuf_pool_admit(s->server->conf.pool, a.size, yb_network_number(&s->network), err) < 0)
        return -1;
    return 0;
}

static void
log_transaction(struct yb_smtp_session *s)
{
    struct yb_log_ctx *ctx = yb_conn_log(s->conn);
    char id[YB_ID_TEXT];

    s->engine->log_n = ctx->n;
    yb_log_ctx_add(ctx, "mid", yb_str_from(yb_message_id_text(s->tx->id, id)));
}

int
smtp_cmd_mail(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err)
{
    if (atomic_load(&s->server->draining)) {
        smtp_farewell(s, "4.3.2", "shutting down");
        return 0;
    }
    smtp_tx_begin(s);
    s->engine->log_n = yb_conn_log(s->conn)->n;
    if (mail_parse(s, arg, err) < 0 ||
        (s->server->hooks.mail != NULL && s->server->hooks.mail(s, err) < 0)) {
        smtp_log_refusal(s, "mail.reject", NULL, err);
        smtp_tx_reset(s);
        return -1;
    }
    log_transaction(s);
    s->engine->state = ST_MAIL;
    smtp_reply(s, 250, "2.1.0", "Sender OK");
    return 0;
}

/* Into the transaction, out of the worker's scratch memory. */
static void
rcpt_keep(struct yb_smtp_session *s, struct yb_smtp_rcpt *r)
{
    struct yb_smtp_tx *tx = s->tx;
    struct yb_smtp_rcpt *last = s->engine->last_rcpt;
    struct yb_smtp_rcpt *kept = yb_arena_alloc(tx->arena, 1, sizeof(*kept));

    *kept = *r;
    kept->text = yb_arena_dup(tx->arena, r->text);
    kept->address.local = yb_arena_dup(tx->arena, r->address.local);
    kept->address.domain = yb_arena_dup(tx->arena, r->address.domain);
    kept->x.orcpt = yb_arena_dup(tx->arena, r->x.orcpt);
    kept->next = NULL;
    *(last == NULL ? &tx->rcpts : &last->next) = kept;
    s->engine->last_rcpt = kept;
    tx->n_rcpts++;
}

/* With the code the hook chose, when it is one of the error's class. */
static int
rcpt_refuse(struct yb_smtp_session *s, unsigned code, const struct yb_err *err)
{
    char status[10];

    (void)yb_smtp_reply_code(err, status);
    if (code / 100 != (unsigned)(status[0] - '0'))
        return -1;
    smtp_reply(s, (int)code, status, yb_err_public(err));
    return 0;
}

int
smtp_cmd_rcpt(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err)
{
    struct yb_arena *scratch = yb_conn_scratch(s->conn);
    struct yb_smtp_rcpt_args a;
    struct yb_smtp_rcpt r = { 0 };

    /* RFC 5321 §4.5.3.1.10: 452, and those already accepted stay. */
    if (s->tx->n_rcpts >= s->server->conf.max_rcpt)
        return yb_err_as(err, YB_ERR_LIMIT, YB_TEMP, "4.5.3",
                         "Too many recipients, send the rest again");
    arg = yb_smtp_path_complete(arg, s->qualify, scratch);
    if (yb_smtp_rcpt_parse(arg, params_allowed(s), s->tx->utf8, scratch, &a, err) < 0) {
        r.text = arg;
        smtp_log_refusal(s, "rcpt.reject", &r, err);
        return -1;
    }
    r.address = a.to;
    r.text = a.text;
    r.x = a.x;
    if (s->server->hooks.rcpt(s, &r, err) < 0) {
        atomic_fetch_add_explicit(&s->server->counts.rcpt_refused, 1, memory_order_relaxed);
        smtp_log_refusal(s, "rcpt.reject", &r, err);
        return rcpt_refuse(s, r.code, err);
    }
    rcpt_keep(s, &r);
    if (s->server->conf.dialect != YB_SMTP_LMTP)
        smtp_event_rcpt(s, &r);
    s->engine->state = ST_RCPT;
    smtp_reply(s, 250, "2.1.5", "Recipient OK");
    return 0;
}
