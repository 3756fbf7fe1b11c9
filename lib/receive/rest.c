/*
 * Who gets what lmtpd did not store (docs/delivery.md, 4). As soon as one mailbox has the message the
 * client must not come again with it: it would come twice. So the others' wait at relayd, whatever
 * lmtpd said of them, as XACCEPTED; of whom it said nothing it is asked again by relayd, as XREPEAT,
 * and stores once. While nobody has it, the client can as well come again.
 */
#include "lib/receive/parcel.h"

/* For this long a message waits to learn whether relayd is there. */
#define READY_MS 2000

bool
yb_parcel_is_covered(const struct yb_parcel *p)
{
    struct yb_smtp_dest *relayd = p->handover->relayd;
    struct yb_err why;

    return relayd != NULL && p->send.n_rcpts > 1 && yb_smtp_dest_ready(relayd, READY_MS, &why) == 0;
}

/* How many of the message are not stored for certain; none, when the client can come again. */
static size_t
count_rest(const struct yb_smtp_send *send)
{
    size_t n = 0, had = 0;

    for (size_t i = 0; i < send->n_rcpts; i++) {
        n += send->rcpts[i].fate != YB_FATE_STORED;
        had += send->rcpts[i].fate == YB_FATE_STORED || send->rcpts[i].fate == YB_FATE_UNKNOWN;
    }
    return had > 0 ? n : 0;
}

/* Only relayd is told where a mailbox is, and whose: lmtpd keeps those of one store, for everybody
 * alike. */
static struct yb_smtp_send_rcpt
as_accepted(const struct yb_smtp_send *send, const struct yb_smtp_send_rcpt *r,
            const struct yb_envelope_target *t)
{
    struct yb_smtp_send_rcpt out = { .to = r->to, .x = r->x };

    if (!yb_tenant_id_eq(t->tenant, send->x.tenant))
        out.x.owner = t->tenant;
    out.x.home = t->store;
    out.x.accepted = true;
    out.x.repeat = r->fate == YB_FATE_UNKNOWN;
    return out;
}

/* *err: the first answer that is no yes. */
static bool
all_taken(const struct yb_smtp_send *send, const struct yb_err **err)
{
    for (size_t i = 0; i < send->n_rcpts; i++) {
        if (send->rcpts[i].fate == YB_FATE_STORED)
            continue;
        *err = &send->rcpts[i].err;
        return false;
    }
    return true;
}

static void
hand_to_relayd(struct yb_parcel *p, struct yb_smtp_send *rest)
{
    const struct yb_err *why;
    struct yb_log_line l;

    (void)!yb_smtp_send_message(p->handover->relayd, rest, NULL);
    if (all_taken(rest, &why))
        return;
    yb_smtp_log_begin(p->session, &l, YB_LOG_WARN, "queue.failed");
    yb_log_num(&l, "rcpts", (int64_t)rest->n_rcpts);
    yb_log_str(&l, "class", yb_str_from(why->status));
    yb_log_str(&l, "reason", yb_str_from(why->text));
    yb_log_end(&l);
}

void
yb_parcel_queue_rest(struct yb_parcel *p)
{
    struct yb_smtp_send rest = p->send;
    size_t n = p->handover->relayd == NULL ? 0 : count_rest(&p->send);

    if (n == 0)
        return;
    rest.x.whole = false; /* relayd takes all or none in any case */
    rest.all_or_none = true;
    rest.n_rcpts = 0;
    rest.rcpts = yb_arena_alloc(p->session->tx->arena, n, sizeof(*rest.rcpts));
    for (size_t i = 0; i < p->send.n_rcpts; i++) {
        struct yb_smtp_send_rcpt *r = &rest.rcpts[rest.n_rcpts];

        if (p->send.rcpts[i].fate == YB_FATE_STORED)
            continue;
        *r = as_accepted(&p->send, &p->send.rcpts[i], p->of[i]);
        p->queue[i] = r;
        rest.n_rcpts++;
    }
    hand_to_relayd(p, &rest);
}
