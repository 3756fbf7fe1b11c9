#include "lib/receive/receiver.h"

#include "lib/daemon/common_conf.h"
#include "lib/smtp/figures.h"

static int
open_pool(struct yb_receiver *r, struct yb_err *err)
{
    const struct yb_msgbuf_conf pool = {
        .folder = yb_daemon_state_dir(r->daemon),
        .memory_each = r->conf->memory_per_message,
        .memory_total = r->conf->memory_total,
        .memory_network = r->conf->memory_per_network,
        .disk_network = r->conf->disk_per_network,
        .disk_reserve = r->conf->disk_reserve,
    };

    r->pool = yb_msgbuf_pool_new(&pool, err);
    return r->pool == NULL ? -1 : 0;
}

static int
open_handover(struct yb_receiver *r, struct yb_err *err)
{
    const struct yb_common_conf *common = yb_conf_common(yb_daemon_conf_now(r->daemon));
    struct yb_handover *h = r->handover;
    const struct yb_smtp_dest_conf lmtpd = {
        .where = r->conf->lmtpd,
        .hostname = common->hostname,
        .lmtp = true,
        .inside = r->conf->lmtpd_connections,
        .answer_ms = r->conf->lmtpd_timeout,
    };
    const struct yb_smtp_dest_conf relayd = {
        .where = r->conf->relayd,
        .hostname = common->hostname,
        .lmtp = true,
        .inside = r->conf->relayd_connections,
        .answer_ms = r->conf->relayd_timeout,
        .repeat_ms = r->conf->relayd_repeat,
    };
    struct yb_directory_conf directory = {
        .conninfo = yb_daemon_database(r->daemon),
        .application = r->program,
        .postmaster = common->postmaster,
        .warm = YB_WARM_RESOLVE,
    };

    if (yb_node_id_read(common->node_id_file, &r->node, err) < 0)
        return -1;
    directory.node = r->node;
    h->lmtpd = yb_smtp_dest_new(&lmtpd);
    h->relayd = relayd.where[0] == '\0' ? NULL : yb_smtp_dest_new(&relayd);
    h->refusals = yb_refused_new(0);
    h->directory = yb_directory_new(&directory);
    return 0;
}

int
yb_receiver_open(struct yb_receiver *r, struct yb_daemon *d, const char *program,
                 const struct yb_receiver_conf *conf, struct yb_handover *h, struct yb_err *err)
{
    *r = (struct yb_receiver){ .daemon = d, .conf = conf, .program = program, .handover = h };
    return open_pool(r, err) < 0 ? -1 : open_handover(r, err);
}

int
yb_receiver_start(struct yb_receiver *r, enum yb_smtp_dialect dialect, const char *name,
                  const struct yb_smtp_hooks *hooks, void *hooks_arg, struct yb_err *err)
{
    struct yb_smtp_conf server = {
        .dialect = dialect,
        .name = name,
        .hostname = yb_conf_common(yb_daemon_conf_now(r->daemon))->hostname,
        .max_message = r->conf->max_message,
        .max_rcpt = r->conf->max_rcpt,
        .max_errors = r->conf->max_errors,
        .max_hops = r->conf->max_hops,
        .command_timeout_ms = r->conf->command_timeout,
        .data_timeout_ms = r->conf->data_timeout,
        .data_total_ms = r->conf->message_timeout,
        .pool = r->pool,
    };

    if (yb_directory_start(r->handover->directory, err) < 0 ||
        yb_daemon_events_open(r->daemon, r->program, r->node, &r->events, err) < 0)
        return -1;
    server.events = r->events;
    r->server = yb_smtp_server_new(&server, hooks, hooks_arg);
    return 0;
}

void
yb_receiver_close(struct yb_receiver *r)
{
    yb_smtp_server_free(&r->server);
    yb_event_writer_close(&r->events);
    yb_smtp_dest_free(&r->handover->lmtpd);
    yb_smtp_dest_free(&r->handover->relayd);
    yb_refused_free(&r->handover->refusals);
    yb_directory_free(&r->handover->directory);
    yb_msgbuf_pool_free(&r->pool);
}

/* The connections to lmtpd and relayd. */
static void
dest_figures(struct yb_handover *h, struct yb_metrics *m)
{
    static const char *const to[] = { "to=\"lmtpd\"", "to=\"relayd\"" };
    struct yb_smtp_dest_stats s[2];
    size_t n = h->relayd == NULL ? 1 : 2;

    for (size_t i = 0; i < n; i++)
        yb_smtp_dest_stats_read(i == 0 ? h->lmtpd : h->relayd, &s[i]);
    for (size_t i = 0; i < n; i++)
        yb_metrics_counter(m, "handover_connections_total", "Connections made.", to[i],
                           s[i].connections);
    for (size_t i = 0; i < n; i++)
        yb_metrics_counter(m, "handover_repeats_total",
                           "Transactions asked again after a lost connection.", to[i],
                           s[i].repeats);
    for (size_t i = 0; i < n; i++)
        yb_metrics_counter(m, "handover_failures_total", "Transactions without all answers.", to[i],
                           s[i].failures);
    for (size_t i = 0; i < n; i++)
        yb_metrics_gauge(m, "handover_idle_connections", "Connections kept for later.", to[i],
                         s[i].idle);
}

/* What became of messages. */
static void
handover_figures(struct yb_handover *h, struct yb_metrics *m)
{
    static const char name[] = "handover_messages_total", help[] = "Messages handed over.";
    static const char places[] = "handover_mailboxes_total",
                      places_help[] = "Mailboxes of messages that were taken.";

    yb_metrics_counter(m, name, help, "result=\"stored\"", atomic_load(&h->stored));
    yb_metrics_counter(m, name, help, "result=\"queued\"", atomic_load(&h->queued));
    yb_metrics_counter(m, name, help, "result=\"refused\"", atomic_load(&h->refused));
    yb_metrics_counter(m, name, help, "result=\"unknown\"", atomic_load(&h->unknown));
    yb_metrics_counter(m, places, places_help, "result=\"stored\"", atomic_load(&h->places_stored));
    yb_metrics_counter(m, places, places_help, "result=\"queued\"", atomic_load(&h->places_queued));
    dest_figures(h, m);
}

void
yb_receiver_figures(const struct yb_receiver *r, struct yb_metrics *m)
{
    yb_smtp_figures(r->server, m);
    handover_figures(r->handover, m);
    yb_msgbuf_figures(r->pool, m);
    yb_daemon_events_figures(r->events, m);
}
