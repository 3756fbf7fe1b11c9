/*
 * yubin-lmtpd: stores messages into the Maildirs of this node.
 *
 * It listens on a unix socket for LMTP (RFC 2033) from smtpd, submitd and relayd of this node,
 * whose users it knows by SO_PEERCRED, and believes what they say of a recipient
 * (docs/delivery.md). A recipient is answered 250 only when his file is on disk. It needs no
 * database to store; every usage_interval it reports the sizes of mailboxes that changed, and it
 * never waits for that.
 *
 * User yubin-mail. Files: mail_root (read, write). Signals and exit codes: lib/daemon/daemon.h.
 */
#include "lib/daemon/events.h"
#include "lib/home/home.h"
#include "lmtpd/conf.h"
#include "lmtpd/deliver.h"

struct lmtpd {
    struct yb_daemon *daemon;
    struct lmtpd_deliver deliver;
    struct yb_smtp_server *server;
    struct yb_directory *directory;
    struct yb_node_id node;
    struct yb_home_usage usage;
};

static const struct lmtpd_conf *
conf_of(const struct lmtpd *l)
{
    return yb_conf_section(yb_daemon_conf_now(l->daemon), &lmtpd_conf_table);
}

static void
peer_unknown(const char *name)
{
    yb_log(YB_LOG_INFO, NULL, "lmtpd.peer.unknown", "there is no user %s on this node", name);
}

static int
open_store(struct lmtpd *l, struct yb_err *err)
{
    const struct lmtpd_conf *conf = conf_of(l);
    struct yb_directory_conf directory = {
        .conninfo = yb_daemon_database(l->daemon),
        .application = "lmtpd",
        .connections = 1,
    };

    if (yb_home_open(yb_conf_common(yb_daemon_conf_now(l->daemon)), conf->lock_timeout,
                     conf->open_accounts, &l->node, &l->deliver.store, err) < 0 ||
        yb_store_tell(l->deliver.store, err) < 0)
        return -1;
    directory.node = l->node;
    l->directory = yb_directory_new(&directory);
    return yb_directory_start(l->directory, err);
}

static int
init(struct yb_daemon *d, void **state, struct yb_err *err)
{
    struct lmtpd *l = yb_alloc(1, sizeof(*l));
    const struct lmtpd_conf *conf;

    l->daemon = d;
    *state = l;
    conf = conf_of(l);
    yb_smtp_peers_find(&l->deliver.peers, conf->peers.v, conf->peers.n, peer_unknown);
    if (open_store(l, err) < 0 ||
        yb_daemon_events_open(d, "lmtpd", l->node, &l->deliver.events, err) < 0)
        return -1;
    l->server = yb_smtp_server_new(
        &(struct yb_smtp_conf){
            .dialect = YB_SMTP_LMTP,
            .name = "lmtp",
            .hostname = yb_conf_common(yb_daemon_conf_now(d))->hostname,
            .max_message = conf->max_message,
            .max_rcpt = conf->max_rcpt,
            .command_timeout_ms = conf->command_timeout,
            .data_timeout_ms = conf->data_timeout,
            .events = l->deliver.events,
        },
        &lmtpd_hooks, &l->deliver);
    l->usage = (struct yb_home_usage){ .net = yb_daemon_net(d),
                                       .store = l->deliver.store,
                                       .directory = l->directory,
                                       .interval_ms = conf->usage_interval,
                                       .round_ms = conf->usage_round,
                                       .tells_room = true };
    l->deliver.keeps = yb_home_keeps;
    l->deliver.home = &l->usage;
    yb_home_usage_begin(&l->usage);
    return 0;
}

static void *
listener_arg(void *state, size_t i YB_UNUSED)
{
    return ((struct lmtpd *)state)->server;
}

static void
drain(void *state)
{
    yb_smtp_server_drain(((struct lmtpd *)state)->server);
}

static void
stop(void *state)
{
    struct lmtpd *l = state;

    yb_home_usage_end(&l->usage);
    yb_smtp_server_free(&l->server);
    yb_event_writer_close(&l->deliver.events);
    yb_directory_free(&l->directory);
    yb_store_root_close(&l->deliver.store);
    yb_free(l);
}

static void
metrics(void *state, struct yb_metrics *m)
{
    struct lmtpd_deliver *d = &((struct lmtpd *)state)->deliver;

    yb_metrics_counter(m, "lmtpd_deliveries_total", "Recipients answered.", "result=\"stored\"",
                       atomic_load(&d->delivered));
    yb_metrics_counter(m, "lmtpd_deliveries_total", "Recipients answered.", "result=\"refused\"",
                       atomic_load(&d->refused));
    yb_metrics_counter(m, "lmtpd_duplicates_total", "Repeated hand-overs that were stored already.",
                       NULL, atomic_load(&d->duplicates));
    yb_daemon_events_figures(d->events, m);
}

/* A worker's own are counted with it; what stays open are the accounts. */
static size_t
files(const struct yb_conf *all)
{
    const struct lmtpd_conf *conf = yb_conf_section(all, &lmtpd_conf_table);

    return YB_STORE_FILES * ((size_t)conf->open_accounts);
}

int
main(int argc, char **argv)
{
    static const struct yb_daemon_listener listeners[] = { { "listen", &yb_lmtp_service } };
    static const struct yb_daemon_spec spec = {
        .name = YB_ROLE_NAME(LMTPD),
        .summary = YB_ROLE_SUMMARY(LMTPD),
        .conf = &lmtpd_conf_table,
        .listeners = listeners,
        .n_listeners = YB_COUNT(listeners),
        .files = files,
        .init = init,
        .listener_arg = listener_arg,
        .drain = drain,
        .stop = stop,
        .metrics = metrics,
    };

    return yb_daemon_run(&spec, argc, argv);
}
