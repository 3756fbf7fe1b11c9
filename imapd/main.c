/*
 * yubin-imapd: serves the mailboxes of this node by IMAP4rev1 (RFC 3501 and the extensions that its
 * CAPABILITY names), on port 143 after STARTTLS and on port 993 with TLS from the first octet.
 *
 * It listens on <run_dir>/imapd/notify for what other programs changed in the store, so that a
 * client in IDLE hears of a message at once; nothing is polled. Every usage_interval it reports the
 * sizes of mailboxes that its users changed to the database, and never waits for that.
 *
 * User yubin-mail. Files: mail_root (read, write), tzdata's zones. Database: yubin_imapd
 * (functions that find one login and take sizes). Signals and exit codes: lib/daemon/daemon.h.
 */
#include "lib/daemon/daemon.h"
#include "lib/home/home.h"

#include "imapd/service.h"
#include "imapd/session.h"
#include "imapd/suspect.h"

struct state {
    struct yb_daemon *daemon;
    struct yb_directory *directory;
    struct imapd_server server;
    struct yb_home_usage usage;
};

static const struct imapd_conf *
conf_of(const struct state *st)
{
    return yb_conf_section(yb_daemon_conf_now(st->daemon), &imapd_conf_table);
}

static int
open_online(struct state *st, struct yb_err *err)
{
    const struct yb_online_conf conf = {
        .net = st->server.net,
        .wake = yb_net_wake,
        .kick = yb_net_kick,
        .source = yb_online_source_directory(st->directory, YB_AUTH_IMAP),
        .heard = imapd_session_heard,
        .heard_arg = &st->server,
        .watch = true,
    };

    st->server.online = yb_online_new(&conf);
    return yb_online_start(st->server.online, err);
}

/* lib/auth starts the SASL library, which must happen before there are threads. */
static int
open_auth(struct state *st, const struct yb_common_conf *common, struct yb_err *err)
{
    const struct imapd_conf *conf = conf_of(st);
    struct yb_directory_conf directory = {
        .conninfo = yb_daemon_database(st->daemon),
        .application = "imapd",
        .node = st->server.node,
        .postmaster = common->postmaster,
        .warm = YB_WARM_LOGIN,
    };
    struct yb_auth_conf auth = {
        .service = "imap",
        .mechanisms = yb_str_from(conf->auth_mechanisms),
        .secret = yb_common_auth_secret(common),
    };

    st->directory = yb_directory_new(&directory);
    auth.source = yb_auth_source_directory(st->directory, YB_AUTH_IMAP);
    st->server.auth = yb_auth_new(&auth, err);
    if (st->server.auth == NULL || open_online(st, err) < 0)
        return -1;
    return yb_directory_start(st->directory, err);
}

static int
open_store(struct state *st, const struct yb_common_conf *common, struct yb_err *err)
{
    const struct imapd_conf *conf = conf_of(st);

    if (yb_home_open(common, conf->lock_timeout, conf->open_accounts, &st->server.node,
                     &st->server.store, err) < 0)
        return -1;
    st->server.push = imapd_push_new(st->server.net, yb_net_wake);
    return yb_store_on_change(st->server.store, imapd_push_changed, st->server.push, err);
}

static int
init(struct yb_daemon *d, void **state, struct yb_err *err)
{
    const struct yb_common_conf *common = yb_conf_common(yb_daemon_conf_now(d));
    struct state *st = yb_alloc(1, sizeof(*st));

    st->daemon = d;
    st->server.net = yb_daemon_net(d);
    st->server.slice_ms = IMAPD_SLICE_MS;
    st->server.memory = yb_budget_pool_new(conf_of(st)->commands_memory);
    st->server.notes = yb_daemon_notes(d);
    atomic_store(&st->server.conf, conf_of(st));
    *state = st;
    st->server.zones = imapd_zones_new();
    if (yb_node_id_read(common->node_id_file, &st->server.node, err) < 0 ||
        open_auth(st, common, err) < 0 || open_store(st, common, err) < 0)
        return -1;
    st->usage = (struct yb_home_usage){ .net = st->server.net,
                                        .store = st->server.store,
                                        .directory = st->directory,
                                        .interval_ms = conf_of(st)->usage_interval };
    st->server.serves = yb_home_serves;
    st->server.home = &st->usage;
    yb_home_usage_begin(&st->usage);
    return 0;
}

