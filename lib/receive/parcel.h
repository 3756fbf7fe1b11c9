/*
 * A parcel: one message on its way to the mailboxes of its recipients. Inside lib/receive, for the
 * hand-over: what is sent (head.c), who gets what lmtpd did not store (rest.c), what came of it and
 * the one answer that the client hears (fate.c). It lives as long as the message hook runs.
 */
#ifndef YB_RECEIVE_PARCEL_H
#define YB_RECEIVE_PARCEL_H

#include "lib/receive/envelope.h"
#include "lib/receive/handover.h"

struct yb_parcel {
    struct yb_handover *handover;
    struct yb_smtp_session *session;
    struct yb_smtp_send send;               /* what lmtpd is told, and what it said */
    const struct yb_envelope_target **of;   /* the target of each of its recipients */
    const struct yb_smtp_send_rcpt **queue; /* what relayd said of each; NULL: it was not asked */
};

/* --- head.c --- */

/* Between p->send.head and the body an empty line where the message has no header; without the fields
 * that nobody may get. */
int yb_parcel_join_head(struct yb_parcel *p, struct yb_err *err) YB_MUST_USE;

/* --- rest.c --- */

/* Relayd answers, and would take what lmtpd does not store: then nobody needs to be held back for the
 * sake of others. For one recipient nobody is. */
bool yb_parcel_is_covered(const struct yb_parcel *p);
/* After lmtpd: when somebody has the message, or may have it, relayd is given it for all who have it
 * not for certain. */
void yb_parcel_queue_rest(struct yb_parcel *p);

/* --- fate.c --- */

/* The client's answer, as of yb_handover_message(). */
int yb_parcel_answer(struct yb_parcel *p, struct yb_err *err) YB_MUST_USE;

#endif
