/*
 * yubin-relayd: keeps the queue of mail that waits.
 *
 * It listens on a unix socket for LMTP (RFC 2033) from smtpd, submitd and lmtpd of this node, whose users
 * it knows by SO_PEERCRED, and believes what they say of a recipient (docs/delivery.md). Its 250 says
 * that a message is on disk. It delivers to this node's lmtpd, at once and then again and again, and holds
 * what cannot be delivered until somebody decides or its cause ends. Intake never waits for a delivery.
 *
 * User yubin-relay. Files: <state_dir>/relayd (spool), <state_dir>/relayd/queue. Database: yubin_relayd
 * (one account by its id); without it, what is younger than ask_after is delivered all the same. Signals
 * and exit codes: lib/daemon/daemon.h; a COMMIT or a sync of the queue that failed ends the child with 75.
 */
#include "lib/daemon/events.h"
#include "lib/smtp/figures.h"
#include "relayd/conf.h"
#include "relayd/control.h"
#include "relayd/intake.h"

#include <stdio.h>

/* Threads beside the engine's that hold descriptors: scheduler, writer, control. */
#define THREADS_OWN 3
/* Of a thread that works: a connection to the database of the queue (with its log), a body, a spool file,
 * a connection to lmtpd. */
#define FILES_PER_THREAD 6
/* An orderly stop has this left for the queue when the engine took all of stop_timeout. */
#define STOP_LEAST_MS 1000

struct relayd {
    struct relayd_control control; /* first: its commands are given this */
    struct yb_daemon *daemon;
    struct yb_node_id node;
    struct yb_event_writer *events;
    struct yb_directory *directory;
    struct yb_smtp_dest *lmtpd;
    struct yb_msgbuf_pool *pool;
    struct relayd_intake intake;
    struct yb_smtp_server *server;
    struct yb_deadline stop_by;
};

static const struct relayd_conf *
conf_of(const struct relayd *r)
{
    return yb_conf_section(yb_daemon_conf_now(r->daemon), &relayd_conf_table);
}

static void
peer_unknown(const char *name)
{
    yb_log(YB_LOG_INFO, NULL, "relayd.peer.unknown", "there is no user %s on this node", name);
}

static struct relayd_sched_conf
sched_conf(const struct relayd_conf *conf)
{
    return (struct relayd_sched_conf){ .workers = conf->deliver_workers,
                                       .sleep_first_ms = conf->sleep_first,
                                       .sleep_most_ms = conf->sleep_most,
                                       .retry_first_ms = conf->retry_first,
                                       .retry_most_ms = conf->retry_most,
                                       .ask_after_ms = conf->ask_after,
                                       .away_expire_ms = conf->away_expire,
                                       .hold_look_ms = conf->hold_look,
                                       .hold_expire_ms = conf->hold_expire,
                                       .grace_ms = conf->expire_grace };
}

static int
open_neighbours(struct relayd *r, struct yb_err *err)
{
    const struct relayd_conf *conf = conf_of(r);
    const struct yb_common_conf *common = yb_conf_common(yb_daemon_conf_now(r->daemon));
    const struct yb_smtp_dest_conf lmtpd = {
        .where = conf->lmtpd,
        .hostname = common->hostname,
        .lmtp = true,
        .inside = conf->deliver_workers,
        .answer_ms = conf->lmtpd_timeout,
    };
    struct yb_directory_conf directory = {
        .conninfo = yb_daemon_database(r->daemon),
        .application = "relayd",
        .connections = conf->deliver_workers,
    };

    if (yb_node_id_read(common->node_id_file, &r->node, err) < 0 ||
        yb_daemon_events_open(r->daemon, "relayd", r->node, &r->events, err) < 0)
        return -1;
    directory.node = r->node;
    r->directory = yb_directory_new(&directory);
    r->lmtpd = yb_smtp_dest_new(&lmtpd);
    return yb_directory_start(r->directory, err);
}

static int
open_queue(struct relayd *r, struct yb_err *err)
{
    const struct relayd_conf *conf = conf_of(r);
    const char *dir = yb_daemon_state_dir(r->daemon);
    const struct yb_msgbuf_conf pool = {
        .folder = dir,
        .memory_each = conf->memory_per_message,
        .memory_total = conf->memory_total,
        .memory_network = conf->memory_total, /* peers have none: all are this node's */
        .disk_network = conf->max_bytes,
        .disk_reserve = conf->disk_reserve,
    };
    char path[4096];
    struct relayd_queue_conf queue = {
        .dir = path,
        .node = r->node,
        .inline_body = conf->inline_body,
        .max_recipients = conf->max_recipients,
        .max_bytes = conf->max_bytes,
        .disk_reserve = conf->disk_reserve,
        .wal_bytes = conf->wal_size,
    };

    if (snprintf(path, sizeof(path), "%s/queue", dir) >= (int)sizeof(path))
        return yb_err_set(err, YB_PERM, "5.3.5", "state_dir is too long");
    r->pool = yb_msgbuf_pool_new(&pool, err);
    queue.spool = r->pool;
    return r->pool == NULL ? -1 : relayd_queue_open(&queue, &r->control.queue, err);
}

