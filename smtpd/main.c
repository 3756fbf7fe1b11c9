/*
 * yubin-smtpd: receives mail from strangers.
 *
 * SMTP (RFC 5321) on port 25, with STARTTLS. Each recipient is resolved at RCPT and answered there
 * for good; a message is handed to this node's lmtpd at its end, what that did not store of it to
 * relayd, and answered 250 only when it is stored or queued for all. Nothing is relayed, nothing is
 * bounced, nothing is kept: an unfinished message lies in memory or in an unnamed file of the spool
 * folder and is gone with the process.
 *
 * User yubin-smtp. Files: <state_dir>/smtpd (spool). Database: yubin_smtpd (functions that resolve
 * one address). Signals and exit codes: lib/daemon/daemon.h.
 */
#include "smtpd/conf.h"
#include "smtpd/smtpd.h"

struct state {
    struct yb_receiver receiver;
    struct smtpd smtpd;
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
init(struct yb_daemon *d, void **state, struct yb_err *err)
{
    const struct smtpd_conf *conf = yb_conf_section(yb_daemon_conf_now(d), &smtpd_conf_table);
    struct state *st = yb_alloc(1, sizeof(*st));

    *state = st;
    if (yb_receiver_open(&st->receiver, d, "smtpd", &conf->receive, &st->smtpd.handover, err) < 0 ||
        open_limits(&st->smtpd, conf, err) < 0)
        return -1;
    return yb_receiver_start(&st->receiver, YB_SMTP_MX, "smtp", &smtpd_hooks, &st->smtpd, err);
}

static void *
listener_arg(void *state, size_t i YB_UNUSED)
{
    return ((struct state *)state)->receiver.server;
}

static void
drain(void *state)
{
    yb_smtp_server_drain(((struct state *)state)->receiver.server);
}

static void
stop(void *state)
{
    struct state *st = state;

    yb_receiver_close(&st->receiver);
    smtpd_limits_free(&st->smtpd.limits);
    yb_free(st->smtpd.exempt);
    yb_free(st);
}

static void
metrics(void *state, struct yb_metrics *m)
{
    struct state *st = state;

    yb_receiver_figures(&st->receiver, m);
    yb_metrics_counter(m, "smtpd_blocks_total", "Client networks blocked by a limit.", NULL,
                       atomic_load(&st->smtpd.blocks));
}

int
main(int argc, char **argv)
{
    static const struct yb_daemon_listener listeners[] = { { "listen", &yb_smtp_service } };
    static const struct yb_daemon_spec spec = {
        .name = YB_ROLE_NAME(SMTPD),
        .summary = YB_ROLE_SUMMARY(SMTPD),
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
