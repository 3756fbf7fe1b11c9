/* The commands of the three dialects, one table each, and their handlers but for DATA and BDAT. */
#include "lib/smtp/params.h"
#include "lib/smtp/reply.h"
#include "lib/smtp/session.h"

#include <stdio.h>

/* RFC 4954 §4: lines of an exchange may be this long. */
#define AUTH_LINE 12288
#define COMMAND_LINE 2048

/* --- hello --- */

/* Says the lines of `list` (NULL-terminated, NULLs of absent features passed over before the end).
 */
static void
ehlo_answer(struct yb_smtp_session *s)
{
    const struct yb_smtp_server *srv = s->server;
    bool lmtp = srv->conf.dialect == YB_SMTP_LMTP;
    struct yb_str mechanisms = { NULL, 0 };
    char size[40], auth[200];
    int n;

    smtp_reply_str(s, 250, true, NULL, yb_str_from(srv->conf.hostname));
    smtp_reply_str(s, 250, true, NULL, YB_STR("PIPELINING"));
    n = snprintf(size, sizeof(size), "SIZE %llu", (unsigned long long)srv->conf.max_message);
    smtp_reply_str(s, 250, true, NULL, yb_str(size, (size_t)n));
    smtp_reply_str(s, 250, true, NULL, YB_STR("8BITMIME"));
    smtp_reply_str(s, 250, true, NULL, YB_STR("ENHANCEDSTATUSCODES"));
    if (!lmtp && yb_conn_can_tls(s->conn) && !yb_conn_is_tls(s->conn))
        smtp_reply_str(s, 250, true, NULL, YB_STR("STARTTLS"));
    if (srv->hooks.mechanisms != NULL && !s->engine->authenticated)
        mechanisms = srv->hooks.mechanisms(s);
    if (mechanisms.n > 0) {
        n = snprintf(auth, sizeof(auth), "AUTH %.*s", YB_STR_ARG(yb_str_head(mechanisms, 190)));
        smtp_reply_str(s, 250, true, NULL, yb_str(auth, (size_t)n));
    }
    if (lmtp) /* the parameters of xparam.h are understood */
        smtp_reply_str(s, 250, true, NULL, YB_STR("XYUBIN"));
    smtp_reply_str(s, 250, true, NULL, YB_STR("CHUNKING"));
    smtp_reply_str(s, 250, false, NULL, YB_STR("SMTPUTF8"));
}

static int
hello(struct yb_smtp_session *s, struct yb_str name, bool extended, struct yb_err *err)
{
    if (!yb_smtp_helo_valid(name))
        return yb_err_set(err, YB_PERM, "5.5.4", "Invalid name");
    smtp_tx_reset(s); /* RFC 5321 §4.1.4: as RSET */
    yb_free(s->engine->helo);
    s->engine->helo = yb_dup(name.p, name.n);
    s->engine->esmtp = extended;
    s->engine->state = ST_READY;
    if (extended)
        ehlo_answer(s);
    else
        smtp_reply_str(s, 250, false, NULL, yb_str_from(s->server->conf.hostname));
    return 0;
}

static int
cmd_ehlo(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err)
{
    return hello(s, arg, true, err);
}

static int
cmd_helo(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err)
{
    return hello(s, arg, false, err);
}

static int
cmd_starttls(struct yb_smtp_session *s, struct yb_str arg YB_UNUSED, struct yb_err *err YB_UNUSED)
{
    smtp_reply(s, 220, "2.0.0", "Ready to start TLS");
    yb_conn_start_tls(s->conn);
    return 0;
}

/* --- AUTH (RFC 4954) --- */

static void
auth_end(struct yb_smtp_session *s)
{
    s->engine->state = ST_READY;
    yb_conn_set_line_limit(s->conn, COMMAND_LINE);
}

static void
auth_result(struct yb_smtp_session *s, enum yb_smtp_auth result, struct yb_str challenge,
            const struct yb_err *err)
{
    char status[10];
    int code;

    switch (result) {
    case YB_SMTP_AUTH_CONTINUE:
        s->engine->state = ST_AUTH;
        yb_conn_set_line_limit(s->conn, AUTH_LINE);
        /* Challenges may be longer than a reply line; RFC 4954 §4 gives them 12 288 octets. */
        yb_conn_write(s->conn, YB_STR("334 "));
        yb_conn_write(s->conn, challenge);
        yb_conn_write(s->conn, YB_STR("\r\n"));
        return;
    case YB_SMTP_AUTH_DONE:
        auth_end(s);
        s->engine->authenticated = true;
        s->engine->idle_commands = 0;
        smtp_reply(s, 235, "2.7.0", "Authentication succeeded");
        return;
    case YB_SMTP_AUTH_FAILED:
        auth_end(s);
        code = yb_smtp_reply_auth_code(err, status);
        smtp_reply(s, code, status, yb_err_public(err));
        if (err->class == YB_PERM)
            smtp_count_error(s);
        return;
    }
}

