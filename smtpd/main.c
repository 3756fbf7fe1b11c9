/*
 * yubin-smtpd: receives mail from strangers.
 *
 * SMTP (RFC 5321) on port 25, with STARTTLS. Each recipient is resolved at RCPT and answered there
 * for good; a message is handed to this node's lmtpd at its end, and answered 250 only when it is
 * stored for all. Nothing is relayed, nothing is bounced, nothing is kept: an unfinished message
 * lies in memory or in an unnamed file of the spool folder and is gone with the process.
 *
 * User yubin-smtp. Files: <state_dir>/smtpd (spool). Database: yubin_smtpd (functions that resolve
 * one address). Signals and exit codes: lib/daemon/daemon.h.
 */
#include "lib/daemon/events.h"
#include "lib/smtp/figures.h"
#include "smtpd/conf.h"
#include "smtpd/smtpd.h"

struct state {
    struct yb_daemon *daemon;
    struct smtpd smtpd;
    struct yb_msgbuf_pool *pool;
    struct yb_event_writer *events;
    struct yb_smtp_server *server;
};

static int
open_limits(struct smtpd *d, const struct smtpd_conf *conf, struct yb_err *err)
{
    const struct smtpd_limits_conf limits = {
        .window_ms = conf->limit_window,
        .block_ms = conf->limit_block,
        .most = { [SMTPD_LIMIT_MESSAGES] = conf->limit_messages,
                  [SMTPD_LIMIT_UNKNOWN] = conf->limit_unknown },
    };

    d->limits = smtpd_limits_new(&limits);
    d->exempt = yb_alloc(conf->limit_exempt.n, sizeof(*d->exempt));
    for (size_t i = 0; i < conf->limit_exempt.n; i++) {
        if (!yb_cidr_parse(yb_str_from(conf->limit_exempt.v[i]), &d->exempt[d->n_exempt++]))
            return yb_err_set(err, YB_PERM, "5.3.5", "limit_exempt: %s is no network",
                              conf->limit_exempt.v[i]);
    }
    return 0;
}

static int
open_pool(struct state *st, const struct smtpd_conf *conf, struct yb_err *err)
{
    const struct yb_msgbuf_conf pool = {
        .folder = yb_daemon_state_dir(st->daemon),
        .memory_each = conf->memory_per_message,
        .memory_total = conf->memory_total,
        .memory_network = conf->memory_per_network,
        .disk_network = conf->disk_per_network,
        .disk_reserve = conf->disk_reserve,
    };

    st->pool = yb_msgbuf_pool_new(&pool, err);
    return st->pool == NULL ? -1 : 0;
}

static int
open_handover(struct state *st, const struct yb_common_conf *common, const struct smtpd_conf *conf,
              struct yb_err *err)
{
    struct yb_handover *h = &st->smtpd.handover;
    const struct yb_smtp_dest_conf lmtpd = {
        .where = conf->lmtpd,
        .hostname = common->hostname,
        .lmtp = true,
        .inside = conf->lmtpd_connections,
        .answer_ms = conf->lmtpd_timeout,
    };
    struct yb_directory_conf directory = {
        .conninfo = yb_daemon_database(st->daemon),
        .application = "smtpd",
        .postmaster = common->postmaster,
    };

    if (yb_node_id_read(common->node_id_file, &h->node, err) < 0)
        return -1;
    directory.node = h->node;
    h->lmtpd = yb_smtp_dest_new(&lmtpd);
    h->directory = yb_directory_new(&directory);
    return yb_directory_start(h->directory, err);
}

static int
init(struct yb_daemon *d, void **state, struct yb_err *err)
{
    const struct yb_common_conf *common = yb_conf_common(yb_daemon_conf(d));
    const struct smtpd_conf *conf = yb_conf_section(yb_daemon_conf(d), &smtpd_conf_table);
    struct state *st = yb_alloc(1, sizeof(*st));
    struct yb_smtp_conf server = {
        .dialect = YB_SMTP_MX,
        .name = "smtp",
        .hostname = common->hostname,
        .max_message = conf->max_message,
        .max_rcpt = conf->max_rcpt,
        .max_errors = conf->max_errors,
        .max_hops = conf->max_hops,
        .command_timeout_ms = conf->command_timeout,
        .data_timeout_ms = conf->data_timeout,
        .data_total_ms = conf->message_timeout,
    };

    st->daemon = d;
    *state = st;
    if (open_limits(&st->smtpd, conf, err) < 0 || open_pool(st, conf, err) < 0 ||
        open_handover(st, common, conf, err) < 0 ||
        yb_daemon_events_open(d, "smtpd", st->smtpd.handover.node, &st->events, err) < 0)
        return -1;
    server.pool = st->pool;
    server.events = st->events;
    st->server = yb_smtp_server_new(&server, &smtpd_hooks, &st->smtpd);
    return 0;
}

static void *
listener_arg(void *state, size_t i YB_UNUSED)
{
    return ((struct state *)state)->server;
}

static void
drain(void *state)
{
    yb_smtp_server_drain(((struct state *)state)->server);
}

static void
stop(void *state)
{
    struct state *st = state;

    yb_smtp_server_free(&st->server);
    yb_event_writer_close(&st->events);
    yb_smtp_dest_free(&st->smtpd.handover.lmtpd);
    yb_directory_free(&st->smtpd.handover.directory);
    yb_msgbuf_pool_free(&st->pool);
    smtpd_limits_free(&st->smtpd.limits);
    yb_free(st->smtpd.exempt);
    yb_free(st);
}

static void
metrics(void *state, struct yb_metrics *m)
{
    struct state *st = state;

    yb_smtp_figures(st->server, m);
    yb_handover_figures(&st->smtpd.handover, m);
    yb_msgbuf_figures(st->pool, m);
    yb_daemon_events_figures(st->events, m);
    yb_metrics_counter(m, "smtpd_blocks_total", "Client networks blocked by a limit.", NULL,
                       atomic_load(&st->smtpd.blocks));
}

int
main(int argc, char **argv)
{
    static const struct yb_daemon_listener listeners[] = { { "listen", &yb_smtp_service, false } };
    static const struct yb_daemon_spec spec = {
        .name = "smtpd",
        .summary = "receives mail from strangers",
        .conf = &smtpd_conf_table,
        .listeners = listeners,
        .n_listeners = YB_COUNT(listeners),
        .init = init,
        .listener_arg = listener_arg,
        .drain = drain,
        .stop = stop,
        .metrics = metrics,
    };

    return yb_daemon_run(&spec, argc, argv);
}
