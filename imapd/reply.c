#include "imapd/reply.h"

#include "imapd/sync.h"

#include <errno.h>

/* Text of an answer that one handler call may write before it is sent. */
#define OUT_MAX ((size_t)64 << 20)

/*
 * Every kind of error, by RFC 3501 §7.1 and RFC 5530. NULL: by its class. BAD is for what the
 * client should not have sent; a response code is the exception there.
 */
/* clang-format off */
static const struct {
    bool bad;
    const char *code;
} answers[] = {
    [YB_ERR_OTHER]       = { false, NULL },
    [YB_ERR_SYNTAX]      = { true,  "" },
    [YB_ERR_SEQUENCE]    = { true,  "" },
    [YB_ERR_TOO_LONG]    = { true,  "[TOOBIG] " },
    [YB_ERR_UNSUPPORTED] = { false, "[CANNOT] " },
    [YB_ERR_CANCELLED]   = { true,  "" }, /* RFC 3501 §6.2.2 */
    [YB_ERR_CREDENTIALS] = { false, "[AUTHENTICATIONFAILED] " },
    [YB_ERR_BLOCKED]     = { false, "[AUTHENTICATIONFAILED] " },
    [YB_ERR_DISABLED]    = { false, "[AUTHORIZATIONFAILED] " },
    [YB_ERR_NEED_TLS]    = { false, "[PRIVACYREQUIRED] " },
    [YB_ERR_DENIED]      = { false, "[NOPERM] " },
    [YB_ERR_NOT_FOUND]   = { false, "[NONEXISTENT] " },
    [YB_ERR_TRY_CREATE]  = { false, "[TRYCREATE] " },
    [YB_ERR_EXISTS]      = { false, "[ALREADYEXISTS] " },
    [YB_ERR_GONE]        = { false, "[EXPUNGEISSUED] " },
    [YB_ERR_READ_ONLY]   = { false, "[READ-ONLY] " },
    [YB_ERR_IN_USE]      = { false, "[INUSE] " },
    [YB_ERR_FULL]        = { false, "[OVERQUOTA] " },
    [YB_ERR_LIMIT]       = { false, "[LIMIT] " },
    [YB_ERR_TOO_BIG]     = { false, "[TOOBIG] " },
    [YB_ERR_CANNOT]      = { false, "[CANNOT] " },
    [YB_ERR_CONTENT]     = { false, "[CANNOT] " },
    [YB_ERR_USE]         = { false, "[USEATTR] " },
    [YB_ERR_CHARSET]     = { false, "[BADCHARSET (US-ASCII UTF-8)] " },
    [YB_ERR_DOMAIN]      = { false, "[CANNOT] " },
    [YB_ERR_VALUE]       = { false, "[CANNOT] " },
    [YB_ERR_REFERENCE]   = { false, "[CANNOT] " },
    [YB_ERR_CONFLICT]    = { false, "[UNAVAILABLE] " },
    [YB_ERR_AWAY]        = { false, "[UNAVAILABLE] " },
    [YB_ERR_CONFIG]      = { false, "[UNAVAILABLE] " },
    [YB_ERR_MOVING]      = { false, "[UNAVAILABLE] " },
    [YB_ERR_HELD]        = { false, "[UNAVAILABLE] " },
};
/* clang-format on */
_Static_assert(YB_COUNT(answers) == YB_ERR_KINDS, "a kind has no answer");

static const char *
code_of(const struct yb_err *err)
{
    if (answers[err->kind].code != NULL)
        return answers[err->kind].code;
    if (err->class == YB_BUG)
        return "[SERVERBUG] ";
    if (err->sys == ENOSPC || err->sys == EDQUOT)
        return "[UNAVAILABLE] ";
    return err->class == YB_TEMP ? "[UNAVAILABLE] " : "[CANNOT] ";
}

void
imapd_put_err(struct yb_buf *b, struct yb_str tag, const struct yb_err *err)
{
    char ascii[sizeof(err->text)]; /* RFC 3501 §9, text */

    yb_buf_add(b, tag);
    yb_buf_add(b, answers[err->kind].bad ? YB_STR(" BAD ") : YB_STR(" NO "));
    yb_buf_add(b, yb_str_from(code_of(err)));
    yb_buf_add(b, yb_str(ascii, yb_str_put_ascii(yb_str_from(yb_err_public(err)), ascii)));
    yb_buf_add(b, YB_STR("\r\n"));
}

