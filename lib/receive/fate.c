/*
 * What came of a message, and the one answer that its client hears. A client that hears 250 never
 * comes again, one that hears 4xx comes again for all, one that hears 5xx gives up for all.
 */
#include "lib/base/clock.h"
#include "lib/receive/parcel.h"
#include "lib/receive/room.h"

/* Of one mailbox, by what lmtpd and relayd said. */
enum end {
    END_NONE,   /* nobody has it for this one */
    END_STORED, /* it is there */
    END_QUEUED, /* it comes there */
    END_UNKNOWN /* lmtpd or relayd may have it */
};

static enum end
end_of(const struct yb_parcel *p, size_t i)
{
    const struct yb_smtp_send_rcpt *stored = &p->send.rcpts[i], *queued = p->queue[i];

    if (stored->fate == YB_FATE_STORED)
        return END_STORED;
    if (queued != NULL && queued->fate == YB_FATE_STORED)
        return END_QUEUED;
    if (stored->fate == YB_FATE_UNKNOWN || (queued != NULL && queued->fate == YB_FATE_UNKNOWN))
        return END_UNKNOWN;
    return END_NONE;
}

/* What became of all recipients together. */
struct outcome {
    size_t stored, queued, unknown, final;
    const struct yb_err *final_err, *temp_err; /* answers of lmtpd, one of each kind */
};

static void
sum_up(const struct yb_parcel *p, struct outcome *o)
{
    memset(o, 0, sizeof(*o));
    for (size_t i = 0; i < p->send.n_rcpts; i++) {
        const struct yb_smtp_send_rcpt *r = &p->send.rcpts[i];
        enum end end = end_of(p, i);

        o->stored += end == END_STORED;
        o->queued += end == END_QUEUED;
        o->unknown += end == END_UNKNOWN;
        if (end != END_NONE || r->fate != YB_FATE_REFUSED)
            continue;
        if (yb_room_may_be_final(&r->err)) {
            o->final++;
            o->final_err = &r->err;
        } else if (r->err.class == YB_TEMP && r->err.kind != YB_ERR_HELD) {
            o->temp_err = &r->err;
        }
    }
}

/*
 * The client will come again with the whole message, under new delivery ids: nothing it says ties
 * its second try to the first, and to take equal octets for the same message would swallow mail
 * that is meant to come twice. So whoever has it, or may have it, gets it twice; the log names
 * them.
 */
static void
log_maybe_twice(const struct yb_parcel *p)
{
    static const struct yb_str words[] = { [END_STORED] = YB_STR_INIT("yes"),
                                           [END_QUEUED] = YB_STR_INIT("queued"),
                                           [END_UNKNOWN] = YB_STR_INIT("unknown") };
    char text[YB_ID_TEXT];

    for (size_t i = 0; i < p->send.n_rcpts; i++) {
        const struct yb_smtp_send_rcpt *r = &p->send.rcpts[i];
        enum end end = end_of(p, i);
        struct yb_log_line l;

        if (end == END_NONE)
            continue;
        yb_smtp_log_begin(p->session, &l, YB_LOG_WARN, "data.maybe_twice");
        yb_log_str(&l, "to", r->to);
        yb_log_str(&l, "account", yb_str_from(yb_account_id_text(r->x.account, text)));
        yb_log_str(&l, "delivery", yb_str_from(yb_delivery_id_text(r->x.delivery, text)));
        yb_log_str(&l, "stored", words[end]);
        yb_log_end(&l);
    }
}

static bool
is_culprit(const struct yb_smtp_send_rcpt *r)
{
    return r->fate == YB_FATE_REFUSED && r->err.kind != YB_ERR_HELD;
}

static bool
lacks_room(const struct yb_err *err)
{
    return err->kind == YB_ERR_FULL || err->kind == YB_ERR_TOO_BIG;
}

/*
 * Those who are the reason that others did not get it. Where all were refused it is no one's own
 * trouble, and who is alone in a message makes nobody else wait. Of a message that was taken one
 * waits for a mailbox that is broken, and more need not come to wait: but only while the mailbox, when
 * it is asked at RCPT, says so. One without room gets it over its quota, and is full then.
 */
static void
note_refusals(const struct yb_parcel *p, bool accepted)
{
    const struct yb_smtp_send *send = &p->send;
    struct yb_refused *refusals = p->handover->refusals;
    uint64_t octets = send->head.n + yb_msgbuf_size(send->body) - send->body_from;
    size_t n = 0;

    for (size_t i = 0; i < send->n_rcpts; i++)
        n += is_culprit(&send->rcpts[i]);
    for (size_t i = 0; refusals != NULL && n < send->n_rcpts && i < send->n_rcpts; i++) {
        const struct yb_smtp_send_rcpt *r = &send->rcpts[i];

        if (is_culprit(r) && !(accepted && lacks_room(&r->err)))
            yb_refused_note(refusals, r->x.account, octets, r->late && !accepted, &r->err,
                            yb_clock_ms());
    }
}

/* lmtpd knows that there is no room, not since when. */
static void
judge_full(struct yb_parcel *p)
{
    for (size_t i = 0; i < p->send.n_rcpts; i++) {
        struct yb_smtp_send_rcpt *r = &p->send.rcpts[i];

        if (r->fate == YB_FATE_REFUSED && r->err.kind == YB_ERR_FULL && r->err.class == YB_TEMP)
            (void)yb_room_answer_full(p->of[i]->full_since, p->of[i]->full_days, &r->err);
    }
}

/* Final only when everybody's answer is. */
static int
refuse(const struct yb_parcel *p, const struct outcome *o, struct yb_err *err)
{
    bool somewhere = o->stored + o->queued + o->unknown > 0;

    if (somewhere)
        log_maybe_twice(p);
    atomic_fetch_add(o->unknown > 0 ? &p->handover->unknown : &p->handover->refused, 1);
    if (o->final == p->send.n_rcpts)
        *err = *o->final_err;
    else if (o->temp_err != NULL && !somewhere)
        *err = *o->temp_err;
    else
        yb_err_set(err, YB_TEMP, "4.3.0", "Could not be stored now, try again later");
    return -1;
}

int
yb_parcel_answer(struct yb_parcel *p, struct yb_err *err)
{
    struct yb_smtp_tx *tx = p->session->tx;
    struct outcome o;
    bool accepted;

    judge_full(p);
    sum_up(p, &o);
    accepted = o.stored + o.queued == p->send.n_rcpts;
    note_refusals(p, accepted);
    if (!accepted)
        return refuse(p, &o, err);
    tx->n_stored = o.stored;
    tx->n_queued = o.queued;
    atomic_fetch_add(o.queued > 0 ? &p->handover->queued : &p->handover->stored, 1);
    atomic_fetch_add(&p->handover->places_stored, o.stored);
    atomic_fetch_add(&p->handover->places_queued, o.queued);
    return 0;
}
