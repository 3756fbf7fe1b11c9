/*
 * Mailboxes that refused a message, each with what it said. A message for several recipients has one
 * answer, so one mailbox that is broken, or has too little room, sends it back to all of them; the
 * directory knows nothing of either and would let the next try run into the same. What is noted here
 * makes RCPT answer for that mailbox alone, and the others of the next try get theirs. Bounded, in
 * memory, thread safe; every note ends by itself.
 */
#ifndef YB_RECEIVE_REFUSED_H
#define YB_RECEIVE_REFUSED_H

#include "lib/base/err.h"
#include "lib/base/id.h"

struct yb_refused;

/* `keep_ms` is longer than senders wait between two tries; 0: 2 h. */
struct yb_refused *yb_refused_new(int64_t keep_ms) YB_MUST_USE;
void yb_refused_free(struct yb_refused **r);

/*
 * A mailbox refused a message of so many octets. `late`: it had none to say against it at RCPT, so
 * there is no way to ask it again but with a message; such a note lasts a sixth of keep_ms, and twice
 * as long each time, up to keep_ms. Another mailbox may be forgotten for it.
 */
void yb_refused_note(struct yb_refused *r, struct yb_account_id account, uint64_t octets, bool late,
                     const struct yb_err *why, int64_t now_ms);

enum yb_refused_verdict {
    YB_REFUSED_NOTHING, /* nothing stands against a message of this size */
    YB_REFUSED_ASK,     /* it may be over: the mailbox answers RCPT as it answers a message */
    YB_REFUSED_STANDS   /* *why is the answer as long as the note lasts */
};

/*
 * What is known of a message of *octets, as declared (0: not). For want of room only what would
 * hardly fit either is meant: fields are added to what a sender counts. Unless NOTHING: *why is what
 * the mailbox said, and *octets, when it was 0, the size that did not fit.
 */
enum yb_refused_verdict yb_refused_look(struct yb_refused *r, struct yb_account_id account,
                                        uint64_t *octets, struct yb_err *why,
                                        int64_t now_ms) YB_MUST_USE;
/* The mailbox takes mail again. */
void yb_refused_forget(struct yb_refused *r, struct yb_account_id account);

#endif
