/*
 * The inside of lib/net: what loops, workers and connections share. Included by lib/net only.
 *
 * A connection lives in a slot. The slot's word holds its generation, the events posted for it and
 * whether somebody holds (or is about to hold) its run token. yb_slot_post() adds events; whoever
 * takes the word from unscheduled to scheduled queues the connection. The worker that runs it takes
 * the events out, works, arms epoll and the timer, and parks by putting the word back to
 * unscheduled, which fails when an event came meanwhile: nothing is ever lost between looking and
 * parking. Everything in struct yb_conn but the atomics belongs to the holder of the token.
 *
 * state      | what it waits for                   | left by
 * -----------|-------------------------------------|------------------------------------------
 * PROXY      | the PROXY v2 header                 | run.c: proxy_step()
 * HANDSHAKE  | SSL_accept()                        | run.c: handshake_step()
 * NEW        | nothing: `opened` is called next    | run.c: greet()
 * OPEN       | input, output, wakes, time          | run.c: converse(), yb_conn_close()
 * CLOSING    | the rest of the output              | run.c: closing_step()
 * LINGER     | the peer's end, input thrown away   | run.c: linger_step()
 * DEAD       | being released                      | run.c: yb_conn_end()
 */
#ifndef YB_NET_ENGINE_H
#define YB_NET_ENGINE_H

#include "lib/base/id.h"
#include "lib/base/map.h"
#include "lib/net/input.h"
#include "lib/net/net.h"
#include "lib/net/out.h"
#include "lib/net/pool.h"
#include "lib/net/proxy.h"
#include "lib/net/timer.h"
#include "lib/net/tls.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

struct ssl_st;

#define YB_NEVER INT64_MAX
#define YB_READ_SIZE 65536        /* one read(2) */
#define YB_LINE_MAX 65536         /* longest line limit */
#define YB_OUT_HIGH (256u * 1024) /* queued output over which no input is handled */
#define YB_CLOSE_MS 30000         /* for the rest of the output to move */

/* --- slots (slot.c) --- */

enum {
    YB_EV_IN = 1,    /* the socket may be read, or is at its end */
    YB_EV_OUT = 2,   /* may be written */
    YB_EV_HUP = 4,   /* is dead in both directions */
    YB_EV_TIMER = 8, /* the timer went off */
    YB_EV_WAKE = 16, /* yb_net_wake() */
    YB_EV_KICK = 32, /* to be closed as by the peer */
    YB_EV_ALL = 63,
    YB_SLOT_SCHEDULED = 64,
    YB_SLOT_LIVE = 128
};

struct yb_slot {
    _Atomic uint64_t word; /* generation << 32 | YB_SLOT_ flags | YB_EV_ events */
    struct yb_conn *conn;
    uint32_t next_free;
};

/* Gives `c` a slot; false when all are in use. */
bool yb_slot_get(struct yb_net *n, struct yb_conn *c) YB_MUST_USE;
/* From here on posts find it; the caller holds its run token. */
void yb_slot_publish(struct yb_conn *c);
void yb_slot_post(struct yb_net *n, struct yb_conn_ref ref, unsigned events);
/* The holder of the token: takes the events posted so far. */
unsigned yb_slot_take(struct yb_slot *s);
/* Gives the token back; false (still held) when events came. */
bool yb_slot_park(struct yb_slot *s) YB_MUST_USE;
/* The holder of the token: no ref finds the connection any more; the slot is free. */
void yb_slot_put(struct yb_net *n, struct yb_conn *c);

/* --- loops (loop.c) --- */

struct yb_loop {
    struct yb_net *net;
    pthread_t thread;
    int epoll_fd, wake_fd;
    pthread_mutex_t lock; /* of the timers and sleep_until */
    struct yb_timers timers;
    int64_t sleep_until;
};

