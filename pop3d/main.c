/*
 * yubin-pop3d: serves mailboxes of this node to POP3 programs.
 *
 * RFC 1939 with CAPA (2449), STLS (2595), AUTH (5034) and response codes (2449, 3206), on a port
 * with STLS and on one with TLS from the first byte. Nothing takes a password before TLS. One
 * session at a time has an inbox; what it deletes is gone, durably, when QUIT is answered.
 *
 * User yubin-mail. Role yubin_pop3d: may ask for a login, replace an imported hash, report sizes.
 * Files: mail_root (read, write). Signals and exit codes: lib/daemon/daemon.h.
 */
#include "lib/daemon/daemon.h"
#include "lib/home/home.h"
#include "pop3d/conf.h"
#include "pop3d/service.h"
#include "pop3d/session.h"

struct program {
    struct yb_daemon *daemon;
    struct yb_directory *directory;
    struct pop3d pop3d;
    struct yb_home_usage usage;
};

static int
open_online(struct program *p, struct yb_err *err)
{
    const struct yb_online_conf conf = {
        .net = yb_daemon_net(p->daemon),
        .wake = yb_net_wake,
        .kick = yb_net_kick,
        .source = yb_online_source_directory(p->directory, YB_AUTH_POP3),
        .watch = true,
    };

    p->pop3d.online = yb_online_new(&conf);
    return yb_online_start(p->pop3d.online, err);
}

static int
open_accounts(struct program *p, const struct pop3d_conf *conf, struct yb_err *err)
{
    struct yb_directory_conf directory = { .conninfo = yb_daemon_database(p->daemon),
                                           .application = "pop3d",
                                           .node = p->pop3d.node,
                                           .warm = YB_WARM_LOGIN };
    struct yb_auth_conf auth = { .service = "pop",
                                 .mechanisms = yb_str_from(conf->auth_mechanisms),
                                 .secret = yb_common_auth_secret(
                                     yb_conf_common(yb_daemon_conf_now(p->daemon))) };

    p->directory = yb_directory_new(&directory);
    auth.source = yb_auth_source_directory(p->directory, YB_AUTH_POP3);
    p->pop3d.auth = yb_auth_new(&auth, err);
    if (p->pop3d.auth == NULL || open_online(p, err) < 0)
        return -1;
    return yb_directory_start(p->directory, err);
}

static int
init(struct yb_daemon *d, void **state, struct yb_err *err)
{
    const struct pop3d_conf *conf = yb_conf_section(yb_daemon_conf_now(d), &pop3d_conf_table);
    struct program *p = yb_alloc(1, sizeof(*p));

    *state = p;
    p->daemon = d;
    p->pop3d.max_failures = conf->max_failures;
    p->pop3d.max_per_account = conf->max_connections_per_account;
    p->pop3d.login_timeout_ms = conf->login_timeout;
    p->pop3d.timeout_ms = conf->timeout;
    if (yb_home_open(yb_conf_common(yb_daemon_conf_now(d)), conf->lock_timeout, conf->open_accounts,
                     &p->pop3d.node, &p->pop3d.store, err) < 0 ||
        yb_store_tell(p->pop3d.store, err) < 0 || open_accounts(p, conf, err) < 0)
        return -1;
    p->usage = (struct yb_home_usage){ .net = yb_daemon_net(d),
                                       .store = p->pop3d.store,
                                       .directory = p->directory,
                                       .interval_ms = conf->usage_interval };
    p->pop3d.serves = yb_home_serves;
    p->pop3d.home = &p->usage;
    yb_home_usage_begin(&p->usage);
    return 0;
}

static void *
listener_arg(void *state, size_t i YB_UNUSED)
{
    return &((struct program *)state)->pop3d;
}

static void
drain(void *state)
{
    atomic_store(&((struct program *)state)->pop3d.draining, true);
}

static void
stop(void *state)
{
    struct program *p = state;

    yb_home_usage_end(&p->usage);
    yb_auth_free(&p->pop3d.auth);
    yb_online_stop(p->pop3d.online);
    yb_directory_free(&p->directory);
    yb_online_free(&p->pop3d.online);
    yb_store_root_close(&p->pop3d.store);
    yb_free(p);
}

