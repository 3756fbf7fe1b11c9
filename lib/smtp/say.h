/* Inside the server engine: what a session is told (replies), and what is told of it (the log). */
#ifndef YB_SMTP_SAY_H
#define YB_SMTP_SAY_H

#include "lib/smtp/session.h"

/* Writes one reply; `status` NULL: none. */
void smtp_reply(struct yb_smtp_session *s, int code, const char *status, const char *text);
void smtp_reply_str(struct yb_smtp_session *s, int code, bool more, const char *status,
                    struct yb_str text);
/* The only place where an error becomes a reply. */
void smtp_reply_err(struct yb_smtp_session *s, const struct yb_err *err);
/* Says 421 and lets the client go. */
void smtp_farewell(struct yb_smtp_session *s, const char *status, const char *text);
/* Counts a mistake of the client; the last one ends the session. */
void smtp_count_error(struct yb_smtp_session *s);
/* A refusal of *r, or of more than one recipient (NULL): code, class, reason and, in a transaction,
 * from and mid. Also as events. */
void smtp_log_refusal(struct yb_smtp_session *s, const char *what, const struct yb_smtp_rcpt *r,
                      const struct yb_err *err);

#endif