struct yb_listener {
    struct yb_listener *next;
    struct yb_net *net;
    struct yb_listener_spec spec;
    /* What becomes of an accepted socket, which it owns from then on. */
    void (*accepted)(const struct yb_listener *l, int fd, const union yb_addr *peer);
    struct yb_cidr *proxy_from;
    size_t n_proxy_from;
    bool is_unix;
    struct yb_timer retry; /* after the process ran out of descriptors */
};

/* Its epoll and timers, without a thread; yb_loop_main() is the thread. */
int yb_loop_open(struct yb_loop *l, struct yb_err *err) YB_MUST_USE;
void yb_loop_close(struct yb_loop *l);
void *yb_loop_main(void *loop);
/* The loop looks at its timers and at net->stopping. */
void yb_loop_nudge(struct yb_loop *l);
int yb_loop_add_listener(struct yb_loop *l, struct yb_listener *listener,
                         struct yb_err *err) YB_MUST_USE;
void yb_loop_timer_set(struct yb_loop *l, struct yb_timer *t, int64_t at);
void yb_loop_timer_remove(struct yb_loop *l, struct yb_timer *t);

/* --- the whole (net.c) --- */

/* What a worker has for the connection it runs. */
struct yb_worker {
    char *in; /* YB_READ_SIZE + YB_LINE_MAX + 2 */
    struct yb_arena *scratch;
    struct yb_out_stock stock;
};

struct yb_net_task;

struct yb_net {
    struct yb_net_conf conf;
    struct yb_loop *loops;
    unsigned n_loops, n_threads;
    struct yb_pool *pool;
    atomic_bool stopping;
    uint64_t hash_key[2];

    pthread_mutex_t lock; /* of everything down to here: */
    struct yb_listener *listeners;
    struct yb_tls_set *tls;
    struct yb_map *counts; /* client network or account -> number of connections, as a pointer */
    struct yb_slot *slots;
    uint32_t n_slots, first_free; /* slots ever used; free ones are chained, end: UINT32_MAX */
    struct yb_net_task *tasks;
    struct yb_conn *held_first, *held_last; /* with unhandled input, the longest waiting first */
    size_t held_bytes;

    atomic_bool has_tls;
    atomic_size_t n_open;
    atomic_uint_least64_t accepted, refused, timed_out;
};

/* A worker's buffers, for the pool; on its thread. */
void *yb_net_worker_new(void *net) YB_MUST_USE;
void yb_net_worker_free(void *worker);

/* --- what connections share (shared.c) --- */

/* A reference to the current certificates, or NULL. */
struct yb_tls_set *yb_net_tls(struct yb_net *n) YB_MUST_USE;
/* The fairness key of a client's network. */
uint64_t yb_net_key(const struct yb_net *n, const union yb_addr *addr);
/* What a connection is counted as: a client network or an account. */
struct yb_net_count {
    uint8_t n;                           /* 0: not counted */
    char key[sizeof(struct yb_network)]; /* or an account's, which is shorter */
};

/* Counts one more connection of the network of `addr`, noted in *count; false when it has too many. */
bool yb_net_admit(struct yb_net *n, const union yb_addr *addr,
                  struct yb_net_count *count) YB_MUST_USE;
void yb_net_dismiss(struct yb_net *n, struct yb_net_count *count);
/* Charges `c` with n bytes of unhandled input (0: none any more); over the total the longest
 * waiting connection is kicked. */
void yb_net_charge_input(struct yb_conn *c, size_t n);

/* --- connections --- */

enum yb_conn_state {
    YB_CONN_PROXY,
    YB_CONN_HANDSHAKE,
    YB_CONN_NEW,
    YB_CONN_OPEN,
    YB_CONN_CLOSING,
    YB_CONN_LINGER,
    YB_CONN_DEAD
};

