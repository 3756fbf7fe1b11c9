/*
 * yubin-submitd: takes mail from users.
 *
 * Message submission (RFC 6409) on port 587 with STARTTLS and on port 465 with TLS from the first
 * octet (RFC 8314). A user must log in, under TLS; the envelope sender and every author and sender
 * in the header must be his; what a mail program forgot is added; where he sat is told to nobody.
 * A message is answered 250 only when it is stored or queued for all its recipients.
 *
 * User yubin-submit. Files: <state_dir>/submitd (spool). Database: yubin_submitd (functions that
 * resolve one address, find one login, judge one sender). Signals and exit codes:
 * lib/daemon/daemon.h.
 */
#include "submitd/conf.h"
#include "submitd/submitd.h"

struct state {
    struct yb_receiver receiver;
    struct submitd submitd;
};

/* Who may go on is asked at each MAIL. */
static int
open_online(struct state *st, struct yb_err *err)
{
    const struct yb_online_conf conf = {
        .net = yb_daemon_net(st->receiver.daemon),
        .wake = yb_net_wake,
        .kick = yb_net_kick,
        .source = yb_online_source_directory(st->submitd.handover.directory, YB_AUTH_SUBMISSION),
    };

    st->submitd.online = yb_online_new(&conf);
    return yb_online_start(st->submitd.online, err);
}

static int
open_auth(struct state *st, const struct submitd_conf *conf, struct yb_err *err)
{
    const struct yb_auth_conf auth = {
        .service = "smtp",
        .source = yb_auth_source_directory(st->submitd.handover.directory, YB_AUTH_SUBMISSION),
        .mechanisms = yb_str_from(conf->auth_mechanisms),
        .secret = yb_common_auth_secret(yb_conf_common(yb_daemon_conf_now(st->receiver.daemon))),
    };

    st->submitd.auth = yb_auth_new(&auth, err);
    return st->submitd.auth == NULL ? -1 : open_online(st, err);
}

static int
init(struct yb_daemon *d, void **state, struct yb_err *err)
{
    const struct submitd_conf *conf = yb_conf_section(yb_daemon_conf_now(d), &submitd_conf_table);
    struct state *st = yb_alloc(1, sizeof(*st));

    *state = st;
    st->submitd.handover.origin = YB_ORIGIN_AUTH;
    st->submitd.handover.hide_bcc = true;
    st->submitd.max_per_account = conf->max_connections_per_account;
    /* lib/auth starts the SASL library, which must happen before there are threads. */
    if (yb_receiver_open(&st->receiver, d, "submitd", &conf->receive, &st->submitd.handover, err) <
            0 ||
        open_auth(st, conf, err) < 0)
        return -1;
    return yb_receiver_start(&st->receiver, YB_SMTP_SUBMISSION, "submit", &submitd_hooks,
                             &st->submitd, err);
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

    yb_auth_free(&st->submitd.auth);
    yb_online_stop(st->submitd.online);
    yb_receiver_close(&st->receiver);
    yb_online_free(&st->submitd.online);
    yb_free(st);
}

static void
metrics(void *state, struct yb_metrics *m)
{
    struct state *st = state;
    struct yb_online_stats online;
    struct yb_auth_stats auth;

    yb_online_stats_read(st->submitd.online, &online);
    yb_metrics_gauge(m, "submitd_logged_in", "Sessions of users who are logged in.", NULL,
                     online.sessions);
    yb_metrics_counter(m, "submitd_ended_total", "Sessions ended before their users did.",
                       "why=\"kicked\"", online.kicked);
    yb_receiver_figures(&st->receiver, m);
    yb_auth_stats_read(st->submitd.auth, &auth);
    yb_metrics_counter(m, "logins_total", "Logins.", "result=\"ok\"", auth.ok);
    yb_metrics_counter(m, "logins_total", "Logins.", "result=\"wrong\"", auth.wrong);
    yb_metrics_counter(m, "logins_total", "Logins.", "result=\"suspended\"", auth.suspended);
    yb_metrics_counter(m, "logins_total", "Logins.", "result=\"limited\"", auth.limited);
    yb_metrics_counter(m, "logins_total", "Logins.", "result=\"away\"", auth.away);
}

static int
command_sessions(void *state, struct yb_str rest, struct yb_buf *answer, struct yb_err *err)
{
    return yb_online_list(((struct state *)state)->submitd.online, rest, answer, err);
}

static int
command_kick(void *state, struct yb_str rest, struct yb_buf *answer, struct yb_err *err)
{
    return yb_online_kick(((struct state *)state)->submitd.online, rest, answer, err);
}

int
main(int argc, char **argv)
{
    static const struct yb_daemon_listener listeners[] = {
        { "listen", &yb_submission_service },
        { "listen_tls", &yb_submission_service },
    };
    static const struct yb_daemon_command commands[] = {
        { "sessions", command_sessions },
        { "kick", command_kick },
    };
    static const struct yb_daemon_spec spec = {
        .name = YB_ROLE_NAME(SUBMITD),
        .summary = YB_ROLE_SUMMARY(SUBMITD),
        .conf = &submitd_conf_table,
        .listeners = listeners,
        .n_listeners = YB_COUNT(listeners),
        .commands = commands,
        .n_commands = YB_COUNT(commands),
        .init = init,
        .listener_arg = listener_arg,
        .drain = drain,
        .stop = stop,
        .metrics = metrics,
    };

    return yb_daemon_run(&spec, argc, argv);
}
