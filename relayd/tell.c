#include "relayd/tell.h"

#include "lib/base/log.h"

static struct yb_event
event_of(const struct relayd_message *m, const struct relayd_recipient *r)
{
    return (struct yb_event){ .grade = YB_EVENT_STEP,
                              .session = m->sid,
                              .message = m->mid,
                              .delivery = r->delivery,
                              .tenant = r->tenant,
                              .account = r->account,
                              .sender = m->sender,
                              .recipient = r->address };
}

void
relayd_tell_came(struct yb_event_writer *w, const struct relayd_message *m)
{
    for (size_t i = 0; i < m->n; i++) {
        struct yb_event e = event_of(m, &m->r[i]);

        e.name = YB_STR("relayd.queued");
        e.decision = YB_STR("queue");
        e.code = 250;
        e.status = YB_STR("2.1.5");
        yb_event_append(w, &e);
    }
}

/* Why something is held, for who reads of it. A held row is never made for the others. */
static struct yb_str
why_held(const struct relayd_recipient *r)
{
    switch (r->reason) {
    case RELAYD_ACCOUNT_GONE:
        return YB_STR("account-gone: there is no such account any more");
    case RELAYD_BACKEND_AWAY:
        return YB_STR("backend-away: lmtpd has not answered for as long as [relayd] away_expire");
    case RELAYD_NO_BODY:
        return YB_STR("no-body: the queue lost the message");
    case RELAYD_REFUSED:
        return YB_STR("refused: lmtpd has not taken it for as long as [relayd] away_expire");
    case RELAYD_OPERATOR:
        return YB_STR("operator: as was ordered while it was under way");
    case RELAYD_DAMAGED:
    case RELAYD_NO_REASON:
    case RELAYD_REASONS:
        break;
    }
    return yb_str(NULL, 0);
}

static void
tell_deferred(struct yb_event_writer *w, const struct relayd_change *c,
              const struct relayd_recipient *r)
{
    struct yb_event e = event_of(c->m, r);

    if (c->released) {
        e.name = YB_STR("relayd.released");
        e.decision = YB_STR("release");
        e.reason = YB_STR("it could be tried again");
        yb_event_append(w, &e);
    }
    e.name = YB_STR("relayd.deferred");
    e.decision = YB_STR("defer");
    e.code = r->code;
    e.status = r->status;
    e.reason = r->text;
    e.attempt = r->attempts;
    e.next_us = r->next_ms * 1000;
    yb_event_append(w, &e);
}

static void
tell_end(struct yb_event_writer *w, const struct relayd_change *c, const struct relayd_recipient *r,
         struct yb_str what)
{
    struct yb_event e = event_of(c->m, r);

    e.grade = YB_EVENT_FINAL;
    if (c->discard) {
        e.name = YB_STR("relayd.discarded");
        e.decision = YB_STR("discard");
        e.reason = YB_STR("held for longer than [relayd] hold_expire");
    } else {
        e.name = YB_STR("relayd.deleted");
        e.decision = YB_STR("delete");
        e.reason = what;
    }
    yb_event_append(w, &e);
}

static void
tell(struct yb_event_writer *w, const struct relayd_change *c, const struct relayd_recipient *r,
     struct yb_str what)
{
    struct yb_event e = event_of(c->m, r);

    switch (c->kind) {
    case RELAYD_OP_LATER:
        tell_deferred(w, c, r);
        break;
    case RELAYD_OP_DONE: /* who stored it told the end */
        break;
    case RELAYD_OP_HOLD:
        e.name = YB_STR("relayd.held");
        e.decision = YB_STR("hold");
        e.reason = what.p != NULL ? what : why_held(r);
        yb_event_append(w, &e);
        break;
    case RELAYD_OP_RELEASE:
        e.name = YB_STR("relayd.released");
        e.decision = YB_STR("release");
        e.reason = what;
        yb_event_append(w, &e);
        break;
    case RELAYD_OP_DELETE:
        tell_end(w, c, r, what);
        break;
    }
}

static void
log_change(const struct relayd_change *c, const struct relayd_recipient *r)
{
    char id[YB_ID_TEXT];
    struct yb_log_line l;

    yb_log_begin(&l, c->kind == RELAYD_OP_LATER ? YB_LOG_INFO : YB_LOG_WARN, NULL,
                 c->kind == RELAYD_OP_LATER  ? "relayd.deferred"
                 : c->kind == RELAYD_OP_HOLD ? "relayd.held"
                 : c->discard                ? "relayd.discarded"
                                             : "relayd.deleted");
    yb_log_num(&l, "m", (int64_t)c->m->m);
    yb_log_str(&l, "mid", yb_str_from(yb_message_id_text(c->m->mid, id)));
    yb_log_str(&l, "delivery", yb_str_from(yb_delivery_id_text(r->delivery, id)));
    yb_log_str(&l, "rcpt", r->address);
    if (c->kind == RELAYD_OP_HOLD)
        yb_log_str(&l, "reason", why_held(r));
    if (c->kind == RELAYD_OP_LATER) {
        yb_log_num(&l, "attempt", r->attempts);
        yb_log_num(&l, "code", (int64_t)r->code);
        yb_log_str(&l, "status", r->status);
        yb_log_str(&l, "text", r->text);
    }
    yb_log_end(&l);
}

void
relayd_tell_change(struct yb_event_writer *w, const struct relayd_change *c, struct yb_str what)
{
    /* Who stored it logs it; what somebody ordered, he knows, and the audit. */
    bool logged = c->kind != RELAYD_OP_DONE && !c->ordered;

    for (size_t i = 0; i < c->m->n; i++) {
        tell(w, c, &c->m->r[i], what);
        if (logged)
            log_change(c, &c->m->r[i]);
    }
}
