/* The engine's handlers: greeting, lines and blocks to input.c, notices, timeouts, farewell. */
#include "imapd/session.h"

#include "imapd/commands.h"

#define LOGINS_TAKE 5 /* login_timeouts until somebody must be logged in */

/* clang-format off */
const struct yb_counter imapd_counter_rows[IMAPD_COUNTERS] = {
    [IMAPD_COUNT_LOGINS]         = { "imapd_logins_total", "Logins.", "result=\"ok\"" },
    [IMAPD_COUNT_LOGIN_FAILURES] = { "imapd_logins_total", "Logins.", "result=\"refused\"" },
    [IMAPD_COUNT_COMMANDS]       = { "imapd_commands_total", "Commands.", NULL },
    [IMAPD_COUNT_BAD_COMMANDS]   = { "imapd_bad_commands_total", "Commands answered BAD.", NULL },
    [IMAPD_COUNT_FETCHED]        = { "imapd_fetched_total", "FETCH answers.", NULL },
    [IMAPD_COUNT_APPENDED]       = { "imapd_appended_total", "Messages stored by APPEND.", NULL },
    [IMAPD_COUNT_PUSHED]         = { "imapd_pushed_total", "Notices taken to clients in IDLE.", NULL },
};
/* clang-format on */

void
imapd_count(struct imapd_server *server, enum imapd_counter which, uint64_t by)
{
    atomic_fetch_add_explicit(&server->counts[which], by, memory_order_relaxed);
}

/* Lines are bounded by what a command may be long; an exchange may need longer ones before login.
 */
static void
set_limits(struct yb_conn *conn, const struct imapd_session *s)
{
    bool in = s->state != IMAPD_ST_START;

    yb_conn_set_line_limit(conn, in ? IMAPD_COMMAND_MAX : IMAPD_COMMAND_BEFORE_LOGIN);
    yb_conn_set_timeout(conn, in ? s->conf->idle_timeout : s->conf->login_timeout);
    /* NOOPs before login do not keep a connection for ever. */
    yb_conn_set_deadline(conn, in ? 0 : LOGINS_TAKE * s->conf->login_timeout);
}

static void
session_opened(struct yb_conn *conn)
{
    struct imapd_server *server = yb_conn_listener_arg(conn);
    struct imapd_session *s = yb_alloc(1, sizeof(*s));
    struct imapd_cmd c;

    s->server = server;
    s->conf = atomic_load(&server->conf);
    s->state = IMAPD_ST_START;
    s->budget = (struct yb_budget){ .pool = server->memory, .limit = s->conf->command_memory };
    yb_conn_set_session(conn, s);
    set_limits(conn, s);
    imapd_cmd_begin(&c, conn, YB_STR("*"));
    yb_buf_add(c.out, YB_STR("* OK ["));
    imapd_put_capability(&c);
    yb_buf_add(c.out, YB_STR("] yubin is ready\r\n"));
    imapd_cmd_end(&c);
}

int
imapd_login(struct yb_conn *conn, struct imapd_session *s, const struct yb_auth_user *user,
            struct yb_err *err)
{
    uint64_t fair;

    if (!yb_node_id_is_zero(user->home) && !yb_node_id_eq(user->home, s->server->node))
        return yb_err_as(err, YB_ERR_AWAY, YB_TEMP, "4.3.0",
                         "Your mailbox is served by another host");
    if (yb_store_open(s->server->store, user->account, true, &s->account, err) < 0)
        return -1;
    if (!yb_conn_set_account(conn, user->account, s->conf->max_connections_per_account)) {
        yb_store_close(&s->account);
        return yb_err_as(err, YB_ERR_LIMIT, YB_TEMP, "4.7.0",
                         "Your account has too many connections: close one of them");
    }
    s->state = IMAPD_ST_USER;
    s->account_id = user->account;
    s->quota = user->quota;
    s->bad = 0;
    memcpy(&fair, user->tenant.v, sizeof(fair));
    yb_conn_set_fair_key(conn, fair);
    yb_log_ctx_add(yb_conn_log(conn), "user", yb_str_from(user->address));
    set_limits(conn, s);
    imapd_count(s->server, IMAPD_COUNT_LOGINS, 1);
    yb_log(YB_LOG_INFO, yb_conn_log(conn), "imap.login", "%s",
           yb_conn_is_tls(conn) ? yb_conn_tls_version(conn) : "plain");
    return 0;
}

/* --- selected, at rest, left --- */

void
imapd_select(struct imapd_session *s, struct yb_conn *conn, struct yb_mailbox *m,
             const struct yb_view *view, uint32_t watched)
{
    s->mailbox = m;
    s->view = *view;
    s->state = IMAPD_ST_BOX;
    s->push = (struct imapd_push_entry){ .conn = yb_conn_self(conn),
                                         .account = s->account_id,
                                         .uidvalidity = watched };
    imapd_push_add(s->server->push, &s->push);
}

/* The last reader of a mailbox tidies its index; nobody is there to be told when that fails. One that
 * was deleted needs no tidying. */