static int
cmd_auth(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err)
{
    struct yb_str mechanism, initial, challenge = { NULL, 0 };
    struct yb_err auth_err = { 0 };
    enum yb_smtp_auth result;

    if (s->engine->authenticated)
        return yb_err_set(err, YB_PERM, "5.5.1", "Already authenticated");
    if (s->server->hooks.mechanisms(s).n == 0)
        return yb_err_set(err, YB_PERM, "5.7.0", "Must issue a STARTTLS command first");
    if (!yb_smtp_auth_parse(arg, &mechanism, &initial))
        return yb_err_set(err, YB_PERM, "5.5.4", "Syntax: AUTH mechanism [initial response]");
    result = s->server->hooks.auth_begin(s, mechanism, initial.p == NULL ? NULL : &initial,
                                         &challenge, &auth_err);
    auth_result(s, result, challenge, &auth_err);
    return 0;
}

void
smtp_auth_line(struct yb_smtp_session *s, struct yb_str line, unsigned flags)
{
    struct yb_str challenge = { NULL, 0 };
    struct yb_err err = { 0 }, ignored = { 0 };
    enum yb_smtp_auth result;

    if ((flags & (YB_IN_TOO_LONG | YB_IN_BARE_LF | YB_IN_BARE_CR | YB_IN_NUL)) == 0) {
        result = s->server->hooks.auth_step(s, line, &challenge, &err);
        auth_result(s, result, challenge, &err);
        return;
    }
    /* The exchange is cancelled as if the client had done it. */
    (void)s->server->hooks.auth_step(s, YB_STR("*"), &challenge, &ignored);
    auth_end(s);
    smtp_reply(s, 500, "5.5.6", "Authentication line too long or not a line");
    smtp_count_error(s);
}

/* --- MAIL and RCPT --- */

