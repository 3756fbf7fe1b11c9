/*
 * Blocking client socket with deadlines: how a worker talks to another daemon or server. One owner,
 * one thread at a time. Every call ends by its deadline (YB_TEMP 4.4.2 when it passes).
 */
#ifndef YB_NET_SOCK_H
#define YB_NET_SOCK_H

#include "lib/base/buf.h"
#include "lib/base/clock.h"

struct yb_sock;

/* `where`: "unix:/path", "127.0.0.1:25", "[::1]:25". Names are not resolved here. */
struct yb_sock *yb_sock_connect(struct yb_str where, struct yb_deadline by,
                                struct yb_err *err) YB_MUST_USE;
void yb_sock_close(struct yb_sock **s);
/* Queues; sends when about 32 KiB wait, or at yb_sock_flush(). */
int yb_sock_write(struct yb_sock *s, struct yb_str data, struct yb_deadline by,
                  struct yb_err *err) YB_MUST_USE;
int yb_sock_flush(struct yb_sock *s, struct yb_deadline by, struct yb_err *err) YB_MUST_USE;
/* One line without CRLF (a bare LF ends it too), at most `limit` bytes (else YB_TEMP 4.5.0); valid
 * until the next read. */
int yb_sock_line(struct yb_sock *s, size_t limit, struct yb_str *line, struct yb_deadline by,
                 struct yb_err *err) YB_MUST_USE;
/* True when the peer closed or sent something while the socket was idle: do not reuse it. */
bool yb_sock_stale(struct yb_sock *s);

#endif
