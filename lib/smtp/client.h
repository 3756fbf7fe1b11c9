/*
 * The client side of LMTP and SMTP: blocking, for worker threads, over yb_sock. A destination keeps
 * its idle connections and a gate; a transaction is one call that sends everything it can in one
 * write (RFC 2920, RFC 3030) and ends with one result for each recipient.
 */
#ifndef YB_SMTP_CLIENT_H
#define YB_SMTP_CLIENT_H

#include "lib/base/clock.h"
#include "lib/smtp/msgbuf.h"
#include "lib/smtp/xparam.h"

struct yb_smtp_dest;

struct yb_smtp_dest_conf {
    const char *where;    /* "unix:/run/yubin/lmtpd.lmtp", "127.0.0.1:24" */
    const char *hostname; /* said in LHLO or EHLO */
    bool lmtp;            /* LHLO, an answer for each recipient; else SMTP */
    unsigned inside;      /* transactions at once: the gate (default 16) */
    unsigned keep;        /* idle connections kept (default: as `inside`) */
    int64_t connect_ms;   /* connecting and greeting (default 5 s) */
    int64_t answer_ms;    /* each wait for an answer (default 30 s) */
    int64_t repeat_ms;    /* how long a peer that was just lost is tried again (default: once) */
    int64_t fresh_ms;     /* how long yb_smtp_dest_ready() believes an answer (default 1 s) */
};

/* Thread safe. Connects only when used. */
struct yb_smtp_dest *yb_smtp_dest_new(const struct yb_smtp_dest_conf *conf) YB_MUST_USE;
/* Closes idle connections; nobody may be sending. */
void yb_smtp_dest_free(struct yb_smtp_dest **d);

/*
 * Does the peer answer, within `ms`? An idle connection that the peer has kept, when it took mail
 * lately, is enough; else it is asked by NOOP, or a new one is made: a peer that takes none ends them.
 * It stays among the idle ones, for who has something to send a moment later. -1: *err says why not.
 */
int yb_smtp_dest_ready(struct yb_smtp_dest *d, int64_t ms, struct yb_err *err) YB_MUST_USE;

/* What became of a recipient. */
enum yb_smtp_fate {
    YB_FATE_NONE,    /* not sent: nothing can have been stored; err says why */
    YB_FATE_REFUSED, /* answered 4xx or 5xx: err is that answer */
    YB_FATE_WELCOME, /* only asked: answered 2xx to RCPT */
    YB_FATE_STORED,  /* answered 2xx to the whole message */
    YB_FATE_UNKNOWN  /* the message was sent, no answer came: it may have been stored */
};

struct yb_smtp_send_rcpt {
    struct yb_str to;      /* without < and > */
    struct yb_lmtp_rcpt x; /* the client itself sets `repeat` when it has to ask again */
    enum yb_smtp_fate fate;
    bool late;    /* REFUSED when the message was whole, not at RCPT */
    bool skipped; /* the client's own: UNKNOWN, and refused at RCPT when it was asked again */
    struct yb_err err;
};

struct yb_smtp_send {
    struct yb_str from; /* without < and >; empty: the null reverse-path */
    struct yb_lmtp_mail x;
    bool body_8bit, utf8;
    struct yb_smtp_send_rcpt *rcpts;
    size_t n_rcpts;
    struct yb_str head; /* octets before the body: trace and added fields */
    const struct yb_msgbuf *body;
    uint64_t body_from; /* its octets before these are left out */
    bool all_or_none;   /* a recipient refused at RCPT ends it before any message octet is taken:
                       * then no fate is STORED */
    bool ask;           /* only the envelope is said, then taken back: who would be taken at RCPT is
                         * WELCOME; nothing below `n_rcpts` but ask_size counts */
    uint64_t ask_size;  /* SIZE= then; 0: not said */
};

/*
 * Carries one message, or asks. Returns 0 when each recipient has a fate that is known, -1 when any
 * fate is NONE or UNKNOWN, with the reason in *err too. A peer whose connection was lost, not timed out,
 * is asked once more, and then for repeat_ms, also when it cannot be reached meanwhile; after the
 * message went out with XREPEAT and the same delivery ids (docs/delivery.md): a peer that died
 * between storing and answering stores it once.
 */
int yb_smtp_send_message(struct yb_smtp_dest *d, struct yb_smtp_send *send,
                         struct yb_err *err) YB_MUST_USE;

/* For metrics. */
struct yb_smtp_dest_stats {
    uint64_t connections, transactions, repeats, failures;
    size_t idle;
};
/* Figures of now. */
void yb_smtp_dest_stats_read(struct yb_smtp_dest *d, struct yb_smtp_dest_stats *out);

#endif
