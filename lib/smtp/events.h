/* Inside the server engine: what it decided, as events. Nothing when the server has no writer. */
#ifndef YB_SMTP_EVENTS_H
#define YB_SMTP_EVENTS_H

#include "lib/smtp/session.h"

/* A recipient was taken. */
void smtp_event_rcpt(struct yb_smtp_session *s, const struct yb_smtp_rcpt *r);
/* The message was, for all its recipients: an event for each. */
void smtp_event_accepted(struct yb_smtp_session *s);
/* A refusal of *r; `r` NULL: of all recipients there are, or of the transaction without any. */
void smtp_event_refused(struct yb_smtp_session *s, const char *what, const struct yb_smtp_rcpt *r,
                        const struct yb_err *err);

#endif
