/*
 * The life of a session, as lib/net tells it. The walk of a line: service_line() hands it to
 * smtp_dispatch() (dispatch.c), which finds the command's row and checks everything the row says
 * before the command (cmd_*.c) runs; what is said goes out by say.c.
 */
#include "lib/smtp/cmd.h"
#include "lib/smtp/dispatch.h"
#include "lib/smtp/say.h"

#include <stdio.h>

static struct yb_smtp_session *
session_of(struct yb_conn *c)
{
    struct yb_smtp_session *s = yb_conn_session(c);

    if (s != NULL)
        s->conn = c;
    return s;
}

/* A session and the engine's part of it, in one piece of memory. */
struct both {
    struct yb_smtp_session session;
    struct yb_smtp_engine engine;
};

static void
service_opened(struct yb_conn *c)
{
    struct both *both = yb_alloc(1, sizeof(*both));
    struct yb_smtp_session *s = &both->session;
    struct yb_err err = { 0 };
    char text[200];

    s->engine = &both->engine;
    s->server = yb_conn_listener_arg(c);
    s->conn = c;
    s->engine->state = ST_GREETED;
    s->network = yb_network_of(yb_ip_of(yb_conn_peer(c)));
    s->id = yb_conn_session_id(c);
    yb_conn_set_session(c, s);
    yb_conn_set_timeout(c, s->server->conf.command_timeout_ms);
    if (atomic_load(&s->server->draining)) {
        smtp_farewell(s, "4.3.2", "shutting down");
        return;
    }
    if (s->server->hooks.connect(s, &err) < 0) {
        smtp_log_refusal(s, "connect.reject", NULL, &err);
        if (err.class == YB_PERM)
            smtp_reply(s, 554, "5.7.1", yb_err_public(&err));
        else
            smtp_farewell(s, "4.3.2", yb_err_public(&err));
        yb_conn_close(c);
        return;
    }
    /* In TLS the client's hello came first, as it must. */
    s->engine->early = !yb_conn_is_tls(c) && yb_conn_has_input(c);
    (void)snprintf(text, sizeof(text), "%.150s %s ready", s->server->conf.hostname,
                   s->server->conf.dialect == YB_SMTP_LMTP ? "LMTP" : "ESMTP");
    smtp_reply(s, 220, NULL, text);
}

static void
service_line(struct yb_conn *c, struct yb_str line, unsigned flags)
{
    smtp_dispatch(session_of(c), line, flags);
}

static void
service_data(struct yb_conn *c, struct yb_str block, bool last, unsigned flags)
{
    smtp_data_block(session_of(c), block, last, flags);
}

/* RFC 3207 §4.2: everything said before is forgotten. */
static void
service_tls_started(struct yb_conn *c)
{
    struct yb_smtp_session *s = session_of(c);

    smtp_tx_reset(s);
    s->engine->state = ST_GREETED;
    yb_free(s->engine->helo);
    s->engine->helo = NULL;
    s->engine->esmtp = false;
}

/* A message that is under way is not taken; one whose end was read is answered already. */
static void
service_woken(struct yb_conn *c)
{
    struct yb_smtp_session *s = session_of(c);
    const char *why = s->server->hooks.ended == NULL ? NULL : s->server->hooks.ended(s);

    if (why != NULL)
        smtp_farewell(s, "4.7.0", why);
}

static void
service_timed_out(struct yb_conn *c)
{
    struct yb_smtp_session *s = session_of(c);
    struct yb_log_line l;

    yb_smtp_log_begin(s, &l, YB_LOG_INFO, "timeout");
    yb_log_str(&l, "in", s->engine->in.active ? YB_STR("data") : YB_STR("command"));
    yb_log_end(&l);
    smtp_farewell(s, "4.4.2", "waited too long for you");
}

static void
service_closed(struct yb_conn *c)
{
    struct yb_smtp_session *s = session_of(c);

    if (s == NULL)
        return;
    smtp_tx_reset(s);
    if (s->server->hooks.closed != NULL)
        s->server->hooks.closed(s);
    yb_free(s->engine->helo);
    yb_free(s); /* the engine's part with it */
    yb_conn_set_session(c, NULL);
}

/* clang-format off */
#define SERVICE(service_name)                                                                      \
    {                                                                                              \
        .name = service_name, .busy_text = "421 4.3.2 Too many connections, try again later",      \
        .opened = service_opened, .line = service_line, .data = service_data,                      \
        .tls_started = service_tls_started, .woken = service_woken,                                \
        .timed_out = service_timed_out,                                                            \
        .closed = service_closed                                                                   \
    }
const struct yb_service yb_smtp_service = SERVICE("smtp");
const struct yb_service yb_submission_service = SERVICE("submission");
const struct yb_service yb_lmtp_service = SERVICE("lmtp");
/* clang-format on */
