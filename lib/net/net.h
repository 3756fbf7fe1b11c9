/*
 * The connection engine of a daemon: event loops that only wait (epoll, EPOLLONESHOT), a pool of
 * workers that read, do TLS, run the protocol's handlers and write, and the totals that bound them.
 */
#ifndef YB_NET_NET_H
#define YB_NET_NET_H

#include "lib/net/conn.h"

struct yb_tls_set; /* tls.h */

struct yb_net_conf {
    unsigned loops; /* 0: one a core */
    unsigned workers;
    size_t max_conns; /* over it: busy_text and close; 0: 10000 */
    /* Per client /24 or /64 (unix sockets and who has logged in are not counted); 0: any. */
    size_t max_conns_per_network;
    /* Bytes of half lines of all connections; over it the longest waiting is closed; 0: any. */
    size_t max_input_total;
    int64_t handshake_timeout_ms; /* TLS handshake, from accept or STARTTLS; 0: 30 s */
    int64_t keepalive_ms; /* a peer as silent as that is asked by TCP if it is there; 0: never */
};

struct yb_listener_spec {
    int fd; /* listening socket, owned by the engine from here on */
    const struct yb_service *service;
    void *arg;                /* yb_conn_listener_arg() */
    bool tls;                 /* TLS from the first byte */
    struct yb_str proxy_from; /* comma list of CIDRs that speak PROXY v2 first; empty: nobody */
};

/* An engine without listeners and threads; 0 in *conf stands for the default. */
struct yb_net *yb_net_new(const struct yb_net_conf *conf) YB_MUST_USE;
/* Certificates for all listeners; may be called again at any time (connections keep what they
 * began with). Takes a reference of its own. */
void yb_net_set_tls(struct yb_net *n, struct yb_tls_set *tls);
/* Before or after yb_net_start(). */
int yb_net_listen(struct yb_net *n, const struct yb_listener_spec *spec,
                  struct yb_err *err) YB_MUST_USE;
/* Starts the threads. */
int yb_net_start(struct yb_net *n, struct yb_err *err) YB_MUST_USE;
/* Orderly end: no new connections; waits up to `ms` for handlers, closes everything, joins. */
void yb_net_stop(struct yb_net *n, int64_t ms);
void yb_net_free(struct yb_net **n);

/* From any thread: has `woken` called soon. A dead connection is normal. Never blocks. */
void yb_net_wake(struct yb_net *n, struct yb_conn_ref ref);
/* The same of every connection there is. */
void yb_net_wake_all(struct yb_net *n);
/* From any thread: the connection is closed as by the peer (account suspended, shut-down). */
void yb_net_kick(struct yb_net *n, struct yb_conn_ref ref);
/* Runs fn(arg) on a worker, once, not before `delay_ms`: for housekeeping. What is still waiting
 * when the engine stops is not run. */
void yb_net_run_later(struct yb_net *n, int64_t delay_ms, void (*fn)(void *arg), void *arg);

struct yb_net_stats {
    uint64_t accepted, refused, timed_out;
    size_t open, running, waiting_for_worker, input_bytes;
};
void yb_net_stats_read(struct yb_net *n, struct yb_net_stats *out);

#endif
