/* The trace fields of a message (RFC 5321 §4.4). */
#ifndef YB_SMTP_TRACE_H
#define YB_SMTP_TRACE_H

#include "lib/smtp/server.h"

/* "ESMTPS", "ESMTPSA", "UTF8SMTP", "LMTP" … (RFC 3848, RFC 6531 §4.3). */
struct yb_str yb_smtp_with_keyword(const struct yb_smtp_session *s);
/*
 * The Received field of the message in s->tx, with its CRLF. `hide_client` leaves out where it came
 * from (submission, R-A109). "for" stands there only for a single recipient, so that no recipient
 * learns of another.
 */
struct yb_str yb_smtp_received(const struct yb_smtp_session *s, bool hide_client, time_t now,
                               struct yb_arena *arena) YB_MUST_USE;

#endif