static unsigned
params_allowed(const struct yb_smtp_session *s)
{
    switch (s->server->conf.dialect) {
    case YB_SMTP_LMTP:
        return YB_PARAMS_LMTP;
    case YB_SMTP_SUBMISSION:
        return YB_PARAMS_AUTH;
    case YB_SMTP_MX:
        break;
    }
    return 0;
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
        return yb_err_set(err, YB_PERM, "5.3.4", "Message too big, at most %llu octets are taken",
                          (unsigned long long)s->server->conf.max_message);
    if (s->server->conf.pool != NULL &&
        yb_msgbuf_pool_admit(s->server->conf.pool, a.size, s->network, err) < 0)
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

static int
cmd_mail(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err)
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

static int
cmd_rcpt(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err)
{
    struct yb_arena *scratch = yb_conn_scratch(s->conn);
    struct yb_smtp_rcpt_args a;
    struct yb_smtp_rcpt r = { 0 };

    /* RFC 5321 §4.5.3.1.10: 452, and those already accepted stay. */
    if (s->tx->n_rcpts >= s->server->conf.max_rcpt)
        return yb_err_set(err, YB_TEMP, "4.5.3", "Too many recipients, send the rest again");
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

/* --- the rest --- */

static int
cmd_rset(struct yb_smtp_session *s, struct yb_str arg YB_UNUSED, struct yb_err *err YB_UNUSED)
{
    smtp_tx_reset(s);
    smtp_reply(s, 250, "2.0.0", "OK");
    return 0;
}

static int
cmd_noop(struct yb_smtp_session *s, struct yb_str arg YB_UNUSED, struct yb_err *err YB_UNUSED)
{
    smtp_reply(s, 250, "2.0.0", "OK");
    return 0;
}

/* RFC 5321 §7.3: what VRFY would tell, RCPT tells. */
static int
cmd_vrfy(struct yb_smtp_session *s, struct yb_str arg YB_UNUSED, struct yb_err *err YB_UNUSED)
{
    smtp_reply(s, 252, "2.0.0", "Cannot verify, but try RCPT");
    return 0;
}

static int
cmd_expn(struct yb_smtp_session *s YB_UNUSED, struct yb_str arg YB_UNUSED, struct yb_err *err)
{
    smtp_reply(s, 502, "5.5.1", "Not implemented");
    (void)err;
    return 0;
}

static int
cmd_help(struct yb_smtp_session *s, struct yb_str arg YB_UNUSED, struct yb_err *err YB_UNUSED)
{
    smtp_reply(s, 214, "2.0.0", "See RFC 5321");
    return 0;
}

static int
cmd_quit(struct yb_smtp_session *s, struct yb_str arg YB_UNUSED, struct yb_err *err YB_UNUSED)
{
    smtp_reply(s, 221, "2.0.0", "Bye");
    yb_conn_close(s->conn);
    return 0;
}

/*
 * BDAT checks its state and its argument itself: whatever it answers, it must first take the octets
 * that follow. RSET, NOOP, VRFY, EXPN and HELP need no hello (RFC 5321 §4.1.4).
 * LHLO and not HELO or EHLO is LMTP's hello (RFC 2033 §4.1).
 */
/* clang-format off */
#define V(literal) YB_STR_INIT(literal)
const struct yb_smtp_command smtp_mx_commands[] = {
    /* verb          handler        allowed states       needs            argument */
    { V("EHLO"),     cmd_ehlo,      ST_ANY,              LAST | IDLE,     ARG_REQUIRED },
    { V("HELO"),     cmd_helo,      ST_ANY,              IDLE,            ARG_REQUIRED },
    { V("STARTTLS"), cmd_starttls,  ST_READY,            NO_TLS,          ARG_NONE },
    { V("MAIL"),     cmd_mail,      ST_READY,            IDLE,            ARG_REQUIRED },
    { V("RCPT"),     cmd_rcpt,      ST_MAIL | ST_RCPT,   PROGRESS,        ARG_REQUIRED },
    { V("DATA"),     smtp_cmd_data, ST_RCPT,             LAST,            ARG_NONE },
    { V("BDAT"),     smtp_cmd_bdat, ST_ANY,              0,               ARG_OPTIONAL },
    { V("RSET"),     cmd_rset,      ST_ANY,              IDLE,            ARG_NONE },
    { V("NOOP"),     cmd_noop,      ST_ANY,              IDLE,            ARG_OPTIONAL },
    { V("VRFY"),     cmd_vrfy,      ST_ANY,              IDLE,            ARG_REQUIRED },
    { V("EXPN"),     cmd_expn,      ST_ANY,              IDLE,            ARG_REQUIRED },
    { V("HELP"),     cmd_help,      ST_ANY,              IDLE,            ARG_OPTIONAL },
    { V("QUIT"),     cmd_quit,      ST_ANY,              0,               ARG_NONE },
};
const size_t smtp_mx_n_commands = YB_COUNT(smtp_mx_commands);

const struct yb_smtp_command smtp_submission_commands[] = {
    { V("EHLO"),     cmd_ehlo,      ST_ANY,              LAST | IDLE,     ARG_REQUIRED },
    { V("HELO"),     cmd_helo,      ST_ANY,              IDLE,            ARG_REQUIRED },
    { V("STARTTLS"), cmd_starttls,  ST_READY,            NO_TLS,          ARG_NONE },
    { V("AUTH"),     cmd_auth,      ST_READY,            LAST | IDLE,     ARG_REQUIRED },
    { V("MAIL"),     cmd_mail,      ST_READY,            NEED_AUTH | IDLE, ARG_REQUIRED },
    { V("RCPT"),     cmd_rcpt,      ST_MAIL | ST_RCPT,   NEED_AUTH | PROGRESS, ARG_REQUIRED },
    { V("DATA"),     smtp_cmd_data, ST_RCPT,             NEED_AUTH | LAST, ARG_NONE },
    { V("BDAT"),     smtp_cmd_bdat, ST_ANY,              0,               ARG_OPTIONAL },
    { V("RSET"),     cmd_rset,      ST_ANY,              IDLE,            ARG_NONE },
    { V("NOOP"),     cmd_noop,      ST_ANY,              IDLE,            ARG_OPTIONAL },
    { V("VRFY"),     cmd_vrfy,      ST_ANY,              NEED_AUTH | IDLE, ARG_REQUIRED },
    { V("EXPN"),     cmd_expn,      ST_ANY,              NEED_AUTH | IDLE, ARG_REQUIRED },
    { V("HELP"),     cmd_help,      ST_ANY,              IDLE,            ARG_OPTIONAL },
    { V("QUIT"),     cmd_quit,      ST_ANY,              0,               ARG_NONE },
};
const size_t smtp_submission_n_commands = YB_COUNT(smtp_submission_commands);

/* Our own daemons may pipeline as they like, and repeat themselves. */
const struct yb_smtp_command smtp_lmtp_commands[] = {
    { V("LHLO"),     cmd_ehlo,      ST_ANY,              0,               ARG_REQUIRED },
    { V("MAIL"),     cmd_mail,      ST_READY,            0,               ARG_REQUIRED },
    { V("RCPT"),     cmd_rcpt,      ST_MAIL | ST_RCPT,   PROGRESS,        ARG_REQUIRED },
    { V("DATA"),     smtp_cmd_data, ST_RCPT,             LAST,            ARG_NONE },
    { V("BDAT"),     smtp_cmd_bdat, ST_ANY,              0,               ARG_OPTIONAL },
    { V("RSET"),     cmd_rset,      ST_ANY,              0,               ARG_NONE },
    { V("NOOP"),     cmd_noop,      ST_ANY,              IDLE,            ARG_OPTIONAL },
    { V("VRFY"),     cmd_vrfy,      ST_ANY,              IDLE,            ARG_REQUIRED },
    { V("HELP"),     cmd_help,      ST_ANY,              IDLE,            ARG_OPTIONAL },
    { V("QUIT"),     cmd_quit,      ST_ANY,              0,               ARG_NONE },
};
const size_t smtp_lmtp_n_commands = YB_COUNT(smtp_lmtp_commands);
/* clang-format on */
