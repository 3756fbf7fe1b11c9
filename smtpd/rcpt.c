/*
 * RCPT on port 25: mail for hosted recipients is taken and nothing else, whoever the sender claims
 * to be (R-A51, R-A52).
 */
#include "lib/base/clock.h"
#include "smtpd/smtpd.h"

static struct smtpd *
smtpd_of(const struct yb_smtp_session *s)
{
    return yb_smtp_server_arg(s->server);
}

/* Whether the client is counted at all; unix sockets are not. */
static bool
counted(const struct smtpd *d, const struct yb_smtp_session *s)
{
    struct yb_ip ip = yb_ip_of(yb_conn_peer(s->conn));

    return s->network.bits > 0 && !yb_cidr_has_ip(d->exempt, d->n_exempt, ip);
}

/* R-A79: known or not, the answer is the same. */
static int
too_much(struct yb_err *err)
{
    return yb_err_set(err, YB_TEMP, "4.7.1", "Too much from your network, try again later");
}

int
smtpd_count(struct yb_smtp_session *s, enum smtpd_limit kind, struct yb_err *err)
{
    struct smtpd *d = smtpd_of(s);
    struct yb_log_line l;

    if (!counted(d, s))
        return 0;
    switch (smtpd_limits_count(d->limits, yb_network_number(&s->network), kind, yb_clock_ms())) {
    case SMTPD_WITHIN:
        return 0;
    case SMTPD_BEGINS:
        atomic_fetch_add(&d->blocks, 1);
        yb_log_begin(&l, YB_LOG_WARN, yb_conn_log(s->conn), "smtp.limit");
        yb_log_str(&l, "reason",
                   kind == SMTPD_LIMIT_MESSAGES ? YB_STR("messages")
                                                : YB_STR("unknown recipients"));
        yb_log_end(&l);
        break;
    case SMTPD_BLOCKED:
        break;
    }
    return too_much(err);
}

int
smtpd_rcpt(struct yb_smtp_session *s, struct yb_smtp_rcpt *r, struct yb_err *err)
{
    struct smtpd *d = smtpd_of(s);
    struct yb_handover_verdict verdict;
    int rc;

    if (counted(d, s) &&
        smtpd_limits_blocked(d->limits, yb_network_number(&s->network), yb_clock_ms()))
        return too_much(err);
    rc = yb_handover_rcpt(&d->handover, s, r, &verdict, err);
    if (rc < 0 && (verdict.why == YB_WHY_UNKNOWN || verdict.why == YB_WHY_NOT_HOSTED) &&
        smtpd_count(s, SMTPD_LIMIT_UNKNOWN, err) < 0)
        r->code = 0; /* of the answer that is not given */
    return rc;
}
