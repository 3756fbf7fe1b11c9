/* The life of a session: its limits, login, the selected mailbox, rest. */
#include "imapd/session.h"

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

void
imapd_set_timeout(struct yb_conn *conn, const struct imapd_session *s)
{
    yb_conn_set_timeout(conn, s->state != IMAPD_ST_START ? s->conf->idle_timeout
                                                         : s->conf->login_timeout);
}

/* Lines are bounded by what any command may be long; input.c knows which may be so long. */
void
imapd_set_limits(struct yb_conn *conn, const struct imapd_session *s)
{
    bool in = s->state != IMAPD_ST_START;

    yb_conn_set_line_limit(conn, IMAPD_COMMAND_MAX);
    imapd_set_timeout(conn, s);
    /* NOOPs before login do not keep a connection for ever. */
    yb_conn_set_deadline(conn, in ? 0 : LOGINS_TAKE * s->conf->login_timeout);
}

int
imapd_login(struct yb_conn *conn, struct imapd_session *s, const struct yb_auth_user *user,
            struct yb_err *err)
{
    uint64_t fair;

    if (s->server->serves != NULL && s->server->serves(s->server->home, user->store, err) < 0)
        return -1;
    if (yb_store_open(s->server->store, user->account, true, &s->account, err) < 0)
        return -1;
    if (!yb_conn_set_account(conn, user->account, s->conf->max_connections_per_account)) {
        yb_store_close(&s->account);
        return yb_err_as(err, YB_ERR_LIMIT, YB_TEMP, "4.7.0",
                         "Your account has too many connections: close one of them");
    }
    /* What stands against it, its first command hears. */
    (void)!yb_store_usage_again(s->account, NULL);
    s->state = IMAPD_ST_USER;
    s->account_id = user->account;
    s->quota = user->quota;
    s->bad = 0;
    memcpy(&fair, user->tenant.v, sizeof(fair));
    yb_conn_set_fair_key(conn, fair);
    yb_log_ctx_add(yb_conn_log(conn), "user", yb_str_from(user->address));
    imapd_set_limits(conn, s);
    imapd_count(s->server, IMAPD_COUNT_LOGINS, 1);
    yb_online_add(s->server->online, &s->online, conn, user);
    yb_log(YB_LOG_INFO, yb_conn_log(conn), "imap.login", "%s",
           yb_conn_is_tls(conn) ? yb_conn_tls_version(conn) : "plain");
    return 0;
}

void
imapd_session_heard(void *arg, struct yb_online_entry *e, const struct yb_login *login)
{
    struct imapd_session *s =
        (struct imapd_session *)(void *)((char *)e - offsetof(struct imapd_session, online));
    struct imapd_server *server = arg;

    atomic_store(&s->zone, imapd_zone(server->zones,
                                      yb_settings_text(login->settings, YB_SETTING_TIME_ZONE)));
}

/* --- selected, at rest, left --- */

void
imapd_session_select(struct imapd_session *s, struct yb_conn *conn, struct yb_mailbox *m,
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
    yb_keywords_release(&s->keywords);
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
    yb_keywords_release(&s->keywords);
    yb_mailbox_close(&s->mailbox);
    yb_store_close(&s->account);
}
