/*
 * What the engine decided, as events (lib/event): where it writes a line to the log for people, it
 * appends one for the question "what happened to that mail?". A refusal for good is a final state,
 * but over LMTP, where whoever hands over decides what it means: he may keep the message. A deferral
 * is a step, because the sender comes again; so is our 250, because the final state of an accepted
 * message is what its mailbox says.
 */
#include "lib/smtp/events.h"

#include "lib/smtp/reply.h"

#include <stdio.h>

#define NAME_SIZE 48

static bool
is_lmtp(const struct yb_smtp_session *s)
{
    return s->server->conf.dialect == YB_SMTP_LMTP;
}

/* What all events of a transaction have in common. LMTP: its session and tenant are the peer's, and
 * the peer is one of our own daemons, no client. */
static struct yb_event
event_of(struct yb_smtp_session *s, const struct yb_smtp_rcpt *r, const char *what,
         char name[NAME_SIZE])
{
    const struct yb_smtp_tx *tx = s->tx;
    bool lmtp = is_lmtp(s);
    struct yb_event e = {
        .grade = YB_EVENT_STEP,
        .session = lmtp && !yb_session_id_is_zero(tx->x.session) ? tx->x.session : s->id,
        .message = tx->id,
        .tenant = lmtp ? tx->x.tenant : s->tenant,
        .account = s->account,
        .sender = tx->from_text,
        .client = lmtp ? yb_str(NULL, 0) : yb_str_from(yb_conn_peer_text(s->conn)),
    };

    e.name = yb_str(name, (size_t)snprintf(name, NAME_SIZE, "%s.%s", s->server->conf.name, what));
    if (r == NULL)
        return e;
    e.recipient = r->text;
    e.delivery = r->x.delivery;
    if (yb_tenant_id_is_zero(e.tenant))
        e.tenant = r->tenant;
    if (yb_account_id_is_zero(e.account))
        e.account = r->x.account;
    return e;
}

void
smtp_event_rcpt(struct yb_smtp_session *s, const struct yb_smtp_rcpt *r)
{
    char name[NAME_SIZE];
    struct yb_event e;

    if (s->server->conf.events == NULL)
        return;
    e = event_of(s, r, "rcpt.accept", name);
    e.decision = YB_STR("accept");
    e.code = 250;
    e.status = YB_STR("2.1.5");
    yb_event_append(s->server->conf.events, &e);
}

void
smtp_event_accepted(struct yb_smtp_session *s)
{
    char name[NAME_SIZE], counts[64];
    struct yb_str reason = { NULL, 0 };

    if (s->server->conf.events == NULL)
        return;
    if (s->tx->n_queued > 0)
        reason = yb_str(counts,
                        (size_t)snprintf(counts, sizeof(counts), "stored for %zu, queued for %zu",
                                         s->tx->n_stored, s->tx->n_queued));
    for (const struct yb_smtp_rcpt *r = s->tx->rcpts; r != NULL; r = r->next) {
        struct yb_event e = event_of(s, r, "accept", name);

        e.decision = YB_STR("accept");
        e.code = 250;
        e.status = YB_STR("2.0.0");
        e.reason = reason;
        yb_event_append(s->server->conf.events, &e);
    }
}

static void
append_refusal(struct yb_smtp_session *s, const char *what, const struct yb_smtp_rcpt *r,
               const struct yb_err *err)
{
    char name[NAME_SIZE], status[10];
    int code = yb_smtp_reply_code(err, status);
    struct yb_event e = event_of(s, r, what, name);

    /* The code a hook chose counts as it does in the reply: when it is of the error's class. */
    if (r != NULL && r->code / 100 == (unsigned)(status[0] - '0'))
        code = (int)r->code;
    e.grade = code >= 500 && !is_lmtp(s) ? YB_EVENT_FINAL : YB_EVENT_STEP;
    e.decision = code >= 500 ? YB_STR("refuse") : YB_STR("defer");
    e.code = (unsigned)code;
    e.status = yb_str_from(status);
    e.reason = yb_str_from(err->text);
    yb_event_append(s->server->conf.events, &e);
}

void
smtp_event_refused(struct yb_smtp_session *s, const char *what, const struct yb_smtp_rcpt *r,
                   const struct yb_err *err)
{
    if (s->server->conf.events == NULL || s->tx == NULL)
        return;
    if (r != NULL || s->tx->rcpts == NULL) {
        append_refusal(s, what, r, err);
        return;
    }
    for (r = s->tx->rcpts; r != NULL; r = r->next)
        append_refusal(s, what, r, err);
}
