/*
 * The life of a connection, as lib/net tells it. The walk of a line: on_line() hands it to
 * pop3d_dispatch() (dispatch.c), which finds the command's row and checks everything the row says
 * before the command (cmd_*.c) runs; errors are said by reply.c.
 */
#include "pop3d/service.h"

#include "lib/base/log.h"
#include "pop3d/dispatch.h"
#include "pop3d/reply.h"

#include <unistd.h>

static void
on_opened(struct yb_conn *c)
{
    struct pop3d *p = yb_conn_listener_arg(c);
    struct pop3d_session *s = yb_alloc(1, sizeof(*s));

    s->pop3d = p;
    s->state = POP3D_AUTHORIZATION;
    s->fd = -1;
    s->end = "lost";
    yb_conn_set_session(c, s);
    yb_conn_set_line_limit(c, POP3D_COMMAND_LINE);
    yb_conn_set_deadline(c, p->login_timeout_ms);
    /* No timestamp in the greeting: APOP protects nothing that TLS does not (RFC 1939 §7). */
    yb_conn_write(c, YB_STR("+OK POP3 ready\r\n"));
    atomic_fetch_add(&p->counts.sessions, 1);
}

/*
 * Who may not go on hears why and is let go at once; nothing is deleted (RFC 1939 §6). A server has
 * no way to speak unasked: the client takes the line for the answer to its next command.
 */
static bool
tell_ended(struct yb_conn *c, struct pop3d_session *s)
{
    const char *why = yb_online_ended(&s->online);
    struct yb_err err = { 0 };

    if (why == NULL)
        return false;
    yb_err_as(&err, YB_ERR_DISABLED, YB_PERM, "5.7.13", "%s", why);
    pop3d_reply_err(c, &err);
    s->end = "ended";
    yb_conn_close(c);
    return true;
}

static void
on_line(struct yb_conn *c, struct yb_str line, unsigned flags)
{
    struct pop3d_session *s = yb_conn_session(c);

    if (!tell_ended(c, s))
        pop3d_dispatch(c, s, line, flags);
}

static void
on_woken(struct yb_conn *c)
{
    (void)tell_ended(c, yb_conn_session(c));
}

/* RFC 2595 §4: what was learned before the handshake is forgotten. */
static void
on_tls_started(struct yb_conn *c)
{
    struct pop3d_session *s = yb_conn_session(c);

    yb_free(s->user);
    s->user = NULL;
    s->state = POP3D_AUTHORIZATION;
}

/* RFC 1939 §3: closed without a word, and nothing is deleted. */
static void
on_timed_out(struct yb_conn *c)
{
    ((struct pop3d_session *)yb_conn_session(c))->end = "timeout";
}

static void
on_closed(struct yb_conn *c)
{
    struct pop3d_session *s = yb_conn_session(c);
    struct yb_log_line line;

    if (s->state == POP3D_TRANSACTION) {
        yb_log_begin(&line, YB_LOG_INFO, yb_conn_log(c), "pop3.end");
        yb_log_str(&line, "reason", yb_str_from(s->end));
        yb_log_num(&line, "retrieved", (int64_t)s->retrieved);
        yb_log_num(&line, "deleted", (int64_t)s->deleted);
        yb_log_num(&line, "bytes", (int64_t)s->bytes);
        yb_log_end(&line);
    }
    yb_auth_abandon(&s->exchange);
    yb_online_remove(s->pop3d->online, &s->online);
    pop3d_maildrop_close(&s->drop);
    if (s->fd >= 0)
        close(s->fd);
    yb_free(s->user);
    yb_free(s);
}

const struct yb_service pop3d_service = {
    .name = "pop3",
    .busy_text = "-ERR [SYS/TEMP] Too many connections; try again later",
    .opened = on_opened,
    .line = on_line,
    .tls_started = on_tls_started,
    .woken = on_woken,
    .timed_out = on_timed_out,
    .closed = on_closed,
};
