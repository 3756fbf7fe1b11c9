/*
 * Inside the client: what client.c (transactions) and link.c (destinations, connections, replies)
 * share. Nobody outside lib/smtp includes it.
 */
#ifndef YB_SMTP_LINK_H
#define YB_SMTP_LINK_H

#include "lib/net/gate.h"
#include "lib/smtp/client.h"
#include "lib/smtp/reply.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    HAS_PIPELINING = 1,
    HAS_CHUNKING = 2,
    HAS_8BITMIME = 4,
    HAS_SMTPUTF8 = 8,
    HAS_SIZE = 16,
    HAS_XYUBIN = 32 /* lib/smtp/xparam.h */
};

/* One connection. */
struct link {
    struct link *next;
    struct yb_sock *sock;
    unsigned features;
    bool needs_reset; /* RSET goes before the next MAIL */
};

struct yb_smtp_dest {
    struct yb_smtp_dest_conf conf;
    struct yb_gate *gate;
    pthread_mutex_t lock; /* idle, n_idle */
    struct link *idle;    /* last used first */
    size_t n_idle;
    _Atomic int64_t there_ms; /* when the peer was last known to be there; 0: never */
    _Atomic int64_t takes_ms; /* … and to take what it is given; 0: it did not, the last time */
    _Atomic uint64_t connections, transactions, repeats, failures;
};

/* One transaction on its way. */
struct work {
    struct yb_smtp_dest *dest;
    struct yb_smtp_send *send;
    struct link *link;
    struct yb_buf *out;           /* commands */
    struct yb_deadline by, whole; /* of this wait; of all of them */
    bool sent;                    /* the last octet of the message went to the socket */
    struct yb_err *err;
};

/* An idle connection that the peer has not left, or NULL. */
struct link *smtp_idle_take(struct yb_smtp_dest *d);
/* Keeps a connection that is in step, or closes it when there are enough. *l is NULL afterwards. */
void smtp_idle_give(struct yb_smtp_dest *d, struct link **l);
void smtp_link_close(struct link **l);
/* The peer answered just now, or was lost: it was there until then. */
void smtp_note_there(struct yb_smtp_dest *d);
/* It took a message, or said that it would; or it did not. */
void smtp_note_takes(struct yb_smtp_dest *d, bool takes);
/* It was there within the last `ms`. */
bool smtp_was_there(struct yb_smtp_dest *d, int64_t ms);
/* A new connection, with greeting and hello, in w->link. After an error w->link may be there. */
int smtp_link_connect(struct work *w) YB_MUST_USE;
/* Sends what is queued in w->out and gives the next answer its time. */
int smtp_commands_flush(struct work *w) YB_MUST_USE;
/* Reads one whole reply; `features`: of EHLO. -1: the connection is of no use any more, *w->err
 * says why. */
int smtp_reply_read(struct work *w, bool features, struct yb_smtp_reply *r) YB_MUST_USE;

#endif
