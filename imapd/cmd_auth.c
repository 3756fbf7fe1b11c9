/* Who is it, what can this server do: CAPABILITY, LOGIN, AUTHENTICATE, STARTTLS, ID, ENABLE. */
#include "imapd/cmd.h"
#include "imapd/reply.h"
#include "imapd/sync.h"

void
imapd_put_capability(struct imapd_cmd *c)
{
    struct yb_auth_facts facts;
    struct yb_str mechanisms, name;

    yb_buf_add(c->out, YB_STR("CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE"));
    if (c->s->state != IMAPD_ST_START) {
        yb_buf_add(c->out, YB_STR(" NAMESPACE CHILDREN UNSELECT UIDPLUS MOVE SPECIAL-USE"
                                  " CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS ESEARCH CONDSTORE"
                                  " QUOTA QUOTA=RES-STORAGE APPENDLIMIT="));
        yb_buf_add_u64(c->out, c->s->conf->max_message);
        return;
    }
    if (!yb_conn_is_tls(c->conn)) {
        if (yb_conn_can_tls(c->conn))
            yb_buf_add(c->out, YB_STR(" STARTTLS"));
        yb_buf_add(c->out, YB_STR(" LOGINDISABLED"));
        return;
    }
    yb_auth_facts_of(c->conn, &facts);
    mechanisms = yb_auth_mechanisms(c->s->server->auth, &facts);
    while (mechanisms.n > 0) {
        name = yb_str_word(&mechanisms);
        yb_buf_add(c->out, YB_STR(" AUTH="));
        yb_buf_add(c->out, name);
    }
}

int
imapd_cmd_capability(struct imapd_cmd *c, struct yb_err *err YB_UNUSED)
{
    yb_buf_add(c->out, YB_STR("* "));
    imapd_put_capability(c);
    yb_buf_add(c->out, YB_STR("\r\n"));
    imapd_ok(c, YB_STR("CAPABILITY completed"));
    return 0;
}

int
imapd_cmd_noop(struct imapd_cmd *c, struct yb_err *err YB_UNUSED)
{
    imapd_ok(c, YB_STR("NOOP completed"));
    return 0;
}

int
imapd_cmd_logout(struct imapd_cmd *c, struct yb_err *err YB_UNUSED)
{
    imapd_deselect(c->s);
    yb_buf_add(c->out, YB_STR("* BYE Good bye\r\n"));
    imapd_ok(c, YB_STR("LOGOUT completed"));
    c->s->closing = true;
    return 0;
}

int
imapd_cmd_starttls(struct imapd_cmd *c, struct yb_err *err YB_UNUSED)
{
    imapd_ok(c, YB_STR("Begin TLS"));
    yb_conn_write(c->conn, yb_buf_view(c->out));
    yb_buf_clear(c->out);
    yb_conn_start_tls(c->conn);
    return 0;
}

/* --- login --- */

static void
login_done(struct imapd_cmd *c, const struct yb_auth_user *user)
{
    struct yb_err err = { 0 };

    if (imapd_login(c->conn, c->s, user, &err) < 0) {
        imapd_count(c->s->server, IMAPD_COUNT_LOGIN_FAILURES, 1);
        imapd_no(c, &err);
        return;
    }
    yb_buf_add(c->out, c->tag);
    yb_buf_add(c->out, YB_STR(" OK ["));
    imapd_put_capability(c);
    yb_buf_add(c->out, YB_STR("] Logged in\r\n"));
}

/* A refused login counts as a wrong command: nobody guesses for long on one connection. Our own
 * troubles are nobody's guess. */
static void
login_failed(struct imapd_cmd *c, const struct yb_err *err)
{
    struct imapd_session *s = c->s;

    imapd_count(s->server, IMAPD_COUNT_LOGIN_FAILURES, 1);
    imapd_no(c, err);
    if (err->class != YB_PERM || ++s->bad < (s->conf->max_bad_commands + 3) / 4)
        return;
    yb_log(YB_LOG_INFO, yb_conn_log(c->conn), "imap.bad", "too many failed logins");
    yb_buf_add(c->out, YB_STR("* BYE Too many failed logins\r\n"));
    s->closing = true;
}

int
imapd_cmd_login(struct imapd_cmd *c, struct yb_err *err)
{
    struct yb_auth_facts facts;
    struct yb_auth_user user;
    struct yb_str name, password;
    struct yb_err why = { 0 };

    if (!imapd_lex_astring(&c->lex, &name) || !imapd_lex_space(&c->lex) ||
        !imapd_lex_astring(&c->lex, &password) || !imapd_lex_end(&c->lex))
        return imapd_wrong(c, err);
    yb_auth_facts_of(c->conn, &facts);
    if (yb_auth_password(c->s->server->auth, name, password, &facts, &user, &why) < 0)
        login_failed(c, &why);
    else
        login_done(c, &user);
    return 0;
}