static int
start_run(struct relayd *r, struct yb_err *err)
{
    const struct relayd_run_conf conf = {
        .queue = r->control.queue,
        .lmtpd = r->lmtpd,
        .directory = r->directory,
        .events = r->events,
        .sched = sched_conf(conf_of(r)),
    };

    return relayd_run_start(&conf, &r->control.run, err);
}

static void
open_intake(struct relayd *r)
{
    const struct relayd_conf *conf = conf_of(r);

    r->intake.run = r->control.run;
    r->intake.queue = r->control.queue;
    r->intake.events = r->events;
    yb_smtp_peers_find(&r->intake.peers, conf->peers.v, conf->peers.n, peer_unknown);
    r->server = yb_smtp_server_new(
        &(struct yb_smtp_conf){
            .dialect = YB_SMTP_LMTP,
            .name = "lmtp",
            .hostname = yb_conf_common(yb_daemon_conf_now(r->daemon))->hostname,
            .max_message = conf->max_message,
            .max_rcpt = conf->max_rcpt,
            .command_timeout_ms = conf->command_timeout,
            .data_timeout_ms = conf->data_timeout,
            .pool = r->pool,
            .events = r->events,
        },
        &relayd_intake_hooks, &r->intake);
}

static int
init(struct yb_daemon *d, void **state, struct yb_err *err)
{
    struct relayd *r = yb_alloc(1, sizeof(*r));

    r->daemon = d;
    *state = r;
    if (open_neighbours(r, err) < 0 || open_queue(r, err) < 0 || start_run(r, err) < 0)
        return -1;
    open_intake(r);
    return 0;
}

static void *
listener_arg(void *state, size_t i YB_UNUSED)
{
    return ((struct relayd *)state)->server;
}

static int
reload(void *state, struct yb_err *err YB_UNUSED)
{
    struct relayd *r = state;
    const struct relayd_sched_conf conf = sched_conf(conf_of(r));

    relayd_run_set(r->control.run, &conf);
    return 0;
}

static void
drain(void *state)
{
    struct relayd *r = state;

    r->stop_by = yb_deadline_in(conf_of(r)->daemon.stop_timeout);
    yb_smtp_server_drain(r->server);
    relayd_run_drain(r->control.run);
}

/* What an attempt that does not end goes on using stays, the queue as well: results that are not on disk by
 * now are those of deliveries that are repeated, and stored once. */
static void
stop(void *state)
{
    struct relayd *r = state;
    struct yb_deadline least = yb_deadline_in(STOP_LEAST_MS);
    bool all =
        relayd_run_stop(&r->control.run, r->stop_by.at_ms > least.at_ms ? r->stop_by : least);

    yb_smtp_server_free(&r->server);
    if (!all)
        return;
    relayd_queue_close(&r->control.queue);
    yb_msgbuf_pool_free(&r->pool);
    yb_smtp_dest_free(&r->lmtpd);
    yb_directory_free(&r->directory);
    yb_event_writer_close(&r->events);
    yb_free(r);
}

static void
metrics(void *state, struct yb_metrics *m)
{
    struct relayd *r = state;

    relayd_run_figures(r->control.run, m);
    yb_smtp_figures(r->server, m);
    yb_msgbuf_figures(r->pool, m);
    yb_daemon_events_figures(r->events, m);
}

static size_t
files(const struct yb_conf *all)
{
    const struct relayd_conf *conf = yb_conf_section(all, &relayd_conf_table);

    return (size_t)FILES_PER_THREAD *
           (conf->daemon.workers + conf->deliver_workers + (size_t)THREADS_OWN);
}

int
main(int argc, char **argv)
{
    static const struct yb_daemon_listener listeners[] = { { "listen", &yb_lmtp_service } };
    static const struct yb_daemon_spec spec = {
        .name = YB_ROLE_NAME(RELAYD),
        .summary = YB_ROLE_SUMMARY(RELAYD),
        .conf = &relayd_conf_table,
        .listeners = listeners,
        .n_listeners = YB_COUNT(listeners),
        .commands = relayd_control_commands,
        .n_commands = RELAYD_CONTROL_COMMANDS,
        .files = files,
        .init = init,
        .listener_arg = listener_arg,
        .reload = reload,
        .drain = drain,
        .stop = stop,
        .metrics = metrics,
    };

    return yb_daemon_run(&spec, argc, argv);
}
