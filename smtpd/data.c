/* A whole message: trace it, hand it over, and only then say yes. */
#include "lib/base/clock.h"
#include "lib/smtp/trace.h"
#include "smtpd/smtpd.h"

int
smtpd_message(struct yb_smtp_session *s, struct yb_str *answer YB_UNUSED, struct yb_err *err)
{
    struct smtpd *d = yb_smtp_server_arg(s->server);
    struct yb_str received = yb_smtp_received(s, false, yb_clock_now(), s->tx->arena);

    if (smtpd_count(s, SMTPD_LIMIT_MESSAGES, err) < 0)
        return -1;
    return yb_handover_message(&d->handover, s, received, err);
}

/* Nobody is turned away at the door: connections are counted by the engine, networks at RCPT. */
static int
smtpd_connect(struct yb_smtp_session *s YB_UNUSED, struct yb_err *err YB_UNUSED)
{
    return 0;
}

const struct yb_smtp_hooks smtpd_hooks = {
    .connect = smtpd_connect,
    .rcpt = smtpd_rcpt,
    .message = smtpd_message,
};