static void
auth_leave(struct imapd_session *s)
{
    s->mode = IMAPD_IN_COMMAND;
    yb_free(s->tag);
    s->tag = NULL;
}

/* What an exchange came to. */
static void
auth_outcome(struct imapd_cmd *c, const struct yb_auth_outcome *o)
{
    struct imapd_session *s = c->s;

    switch (o->result) {
    case YB_AUTH_CONTINUE:
        yb_buf_add(c->out, YB_STR("+ "));
        yb_buf_add(c->out, o->challenge);
        yb_buf_add(c->out, YB_STR("\r\n"));
        if (s->mode == IMAPD_IN_AUTH)
            return;
        s->mode = IMAPD_IN_AUTH;
        s->tag = yb_dup(c->tag.p, c->tag.n);
        return;
    case YB_AUTH_DONE:
        login_done(c, &o->user);
        return;
    case YB_AUTH_FAILED:
    case YB_AUTH_CANCELLED:
        login_failed(c, &o->err);
        return;
    }
}

int
imapd_cmd_authenticate(struct imapd_cmd *c, struct yb_err *err)
{
    struct imapd_session *s = c->s;
    struct yb_auth_facts facts;
    struct yb_auth_outcome o;
    struct yb_str mechanism, initial;
    bool has_initial;

    if (!imapd_lex_atom(&c->lex, &mechanism))
        return imapd_wrong(c, err);
    has_initial = imapd_lex_char(&c->lex, ' ');
    /* SASL-IR (RFC 4959): base64 or "=", which no string may stand for. */
    initial = yb_str_skip(c->lex.in, c->lex.at);
    if (has_initial && (initial.n == 0 || yb_str_find(initial, ' ') < initial.n))
        return imapd_wrong(c, err);
    if (!has_initial && !imapd_lex_end(&c->lex))
        return imapd_wrong(c, err);
    yb_auth_facts_of(c->conn, &facts);
    (void)yb_auth_begin(s->server->auth, &s->exchange, mechanism, has_initial ? &initial : NULL,
                        &facts, &o);
    auth_outcome(c, &o);
    return 0;
}

void
imapd_auth_line(struct yb_conn *conn, struct imapd_session *s, struct yb_str line)
{
    struct yb_auth_facts facts;
    struct yb_auth_outcome o;
    struct imapd_cmd c;

    imapd_cmd_begin(&c, conn, yb_str_from(s->tag));
    yb_auth_facts_of(conn, &facts);
    (void)yb_auth_step(&s->exchange, line, &facts, &o);
    auth_outcome(&c, &o);
    if (o.result != YB_AUTH_CONTINUE)
        auth_leave(s);
    imapd_cmd_flush(&c);
}

/* --- ID, ENABLE --- */

/* What clients say of themselves goes to the log, once, and nowhere else. */
static void
log_id(struct imapd_cmd *c, const struct imapd_id *id)
{
    struct yb_log_line line;

    if (c->s->identified)
        return;
    c->s->identified = true;
    yb_log_begin(&line, YB_LOG_INFO, yb_conn_log(c->conn), "imap.id");
    for (size_t i = 0; i < id->n; i++) {
        if (yb_str_eqi(id->names[i], YB_STR("name")))
            yb_log_str(&line, "client", id->values[i]);
        else if (yb_str_eqi(id->names[i], YB_STR("version")))
            yb_log_str(&line, "version", id->values[i]);
    }
    yb_log_end(&line);
}

int
imapd_cmd_id(struct imapd_cmd *c, struct yb_err *err)
{
    struct imapd_id *id = yb_arena_alloc(c->arena, 1, sizeof(*id));

    if (!imapd_parse_id(&c->lex, id))
        return imapd_wrong(c, err);
    log_id(c, id);
    yb_buf_add(c->out, YB_STR("* ID (\"name\" \"yubin\")\r\n"));
    imapd_ok(c, YB_STR("ID completed"));
    return 0;
}

int
imapd_cmd_enable(struct imapd_cmd *c, struct yb_err *err)
{
    bool condstore = false;
    struct yb_str name;

    do {
        if (!imapd_lex_atom(&c->lex, &name))
            return imapd_wrong(c, err);
        condstore |= yb_str_eqi(name, YB_STR("CONDSTORE"));
    } while (imapd_lex_char(&c->lex, ' '));
    if (!imapd_lex_end(&c->lex))
        return imapd_wrong(c, err);
    /* RFC 5161 §3.1: only what is enabled by this command is named. */
    yb_buf_add(c->out, condstore && !c->s->condstore ? YB_STR("* ENABLED CONDSTORE\r\n")
                                                     : YB_STR("* ENABLED\r\n"));
    if (condstore)
        imapd_enable_condstore(c);
    imapd_ok(c, YB_STR("ENABLE completed"));
    return 0;
}
