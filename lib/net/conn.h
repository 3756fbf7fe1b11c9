/*
 * One connection as a protocol sees it. The engine (net.h) calls the functions of a
 * `struct yb_service`, one at a time for a connection, each on a worker thread that holds the
 * connection's run token; they may block (behind gates, with deadlines). Between two calls the
 * connection is parked: no thread, no buffer unless half a line waits.
 *
 * A `struct yb_conn *` is valid only inside such a call. Whoever wants to reach a connection from
 * elsewhere keeps its `struct yb_conn_ref` and calls yb_net_wake(): a dead one is normal.
 */
#ifndef YB_NET_CONN_H
#define YB_NET_CONN_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/id.h"
#include "lib/base/log.h"

#include <sys/socket.h>
#include <sys/types.h>

struct yb_conn;
struct yb_file; /* file.h */
struct yb_net;

struct yb_conn_ref {
    uint32_t slot, generation;
};

/* What was odd about a line or a stream; the protocol decides what that means. */
enum {
    YB_IN_BARE_LF = 1,    /* a line end without CR; or inside a stream */
    YB_IN_BARE_CR = 2,    /* a CR that no LF follows */
    YB_IN_NUL = 4,        /* a NUL byte */
    YB_IN_TOO_LONG = 8,   /* line: only its first bytes are given, the rest was thrown away */
    YB_IN_LONG_LINE = 16, /* stream: a line over YB_STREAM_LINE bytes without CRLF */
    YB_IN_8BIT = 32       /* a byte over 127 */
};
#define YB_STREAM_LINE 998 /* RFC 5321 §4.5.3.1.6, without CRLF */

/*
 * The handlers of one protocol. `opened` is required, and `line`; `data` where the protocol asks
 * for streams; the others may be NULL.
 */
struct yb_service {
    const char *name;      /* "smtp", for logs and metrics */
    const char *busy_text; /* said, with CRLF, to a client over a connection limit; may be NULL */
    /* Of a line over the limit, `line` gets the head (YB_IN_TOO_LONG) as soon as it is known to be
     * too long, and `data` the rest with its end, so that the protocol says how much of it is thrown
     * away. Else nothing is given before the line's end. */
    bool line_pieces;
    /* Accepted (for implicit TLS: after the handshake). Say the greeting. */
    void (*opened)(struct yb_conn *c);
    /* One line without its end. */
    void (*line)(struct yb_conn *c, struct yb_str line, unsigned flags);
    /* A block of a stream asked for with yb_conn_want_bytes() or _want_dot(); `last` with the final
     * one, which may be empty; `flags` are those seen so far in the stream. Then lines again. */
    void (*data)(struct yb_conn *c, struct yb_str block, bool last, unsigned flags);
    /* The handshake begun by yb_conn_start_tls() is over. */
    void (*tls_started)(struct yb_conn *c);
    /* yb_net_wake() was called since the last call of any handler. Waits while a producer is at
     * work and while the client leaves too much output untaken. */
    void (*woken)(struct yb_conn *c);
    /* The time of yb_conn_set_timeout() or _set_deadline() passed. Say farewell; the engine closes
     * the connection afterwards. */
    void (*timed_out)(struct yb_conn *c);
    /* The last call: release the session. The peer is gone or was let go; writing does nothing. */
    void (*closed)(struct yb_conn *c);
};

/* The protocol's own state. Set in `opened`, freed in `closed`. */
void yb_conn_set_session(struct yb_conn *c, void *session);
void *yb_conn_session(const struct yb_conn *c);
/* What the listener was made with (struct yb_listener_spec). */
void *yb_conn_listener_arg(const struct yb_conn *c);
struct yb_net *yb_conn_net(const struct yb_conn *c);
struct yb_conn_ref yb_conn_self(const struct yb_conn *c);
/* Scratch memory of the worker, reset by the engine when the handler returns. */
struct yb_arena *yb_conn_scratch(const struct yb_conn *c);

/* --- input --- */

/* Longest line taken (without its end), at most 65536. Default 2048. */
void yb_conn_set_line_limit(struct yb_conn *c, size_t bytes);
/* The next n bytes (n > 0) go to `data`, in blocks of any size. */
void yb_conn_want_bytes(struct yb_conn *c, uint64_t n);
/* What follows goes to `data` until CRLF "." CRLF, dots unstuffed (RFC 5321 §4.5.2). Only that
 * sequence ends it: a bare LF or CR never does. The CRLF before the dot belongs to the data. */
void yb_conn_want_dot(struct yb_conn *c);
/* No further line or block is given until yb_conn_resume(), which may come from another handler
 * call of this connection (woken). Output goes on. */