void
imapd_ok(struct imapd_cmd *c, struct yb_str text)
{
    if (c->s->state == IMAPD_ST_BOX)
        imapd_sync(c, !c->no_expunge);
    if (c->s->closing)
        return; /* the mailbox went away: BYE is the answer */
    if (c->s->state != IMAPD_ST_START)
        c->s->bad = 0;
    yb_buf_add(c->out, c->tag);
    yb_buf_add(c->out, YB_STR(" OK "));
    yb_buf_add(c->out, text);
    yb_buf_add(c->out, YB_STR("\r\n"));
}

void
imapd_no(struct imapd_cmd *c, const struct yb_err *err)
{
    if (err->internal || err->class == YB_BUG)
        yb_log_err(err->class == YB_BUG ? YB_LOG_ERROR : YB_LOG_WARN, yb_conn_log(c->conn),
                   "imap.error", err);
    if (c->s->state == IMAPD_ST_BOX && !c->s->closing)
        imapd_sync(c, !c->no_expunge);
    imapd_put_err(c->out, c->tag, err);
}

/* With the last wrong command that is borne the session ends. */
static void
count_bad(struct imapd_cmd *c)
{
    struct imapd_session *s = c->s;
    unsigned max = s->state == IMAPD_ST_START ? (s->conf->max_bad_commands + 3) / 4
                                              : s->conf->max_bad_commands;

    imapd_count(s->server, IMAPD_COUNT_BAD_COMMANDS, 1);
    if (++s->bad < max || s->closing)
        return;
    yb_log(YB_LOG_INFO, yb_conn_log(c->conn), "imap.bad", "too many wrong commands");
    yb_buf_add(c->out, YB_STR("* BYE Too many wrong commands\r\n"));
    s->closing = true;
}

void
imapd_bad(struct imapd_cmd *c, struct yb_str text)
{
    yb_buf_add(c->out, c->tag.n > 0 ? c->tag : YB_STR("*"));
    yb_buf_add(c->out, YB_STR(" BAD "));
    yb_buf_add(c->out, text);
    yb_buf_add(c->out, YB_STR("\r\n"));
    count_bad(c);
}

void
imapd_refuse(struct imapd_cmd *c, const struct yb_err *err)
{
    if (!answers[err->kind].bad) {
        imapd_no(c, err);
        return;
    }
    imapd_put_err(c->out, c->tag.n > 0 ? c->tag : YB_STR("*"), err);
    count_bad(c);
}

int
imapd_wrong(struct imapd_cmd *c, struct yb_err *err)
{
    return imapd_lex_err(&c->lex, err);
}

/* --- what is written --- */

void
imapd_out_begin(struct imapd_cmd *c)
{
    c->out = yb_buf_new_charged(OUT_MAX, c->budget);
}

void
imapd_cmd_begin(struct imapd_cmd *c, struct yb_conn *conn, struct yb_str tag)
{
    *c = (struct imapd_cmd){
        .conn = conn,
        .s = yb_conn_session(conn),
        .tag = tag,
        .arena = yb_conn_scratch(conn),
        .scratch = yb_conn_scratch(conn),
    };
    c->budget = &c->s->budget;
    imapd_out_begin(c);
}

void
imapd_cmd_flush(struct imapd_cmd *c)
{
    if (yb_buf_overflowed(c->out)) {
        yb_log(YB_LOG_ERROR, yb_conn_log(c->conn), "imap.error", "an answer is too long");
        yb_buf_free(&c->out);
        yb_conn_abort(c->conn);
        return;
    }
    if (yb_buf_size(c->out) > 0)
        yb_conn_write(c->conn, yb_buf_view(c->out));
    yb_buf_free(&c->out);
    if (c->s->closing)
        yb_conn_close(c->conn);
}

void
imapd_bye(struct yb_conn *conn, struct imapd_session *s, struct yb_str text)
{
    yb_conn_write(conn, YB_STR("* BYE "));
    yb_conn_write(conn, text);
    yb_conn_write(conn, YB_STR("\r\n"));
    s->closing = true;
    yb_conn_close(conn);
}
