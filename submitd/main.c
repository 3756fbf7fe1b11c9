/*
 * yubin-submitd: takes mail from users.
 *
 * Message submission (RFC 6409) on port 587 with STARTTLS and on port 465 with TLS from the first
 * octet (RFC 8314). A user must log in, under TLS; the envelope sender and every author and sender
 * in the header must be his; what a mail program forgot is added; where he sat is told to nobody.
 * A message is answered 250 only when it is stored for all its recipients.
 *
 * User yubin-submit. Files: <state_dir>/submitd (spool). Database: yubin_submitd (functions that
 * resolve one address, find one login, judge one sender). Signals and exit codes:
 * lib/daemon/daemon.h.
 */
#include "lib/daemon/events.h"
#include "lib/smtp/figures.h"
#include "submitd/conf.h"
#include "submitd/submitd.h"

struct state {
    struct yb_daemon *daemon;
    struct submitd submitd;
    struct yb_msgbuf_pool *pool;
    struct yb_event_writer *events;
    struct yb_smtp_server *server;
};

static int
open_auth(struct state *st, const struct submitd_conf *conf, struct yb_err *err)
{
    const struct yb_auth_conf auth = {
        .service = "smtp",
        .source = yb_auth_source_directory(st->submitd.handover.directory, YB_AUTH_SUBMISSION),
        .mechanisms = yb_str_from(conf->auth_mechanisms),
        .secret = yb_common_auth_secret(yb_conf_common(yb_daemon_conf(st->daemon))),
    };

    st->submitd.auth = yb_auth_new(&auth, err);
    st->submitd.max_per_account = conf->max_connections_per_account;
    return st->submitd.auth == NULL ? -1 : 0;
}

static int
open_pool(struct state *st, const struct submitd_conf *conf, struct yb_err *err)
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
open_handover(struct state *st, const struct yb_common_conf *common,
              const struct submitd_conf *conf, struct yb_err *err)
{
    struct yb_handover *h = &st->submitd.handover;
    const struct yb_smtp_dest_conf lmtpd = {
        .where = conf->lmtpd,
        .hostname = common->hostname,
        .lmtp = true,
        .inside = conf->lmtpd_connections,
        .answer_ms = conf->lmtpd_timeout,
    };
    struct yb_directory_conf directory = {
        .conninfo = yb_daemon_database(st->daemon),
        .application = "submitd",
        .postmaster = common->postmaster,
    };

    if (yb_node_id_read(common->node_id_file, &h->node, err) < 0)
        return -1;
    directory.node = h->node;
    h->lmtpd = yb_smtp_dest_new(&lmtpd);
    h->directory = yb_directory_new(&directory);
    h->origin = YB_ORIGIN_AUTH;
    /* lib/auth starts the SASL library, which must happen before there are threads. */
    if (open_auth(st, conf, err) < 0)
        return -1;
    return yb_directory_start(h->directory, err);
}

static int
init(struct yb_daemon *d, void **state, struct yb_err *err)
{
    const struct yb_common_conf *common = yb_conf_common(yb_daemon_conf(d));
    const struct submitd_conf *conf = yb_conf_section(yb_daemon_conf(d), &submitd_conf_table);
    struct state *st = yb_alloc(1, sizeof(*st));
    struct yb_smtp_conf server = {
        .dialect = YB_SMTP_SUBMISSION,
        .name = "submit",
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
    if (open_pool(st, conf, err) < 0 || open_handover(st, common, conf, err) < 0 ||
        yb_daemon_events_open(d, "submitd", st->submitd.handover.node, &st->events, err) < 0)
        return -1;
    server.pool = st->pool;
    server.events = st->events;
    st->server = yb_smtp_server_new(&server, &submitd_hooks, &st->submitd);
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
    yb_smtp_dest_free(&st->submitd.handover.lmtpd);
    yb_auth_free(&st->submitd.auth);
    yb_directory_free(&st->submitd.handover.directory);
    yb_msgbuf_pool_free(&st->pool);
    yb_free(st);
}

static void
metrics(void *state, struct yb_metrics *m)
{
    struct state *st = state;
    struct yb_auth_stats auth;

    yb_smtp_figures(st->server, m);
    yb_handover_figures(&st->submitd.handover, m);
    yb_msgbuf_figures(st->pool, m);
    yb_daemon_events_figures(st->events, m);
    yb_auth_stats(st->submitd.auth, &auth);
    yb_metrics_counter(m, "logins_total", "Logins.", "result=\"ok\"", auth.ok);
    yb_metrics_counter(m, "logins_total", "Logins.", "result=\"wrong\"", auth.wrong);
    yb_metrics_counter(m, "logins_total", "Logins.", "result=\"suspended\"", auth.suspended);
    yb_metrics_counter(m, "logins_total", "Logins.", "result=\"limited\"", auth.limited);
    yb_metrics_counter(m, "logins_total", "Logins.", "result=\"away\"", auth.away);
}

int
main(int argc, char **argv)
{
    static const struct yb_daemon_listener listeners[] = {
        { "listen", &yb_submission_service, false },
        { "listen_tls", &yb_submission_service, true },
    };
    static const struct yb_daemon_spec spec = {
        .name = "submitd",
        .summary = "takes mail from authenticated users",
        .conf = &submitd_conf_table,
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