void yb_conn_pause(struct yb_conn *c);
void yb_conn_resume(struct yb_conn *c);
/* True when the peer has sent more than was handled: for "nothing may be pipelined behind this". */
bool yb_conn_has_input(const struct yb_conn *c);
/* Throws away what is buffered and not yet handled. */
void yb_conn_drop_input(struct yb_conn *c);
/* The peer has closed the connection: nobody reads an answer. Known at once of a unix socket; of TCP
 * only after something was sent in vain. */
bool yb_conn_is_left(const struct yb_conn *c);

/* --- output: queued, encrypted and sent by the engine when the handler returns --- */

/* Appends a copy of the bytes; nothing when the connection is closing or broken. */
void yb_conn_write(struct yb_conn *c, struct yb_str s);
void yb_conn_printf(struct yb_conn *c, const char *fmt, ...) YB_PRINTF(2, 3);
/*
 * n bytes of the file from `at`, which count as unsent like those of yb_conn_write(). The queue
 * keeps a reference for as long as it needs the file: one descriptor, however many ranges. More
 * than YB_OUT_FILES_MAX ranges that the client does not take end the connection.
 */
#define YB_OUT_FILES_MAX 4096
void yb_conn_write_file(struct yb_conn *c, struct yb_file *file, off_t at, size_t n);
/* Bytes queued and not yet sent. */
size_t yb_conn_unsent(const struct yb_conn *c);
/*
 * A producer writes a long answer piece by piece: it is called (as a handler, on a worker) whenever
 * the queue has drained, writes up to about YB_OUT_PIECE bytes, and returns false when it is done
 * (it may have set another producer, which then goes on).
 * No line is handled meanwhile. A slow client therefore holds no worker.
 */
#define YB_OUT_PIECE 65536
void yb_conn_set_producer(struct yb_conn *c, bool (*producer)(struct yb_conn *c));
/* Sends what is queued now, from inside a handler, as far as the socket takes it. */
void yb_conn_flush(struct yb_conn *c);
/* Close when all is sent. No handler but `closed` is called any more. */
void yb_conn_close(struct yb_conn *c);
/* Close at once, unsent output lost. */
void yb_conn_abort(struct yb_conn *c);

/* --- time: both end in timed_out() --- */

/* Restarted whenever a handler returns or queued output moves. 0: none. Default 300 s. */
void yb_conn_set_timeout(struct yb_conn *c, int64_t ms);
/* From now, whatever the peer does; 0 takes it away. */
void yb_conn_set_deadline(struct yb_conn *c, int64_t ms);

/* --- who --- */

/* The peer's address as text ("192.0.2.1", "2001:db8::1", "unix"), and its socket address (after
 * PROXY v2: the client's). */
const char *yb_conn_peer_text(const struct yb_conn *c);
const struct sockaddr *yb_conn_peer(const struct yb_conn *c);
const struct sockaddr *yb_conn_local(const struct yb_conn *c);
/* The id behind sid=: it travels with what the session hands over (XSESSION). */
struct yb_session_id yb_conn_session_id(const struct yb_conn *c);
/* The user at the other end of a unix socket (SO_PEERCRED); false elsewhere. */
bool yb_conn_peer_user(const struct yb_conn *c, uid_t *uid);
/* Log context inherited by every line about this connection; begins with sid= and peer=. */
struct yb_log_ctx *yb_conn_log(struct yb_conn *c);

/*
 * Fairness: connections with the same key never hold more than half of the workers while others
 * wait, and have one share of their time. Begins as a hash of the client's network (/24, /64); set
 * to the tenant's after login.
 */
void yb_conn_set_fair_key(struct yb_conn *c, uint64_t key);

/*
 * After login: the connection counts as one of the account's and no longer as one of its client
 * network's, so that a house full of users behind one address is no crowd of strangers. False when
 * the account has `max` connections here already; nothing changes then.
 */
bool yb_conn_set_account(struct yb_conn *c, struct yb_account_id account, size_t max) YB_MUST_USE;

/* --- TLS --- */

/* True when the listener has certificates to offer, so that STARTTLS may be announced. */
bool yb_conn_can_tls(const struct yb_conn *c);
bool yb_conn_is_tls(const struct yb_conn *c);
/* After the output queued so far: a handshake. Input that came before is thrown away. */
void yb_conn_start_tls(struct yb_conn *c);
/* "TLSv1.3", "TLS_AES_256_GCM_SHA384", and the server name asked for; "" without. */
const char *yb_conn_tls_version(const struct yb_conn *c);
const char *yb_conn_tls_cipher(const struct yb_conn *c);
const char *yb_conn_tls_name(const struct yb_conn *c);
/* Channel binding "tls-exporter" (RFC 9266): 32 bytes; false without TLS. */
bool yb_conn_tls_exporter(const struct yb_conn *c, uint8_t out[32]);

#endif