static void
compact(struct imapd_session *s)
{
    struct yb_err err = { 0 };
    int64_t keep_ms = atomic_load(&s->server->conf)->keep_expunged;

    if ((imapd_resume(s, &err) < 0 || yb_mailbox_compact(s->mailbox, keep_ms / 1000, &err) < 0) &&
        err.class != YB_PERM)
        yb_log_err(YB_LOG_WARN, NULL, "imap.compact.failed", &err);
}

void
imapd_deselect(struct imapd_session *s)
{
    bool last;

    if (s->state != IMAPD_ST_BOX)
        return;
    yb_store_unwatch(s->server->store, s->account_id, s->push.uidvalidity);
    last = imapd_push_remove(s->server->push, &s->push);
    if (last && !s->view.read_only)
        compact(s);
    if (s->mailbox != NULL)
        yb_view_end(s->mailbox, &s->view);
    yb_mailbox_close(&s->mailbox);
    yb_free(s->folder);
    s->folder = NULL;
    s->view = (struct yb_view){ 0 };
    s->state = IMAPD_ST_USER;
}

int
imapd_resume_account(struct imapd_session *s, struct yb_err *err)
{
    return s->account != NULL
               ? 0
               : yb_store_open(s->server->store, s->account_id, false, &s->account, err);
}

int
imapd_resume(struct imapd_session *s, struct yb_err *err)
{
    if (imapd_resume_account(s, err) < 0)
        return -1;
    if (s->state != IMAPD_ST_BOX || s->mailbox != NULL)
        return 0;
    return yb_mailbox_resume(s->account, s->folder == NULL ? "" : s->folder, s->view.uidvalidity,
                             &s->mailbox, err);
}

/* The folder's name as it is now: another session may have renamed it. */
static void
note_folder(struct imapd_session *s)
{
    const char *now = yb_mailbox_folder(s->mailbox);

    if (strcmp(s->folder == NULL ? "" : s->folder, now) == 0)
        return;
    yb_free(s->folder);
    s->folder = *now == '\0' ? NULL : yb_dup(now, strlen(now));
}

void
imapd_rest(struct imapd_session *s)
{
    if (s->running != NULL)
        return;
    if (s->mailbox != NULL)
        note_folder(s);
    yb_mailbox_close(&s->mailbox);
    yb_store_close(&s->account);
}

/* --- handlers --- */

void
imapd_bye(struct yb_conn *conn, struct imapd_session *s, struct yb_str text)
{
    yb_conn_write(conn, YB_STR("* BYE "));
    yb_conn_write(conn, text);
    yb_conn_write(conn, YB_STR("\r\n"));
    s->closing = true;
    yb_conn_close(conn);
}

static void
session_line(struct yb_conn *conn, struct yb_str line, unsigned flags)
{
    struct imapd_session *s = yb_conn_session(conn);

    imapd_input_line(conn, s, line, flags);
    imapd_rest(s);
}

static void
session_data(struct yb_conn *conn, struct yb_str block, bool last, unsigned flags)
{
    struct imapd_session *s = yb_conn_session(conn);

    imapd_input_data(conn, s, block, last, flags);
    imapd_rest(s);
}

/* A notice may come late, when IDLE is over already: then NOOP or any other command tells it. At the
 * server's end nobody is let go without a BYE (RFC 3501 §3.4). */
static void
session_woken(struct yb_conn *conn)
{
    struct imapd_session *s = yb_conn_session(conn);

    if (s->closing)
        return;
    if (atomic_load(&s->server->stopping))
        imapd_bye(conn, s, YB_STR("[UNAVAILABLE] The server is restarted, come back in a moment"));
    else if (s->mode == IMAPD_IN_IDLE)
        imapd_idle_woken(conn, s);
    imapd_rest(s);
}

static void
session_timed_out(struct yb_conn *conn)
{
    struct imapd_session *s = yb_conn_session(conn);

    yb_log(YB_LOG_INFO, yb_conn_log(conn), "imap.timeout", "%s",
           s->state == IMAPD_ST_START ? "before login" : "after login");
    imapd_bye(conn, s, YB_STR("You were silent for too long"));
}

static void
session_closed(struct yb_conn *conn)
{
    struct imapd_session *s = yb_conn_session(conn);

    imapd_abandon(s);
    imapd_input_free(s);
    yb_auth_abandon(&s->exchange);
    if (s->state != IMAPD_ST_START)
        yb_log(YB_LOG_INFO, yb_conn_log(conn), "imap.logout", "closed");
    imapd_deselect(s);
    yb_store_close(&s->account);
    yb_free(s->tag);
    yb_free(s);
}

const struct yb_service imapd_service = {
    .name = "imap",
    .busy_text = "* BYE [UNAVAILABLE] Too many connections, try again later",
    .opened = session_opened,
    .line = session_line,
    .data = session_data,
    .woken = session_woken,
    .timed_out = session_timed_out,
    .closed = session_closed,
};