struct yb_conn {
    struct yb_job job; /* job.key is the fairness key */
    struct yb_timer timer;
    _Atomic int64_t due, timer_at; /* when time matters next; what the timer is set to */
    struct yb_net *net;
    struct yb_loop *loop;
    struct yb_slot *slot;
    const struct yb_listener *listener;
    struct yb_worker *w; /* while it runs */
    void *session;
    struct yb_conn_ref self;

    int fd;
    enum yb_conn_state state;
    uint32_t armed;                 /* events epoll waits for; 0 after one came */
    uint32_t read_want, write_want; /* what to wait for before the next read or write */
    bool registered;                /* in epoll */
    bool opened;                    /* `opened` was called and `closed` was not */
    struct yb_net_count counted;    /* as whose connection */
    bool woken;                     /* `woken` is owed */
    bool paused, eof, starved;      /* starved: `in` holds nothing complete */
    bool broken;                    /* writing failed */
    bool start_tls;
    bool active; /* a handler returned or output moved: restart the timeout */

    struct yb_input input;
    const char *in; /* unhandled: in the worker's buffer or in `held` */
    size_t in_n;
    char *held; /* its memory while parked */
    size_t charged;
    struct yb_conn *held_prev, *held_next;

    struct yb_out out;
    size_t tried; /* out.size when sending was last tried */
    bool (*producer)(struct yb_conn *c);

    int64_t timeout_ms, idle_at, deadline_at; /* 0: none */
    int64_t engine_at;                        /* of handshake, closing and lingering; 0: none */

    struct ssl_st *ssl;
    struct yb_tls_set *tls; /* what ssl was made from */

    union yb_addr peer, local;
    struct yb_session_id sid;
    char peer_text[YB_IP_TEXT];
    struct yb_log_ctx log;
};

/* A connection for an accepted socket, scheduled or armed; owns fd. (accept.c) */
void yb_conn_accept(const struct yb_listener *l, int fd, const union yb_addr *peer);
/* Sets peer, its text, the log context and the fairness key. (peer.c) */
void yb_conn_set_peer(struct yb_conn *c, const union yb_addr *peer);
/* Tells the client that it is one too many. */
void yb_conn_say_busy(const struct yb_listener *l, int fd, const union yb_addr *peer,
                      const char *why);
/* The job of a connection (run.c). */
void yb_conn_run(struct yb_job *job, void *worker);
/* Calls `closed` where it is due and releases everything. c->w is set. */
void yb_conn_end(struct yb_conn *c);
/* The next line or block may go to its handler. (wait.c, as what follows) */
bool yb_conn_may_handle(const struct yb_conn *c);
/* Waits for what the state needs; the last thing before parking. */
void yb_conn_arm(struct yb_conn *c);
void yb_conn_set_timer(struct yb_conn *c);
/* The timer's function. */
void yb_conn_fire(struct yb_timer *t, int64_t now);

/* --- bytes (stream.c) --- */

enum { YB_STREAM_AGAIN = -1, YB_STREAM_BROKEN = -2 };
/* Up to n bytes: > 0; 0 at the end; or one of the above. */
ssize_t yb_stream_read(struct yb_conn *c, char *to, size_t n) YB_MUST_USE;
/* More is ready inside the TLS library, which epoll does not know. */
bool yb_stream_pending(const struct yb_conn *c);
/* Sends queued output as far as the socket takes it. False when the connection is broken. */
bool yb_stream_flush(struct yb_conn *c);
/* 1: done; YB_STREAM_AGAIN or _BROKEN. */
int yb_stream_handshake(struct yb_conn *c) YB_MUST_USE;
/* Says goodbye in TLS, where that is possible. */
void yb_stream_shutdown(struct yb_conn *c);

/* --- tls.c --- */

/* A server-side SSL for fd, with the default certificate until the client names another. */
struct ssl_st *yb_tls_set_open(struct yb_tls_set *s, int fd) YB_MUST_USE;
/* The reason of the last OpenSSL error of this thread, which is cleared. */
void yb_tls_error_text(char *out, size_t size);

#endif