static void
metrics(void *state, struct yb_metrics *m)
{
    struct pop3d *p = &((struct program *)state)->pop3d;
    struct yb_online_stats online;
    struct yb_auth_stats auth;

    yb_online_stats_read(p->online, &online);
    yb_metrics_gauge(m, "pop3d_logged_in", "Sessions of users who are logged in.", NULL,
                     online.sessions);
    yb_metrics_counter(m, "pop3d_ended_total", "Sessions ended before their users did.",
                       "why=\"changed\"", online.ended);
    yb_metrics_counter(m, "pop3d_ended_total", "Sessions ended before their users did.",
                       "why=\"kicked\"", online.kicked);
    yb_auth_stats_read(p->auth, &auth);
    yb_metrics_counter(m, "pop3d_sessions_total", "Connections greeted.", NULL,
                       atomic_load(&p->counts.sessions));
    yb_metrics_counter(m, "pop3d_logins_total", "Logins by outcome.", "result=\"ok\"", auth.ok);
    yb_metrics_counter(m, "pop3d_logins_total", "Logins by outcome.", "result=\"wrong\"",
                       auth.wrong);
    yb_metrics_counter(m, "pop3d_logins_total", "Logins by outcome.", "result=\"suspended\"",
                       auth.suspended);
    yb_metrics_counter(m, "pop3d_logins_total", "Logins by outcome.", "result=\"limited\"",
                       auth.limited);
    yb_metrics_counter(m, "pop3d_logins_total", "Logins by outcome.", "result=\"away\"", auth.away);
    yb_metrics_counter(m, "pop3d_passwords_hashed_total", "Passwords checked by hashing.", NULL,
                       auth.hashed);
    yb_metrics_counter(m, "pop3d_passwords_remembered_total", "Passwords known from before.", NULL,
                       auth.remembered);
    yb_metrics_counter(m, "pop3d_in_use_total", "Logins refused because of another session.", NULL,
                       atomic_load(&p->counts.in_use));
    yb_metrics_counter(m, "pop3d_messages_total", "Messages by what was done.",
                       "done=\"retrieved\"", atomic_load(&p->counts.retrieved));
    yb_metrics_counter(m, "pop3d_messages_total", "Messages by what was done.", "done=\"deleted\"",
                       atomic_load(&p->counts.deleted));
    yb_metrics_counter(m, "pop3d_bytes_total", "Bytes of messages sent.", NULL,
                       atomic_load(&p->counts.bytes));
}

/* Each session has an account and a mailbox open; so has each account kept open. */
static size_t
files(const struct yb_conf *all)
{
    const struct pop3d_conf *conf = yb_conf_section(all, &pop3d_conf_table);

    return YB_STORE_FILES * ((size_t)conf->daemon.max_connections + conf->open_accounts);
}

static int
command_sessions(void *state, struct yb_str rest, struct yb_buf *answer, struct yb_err *err)
{
    return yb_online_list(((struct program *)state)->pop3d.online, rest, answer, err);
}

static int
command_kick(void *state, struct yb_str rest, struct yb_buf *answer, struct yb_err *err)
{
    return yb_online_kick(((struct program *)state)->pop3d.online, rest, answer, err);
}

int
main(int argc, char **argv)
{
    static const struct yb_daemon_listener listeners[] = { { "listen", &pop3d_service },
                                                           { "listen_tls", &pop3d_service } };
    static const struct yb_daemon_command commands[] = {
        { "sessions", command_sessions },
        { "kick", command_kick },
    };
    static const struct yb_daemon_spec spec = {
        .name = YB_ROLE_NAME(POP3D),
        .summary = YB_ROLE_SUMMARY(POP3D),
        .conf = &pop3d_conf_table,
        .listeners = listeners,
        .n_listeners = YB_COUNT(listeners),
        .commands = commands,
        .n_commands = YB_COUNT(commands),
        .files = files,
        .init = init,
        .listener_arg = listener_arg,
        .drain = drain,
        .stop = stop,
        .metrics = metrics,
    };

    return yb_daemon_run(&spec, argc, argv);
}
