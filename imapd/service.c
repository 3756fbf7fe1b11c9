/*
 * The life of a connection, as lib/net tells it: greeting, notices, timeouts, farewell. The walk of
 * a line: service_line() hands it to input.c; when its command is whole, imapd_dispatch()
 * (dispatch.c) finds the command's row and checks everything the row says before the command
 * (cmd_*.c) runs; reply.c says what it came to.
 */
#include "imapd/service.h"

#include "imapd/cmd.h"
#include "imapd/dispatch.h"
#include "imapd/input.h"
#include "imapd/reply.h"

static void
service_opened(struct yb_conn *conn)
{
    struct imapd_server *server = yb_conn_listener_arg(conn);
    struct imapd_session *s = yb_alloc(1, sizeof(*s));
    struct imapd_cmd c;

    s->server = server;
    s->conf = atomic_load(&server->conf);
    s->state = IMAPD_ST_START;
    s->budget = (struct yb_budget){ .pool = server->memory, .limit = s->conf->command_memory };
    yb_conn_set_session(conn, s);
    imapd_set_limits(conn, s);
    imapd_cmd_begin(&c, conn, YB_STR("*"));
    yb_buf_add(c.out, YB_STR("* OK ["));
    imapd_put_capability(&c);
    yb_buf_add(c.out, YB_STR("] yubin is ready\r\n"));
    imapd_cmd_flush(&c);
}

/* Who may not go on hears why, whatever he is at; nothing he said in advance is done any more. */
static bool
tell_ended(struct yb_conn *conn, struct imapd_session *s)
{
    const char *why = yb_online_ended(&s->online);
    char ascii[YB_AUTH_TEXT];

    if (why == NULL || s->closing)
        return why != NULL;
    yb_log(YB_LOG_INFO, yb_conn_log(conn), "imap.ended", "%s", why);
    imapd_bye(conn, s,
              yb_str(ascii, yb_str_put_ascii(yb_str_head(yb_str_from(why), sizeof(ascii)), ascii)));
    return true;
}

static void
service_line(struct yb_conn *conn, struct yb_str line, unsigned flags)
{
    struct imapd_session *s = yb_conn_session(conn);

    if (!tell_ended(conn, s))
        imapd_input_line(conn, s, line, flags);
    imapd_rest(s);
}

static void
service_data(struct yb_conn *conn, struct yb_str block, bool last, unsigned flags)
{
    struct imapd_session *s = yb_conn_session(conn);

    if (!tell_ended(conn, s))
        imapd_input_data(conn, s, block, last, flags);
    imapd_rest(s);
}

/* A notice may come late, when IDLE is over already: then NOOP or any other command tells it. At the
 * server's end nobody is let go without a BYE (RFC 3501 §3.4). */
static void
service_woken(struct yb_conn *conn)
{
    struct imapd_session *s = yb_conn_session(conn);

    if (s->closing || tell_ended(conn, s))
        return;
    if (atomic_load(&s->server->stopping))
        imapd_bye(conn, s, YB_STR("[UNAVAILABLE] The server is restarted, come back in a moment"));
    else if (s->mode == IMAPD_IN_IDLE)
        imapd_idle_woken(conn, s);
    imapd_rest(s);
}

static void
service_timed_out(struct yb_conn *conn)
{
    struct imapd_session *s = yb_conn_session(conn);

    yb_log(YB_LOG_INFO, yb_conn_log(conn), "imap.timeout", "%s",
           s->state == IMAPD_ST_START ? "before login" : "after login");
    imapd_bye(conn, s, YB_STR("You were silent for too long"));
}

static void
service_closed(struct yb_conn *conn)
{
    struct imapd_session *s = yb_conn_session(conn);

    imapd_abandon(s);
    imapd_input_free(s);
    yb_auth_abandon(&s->exchange);
    if (s->state != IMAPD_ST_START)
        yb_log(YB_LOG_INFO, yb_conn_log(conn), "imap.logout", "closed");
    imapd_deselect(s);
    yb_online_remove(s->server->online, &s->online);
    yb_store_close(&s->account);
    yb_free(s->tag);
    yb_free(s);
}

const struct yb_service imapd_service = {
    .name = "imap",
    .busy_text = "* BYE [UNAVAILABLE] Too many connections, try again later",
    .line_pieces = true,
    .opened = service_opened,
    .line = service_line,
    .data = service_data,
    .woken = service_woken,
    .timed_out = service_timed_out,
    .closed = service_closed,
};
