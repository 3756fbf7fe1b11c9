/* AUTH (RFC 4954). */
#include "lib/smtp/cmd.h"
#include "lib/smtp/params.h"
#include "lib/smtp/reply.h"
#include "lib/smtp/say.h"

/* RFC 4954 §4: lines of an exchange may be this long. */
#define AUTH_LINE 12288
#define COMMAND_LINE 2048

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

int
smtp_cmd_auth(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err)
{
    struct yb_str mechanism, initial, challenge = { NULL, 0 };
    struct yb_err auth_err = { 0 };
    enum yb_smtp_auth result;

    if (s->engine->authenticated)
        return yb_err_as(err, YB_ERR_SEQUENCE, YB_PERM, "5.5.1", "Already authenticated");
    if (s->server->hooks.mechanisms(s).n == 0)
        return yb_err_as(err, YB_ERR_NEED_TLS, YB_PERM, "5.7.0",
                         "Must issue a STARTTLS command first");
    if (!yb_smtp_auth_parse(arg, &mechanism, &initial))
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4",
                         "Syntax: AUTH mechanism [initial response]");
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
