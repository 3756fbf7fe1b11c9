/*
 * The mailboxes that the recipients of a transaction lead to, each once: inside lib/receive, for the
 * hand-over. Lives in the transaction's arena as tx->data and rcpt->data.
 */
#ifndef YB_RECEIVE_ENVELOPE_H
#define YB_RECEIVE_ENVELOPE_H

#include "lib/directory/directory.h"
#include "lib/smtp/server.h"

/* One mailbox a recipient leads to; what resolving told is copied, not kept. */
struct yb_envelope_target {
    struct yb_account_id account;
    struct yb_tenant_id tenant;
    struct yb_store_id store;
    uint64_t quota;
    int64_t full_since, full_days;
    bool accepted;
};

/* rcpt->data */
struct yb_envelope_rcpt {
    size_t n; /* none for one that only leads where others led before */
    struct yb_envelope_target v[];
};

/* Takes those out of `res` that get the message by an earlier recipient already: all, when the
 * address was named before, in whatever case or quotes. */
void yb_envelope_drop_seen(struct yb_smtp_session *s, const struct yb_smtp_rcpt *r,
                           struct yb_resolution *res);
/* Keeps what is left of `res` as r->data. -1: more than `limit` (0: 1 000) in all, YB_ERR_LIMIT. */
int yb_envelope_add(size_t limit, struct yb_smtp_session *s, struct yb_smtp_rcpt *r,
                    const struct yb_resolution *res, struct yb_err *err) YB_MUST_USE;
/* Targets of all recipients. */
size_t yb_envelope_size(struct yb_smtp_tx *tx);

#endif
