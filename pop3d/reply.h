/*
 * Errors as POP3 answers: RFC 1939 knows only -ERR, RFC 2449 and RFC 3206 give a few of them codes,
 * which one table here chooses.
 */
#ifndef POP3D_REPLY_H
#define POP3D_REPLY_H

#include "lib/base/err.h"
#include "lib/net/conn.h"

/* "-ERR [CODE] text". */
void pop3d_reply_err(struct yb_conn *c, const struct yb_err *err);

#endif
