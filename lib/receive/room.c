/* What is known of a mailbox, asked again where that is possible. */
#include "lib/receive/room.h"

#include "lib/base/clock.h"

#define TRACE 128 /* so much at least is added to what a sender counts */

bool
yb_room_may_be_final(const struct yb_err *err)
{
    static const bool finals[YB_ERR_KINDS] = {
        [YB_ERR_NOT_FOUND] = true, [YB_ERR_DISABLED] = true, [YB_ERR_FULL] = true,
        [YB_ERR_TOO_BIG] = true,   [YB_ERR_CANNOT] = true,   [YB_ERR_CONTENT] = true,
    };

    return err->class == YB_PERM && finals[err->kind];
}

/*
 * Would the mailbox take a message of so many octets now? lmtpd is asked as it would be for one, and
 * nothing is sent. -1: it says no, or cannot be asked; then *why stays as it was.
 */
static int
ask_mailbox(const struct yb_handover *h, const struct yb_smtp_session *s, const struct yb_target *t,
            uint64_t octets, struct yb_err *why)
{
    struct yb_smtp_send_rcpt r = {
        .to = YB_STR("question@invalid"),
        .x = { .delivery = yb_delivery_id_new(), .account = t->account, .quota = t->quota_bytes }
    };
    struct yb_smtp_send send = {
        .x = { .session = s->id, .message = s->tx->id, .tenant = t->tenant, .whole = true },
        .rcpts = &r,
        .n_rcpts = 1,
        .ask = true,
        .ask_size = octets == 0 ? 0 : octets + TRACE,
    };

    if (yb_smtp_send_message(h->lmtpd, &send, NULL) < 0)
        return -1;
    if (r.fate == YB_FATE_WELCOME)
        return 0;
    *why = r.err;
    return -1;
}

int
yb_room_answer_full(int64_t since, int64_t days, struct yb_err *err)
{
    int64_t now = yb_clock_now();

    if (now - (since == 0 ? now : since) >= days * 86400)
        return yb_err_as(err, YB_ERR_FULL, YB_PERM, "5.2.2",
                         "this mailbox has been full for too long");
    return yb_err_as(err, YB_ERR_FULL, YB_TEMP, "4.2.2",
                     "this mailbox has no room for it, try again later");
}

/* A large part of what the mailbox may hold at all: it is asked for before it is sent. */
static bool
asks_first(const struct yb_target *t, uint64_t octets)
{
    return t->quota_bytes > 0 && octets > t->quota_bytes / 16;
}

/*
 * Does something stand against a message for this mailbox? What is known is asked for again where that
 * is possible: its node alone knows what fits now, and whether what was broken still is.
 */
static bool
stands_refused(const struct yb_handover *h, const struct yb_smtp_session *s,
               const struct yb_target *t, struct yb_err *why)
{
    enum yb_refused_verdict known = YB_REFUSED_NOTHING;
    uint64_t octets = s->tx->declared;

    *why = (struct yb_err){ .class = YB_OK };
    if (t->quota_bytes > 0 && octets > t->quota_bytes)
        return yb_err_as(why, YB_ERR_TOO_BIG, YB_PERM, "5.2.3",
                         "the message is larger than this mailbox may be") < 0;
    if (t->full_since != 0)
        (void)yb_room_answer_full(t->full_since, t->full_days, why); /* when it cannot be asked */
    if (h->refusals != NULL)
        known = yb_refused_look(h->refusals, t->account, &octets, why, yb_clock_ms());
    if (known == YB_REFUSED_STANDS)
        return true;
    if (known == YB_REFUSED_NOTHING && t->full_since == 0 && !asks_first(t, octets))
        return false;
    if (ask_mailbox(h, s, t, octets, why) < 0)
        return why->class != YB_OK;
    if (known == YB_REFUSED_ASK)
        yb_refused_forget(h->refusals, t->account);
    return false;
}

static void
log_left_out(struct yb_smtp_session *s, const struct yb_target *t)
{
    char id[YB_ID_TEXT];
    struct yb_log_line l;

    yb_smtp_log_begin(s, &l, YB_LOG_WARN, "rcpt.left_out");
    yb_log_str(&l, "account", yb_str_from(yb_account_id_text(t->account, id)));
    yb_log_str(&l, "via", t->via);
    yb_log_end(&l);
}

int
yb_room_check(const struct yb_handover *h, struct yb_smtp_session *s, struct yb_resolution *res,
              struct yb_err *err)
{
    size_t n = 0, tight = 0, all = res->n_targets;

    for (size_t i = 0; i < all; i++) {
        struct yb_target t = res->targets[i];
        struct yb_err why;

        if (t.accepted || !stands_refused(h, s, &t, &why)) {
            res->targets[n++] = t;
            continue;
        }
        if (why.kind == YB_ERR_FULL)
            (void)yb_room_answer_full(t.full_since, t.full_days, &why);
        if (why.class != YB_TEMP && !yb_room_may_be_final(&why))
            why.class = YB_TEMP;
        if (tight++ == 0 || why.class == YB_TEMP)
            *err = why;
        if (why.kind != YB_ERR_FULL && why.kind != YB_ERR_TOO_BIG)
            return -1;
        t.accepted = true;
        if (why.kind == YB_ERR_TOO_BIG || why.class == YB_TEMP)
            res->targets[n++] = t;
        else if (all > 1)
            log_left_out(s, &t);
    }
    res->n_targets = n;
    return tight > 0 && tight == all ? -1 : 0;
}
