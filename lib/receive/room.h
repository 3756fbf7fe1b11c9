/*
 * May a mailbox have this message? What RCPT and the end of a message answer for a mailbox that has no
 * room, or refused something before: inside lib/receive, for the hand-over.
 */
#ifndef YB_RECEIVE_ROOM_H
#define YB_RECEIVE_ROOM_H

#include "lib/receive/handover.h"

/* What lmtpd says that a client may hear as final; any other 5xx between our own daemons is our
 * mistake, and nobody gets 5xx for that (P8). */
bool yb_room_may_be_final(const struct yb_err *err);
/* No room, `since` (0: now): TEMP 4.2.2 for `days`, then PERM 5.2.2. Returns -1. */
int yb_room_answer_full(int64_t since, int64_t days, struct yb_err *err);
/*
 * A mailbox that takes no message, or not this one, is answered for here, so that the others of a
 * message get theirs. Of several that a recipient leads to, one without room is stored over quota, one
 * that has been full for too long is left out of `res`; one that is broken refuses for all of them:
 * nobody could tell the sender who had it and who had not. -1: *err is the answer for the recipient.
 */
int yb_room_check(const struct yb_handover *h, struct yb_smtp_session *s, struct yb_resolution *res,
                  struct yb_err *err) YB_MUST_USE;

#endif