static void *
listener_arg(void *state, size_t i YB_UNUSED)
{
    return &((struct state *)state)->server;
}

static int
reload(void *state, struct yb_err *err YB_UNUSED)
{
    struct state *st = state;

    atomic_store(&st->server.conf, conf_of(st));
    yb_budget_pool_set_limit(st->server.memory, conf_of(st)->commands_memory);
    return 0;
}

static void
drain(void *state)
{
    struct state *st = state;

    atomic_store(&st->server.stopping, true);
    yb_net_wake_all(st->server.net);
}

static void
stop(void *state)
{
    struct state *st = state;

    yb_home_usage_end(&st->usage);
    yb_store_root_close(&st->server.store);
    imapd_push_free(&st->server.push);
    yb_auth_free(&st->server.auth);
    yb_online_stop(st->server.online);
    yb_directory_free(&st->directory);
    yb_online_free(&st->server.online);
    yb_budget_pool_free(&st->server.memory);
    imapd_zones_free(&st->server.zones);
    yb_free(st);
}

static void
metrics(void *state, struct yb_metrics *m)
{
    struct imapd_server *server = &((struct state *)state)->server;
    struct yb_counters counters = { imapd_counter_rows, IMAPD_COUNTERS, server->counts };
    struct yb_online_stats online;
    uint64_t waiting, woken;

    yb_online_stats_read(server->online, &online);
    yb_metrics_gauge(m, "imapd_logged_in", "Sessions of users who are logged in.", NULL,
                     online.sessions);
    yb_metrics_counter(m, "imapd_ended_total", "Sessions ended before their users did.",
                       "why=\"changed\"", online.ended);
    yb_metrics_counter(m, "imapd_ended_total", "Sessions ended before their users did.",
                       "why=\"kicked\"", online.kicked);
    yb_metrics_counters(m, &counters);
    imapd_push_stats(server->push, &waiting, &woken);
    yb_metrics_gauge(m, "imapd_idle", "Clients waiting in IDLE.", NULL, waiting);
    yb_metrics_gauge(m, "imapd_commands_memory_bytes", "Memory that commands under way hold.", NULL,
                     yb_budget_pool_used(server->memory));
    yb_metrics_counter(m, "imapd_woken_total", "Clients in IDLE that were woken.", NULL, woken);
}

/* Those of accounts kept open, and of commands under way: a target beside the mailbox, a message. */
static size_t
files(const struct yb_conf *all)
{
    const struct imapd_conf *conf = yb_conf_section(all, &imapd_conf_table);

    return YB_STORE_FILES * ((size_t)conf->open_accounts + 2 * conf->daemon.workers);
}

static int
command_sessions(void *state, struct yb_str rest, struct yb_buf *answer, struct yb_err *err)
{
    return yb_online_list(((struct state *)state)->server.online, rest, answer, err);
}

static int
command_kick(void *state, struct yb_str rest, struct yb_buf *answer, struct yb_err *err)
{
    return yb_online_kick(((struct state *)state)->server.online, rest, answer, err);
}

int
main(int argc, char **argv)
{
    static const struct yb_daemon_listener listeners[] = {
        { "listen", &imapd_service },
        { "listen_tls", &imapd_service },
    };
    static const struct yb_daemon_command commands[] = {
        { "sessions", command_sessions },
        { "kick", command_kick },
    };
    static const struct yb_daemon_spec spec = {
        .name = YB_ROLE_NAME(IMAPD),
        .summary = YB_ROLE_SUMMARY(IMAPD),
        .conf = &imapd_conf_table,
        .listeners = listeners,
        .n_listeners = YB_COUNT(listeners),
        .commands = commands,
        .n_commands = YB_COUNT(commands),
        .files = files,
        .init = init,
        .listener_arg = listener_arg,
        .reload = reload,
        .drain = drain,
        .stop = stop,
        .metrics = metrics,
        .probe = imapd_probe,
        .probe_ms = IMAPD_PROBE_MS,
    };

    return yb_daemon_run(&spec, argc, argv);
}
