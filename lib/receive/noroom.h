/*
 * Mailboxes of which lmtpd said that a message does not fit. A message for several recipients has
 * one answer, so one mailbox with too little room left sends it back to all of them; the directory,
 * which knows only those that are full, would let the next try run into the same. What is noted
 * here makes RCPT answer for that mailbox alone. Bounded, in memory, thread safe; every note ends
 * by itself.
 */
#ifndef YB_RECEIVE_NOROOM_H
#define YB_RECEIVE_NOROOM_H

#include "lib/base/id.h"

struct yb_noroom;

/* `keep_ms` is longer than senders wait between two tries; 0: 2 h. */
struct yb_noroom *yb_noroom_new(int64_t keep_ms) YB_MUST_USE;
void yb_noroom_free(struct yb_noroom **n);

/* A message of so many octets did not fit. Another mailbox may be forgotten for it. */
void yb_noroom_note(struct yb_noroom *n, struct yb_account_id account, uint64_t octets,
                    int64_t now_ms);

/* True when a message of `octets`, as declared (0: not), would hardly fit either: fields are added
 * to what a sender counts. */
bool yb_noroom_for(struct yb_noroom *n, struct yb_account_id account, uint64_t octets,
                   int64_t now_ms) YB_MUST_USE;

#endif
