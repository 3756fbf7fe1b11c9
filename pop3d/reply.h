/*
 * Errors as POP3 answers: RFC 1939 knows only -ERR, RFC 2449 and RFC 3206 give a few of them codes,
 * which one table here chooses.
 */
#ifndef POP3D_REPLY_H
#define POP3D_REPLY_H

#include "pop3d/session.h"

/* "-ERR [CODE] text". */
void pop3d_reply_err(struct yb_conn *c, const struct yb_err *err);
/* Counts one more command that was none (it was answered); who talks so for too long is let go. */
void pop3d_nonsense(struct yb_conn *c, struct pop3d_session *s);

#endif
