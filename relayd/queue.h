/*
 * The queue of this node on disk: messages that were answered 250 and wait for their delivery. One
 * SQLite database and a folder of bodies below `dir`; one process at a time (flock). Everything that
 * changes it goes through one thread (writer.h), which takes all that waits as one transaction and
 * then tells each owner; what was told is on disk. Opened and scanned by the start of the daemon,
 * used by the workers of the intake, by the scheduler and by who looks at bodies.
 */
#ifndef RELAYD_QUEUE_H
#define RELAYD_QUEUE_H

#include "lib/smtp/msgbuf.h"
#include "lib/smtp/xparam.h"

/* Numbers are on disk: they are never given another meaning. */
enum relayd_state {
    RELAYD_WAITING = 1, /* due at `next_ms` */
    RELAYD_HELD         /* for the sake of `reason`, until somebody or something ends that */
};

/* Why a recipient is held. */
enum relayd_reason {
    RELAYD_NO_REASON,
    RELAYD_OPERATOR,     /* somebody said so */
    RELAYD_ACCOUNT_GONE, /* there is no such account any more */
    RELAYD_BACKEND_AWAY, /* who would store it did not answer for days */
    RELAYD_NO_BODY,      /* the queue lost the message's octets */
    RELAYD_DAMAGED,      /* its row cannot be believed */
    RELAYD_REFUSED,      /* it was refused for days */
    RELAYD_REASONS       /* how many there are */
};

/* Octets of an answer that are kept; the rest is cut off. */
#define RELAYD_TEXT_MAX 1000

struct relayd_recipient {
    uint32_t
        n; /* its number in the message, from 0: with `m` its name. relayd_queue_put() gives it */
    struct yb_delivery_id delivery;
    struct yb_tenant_id tenant;
    struct yb_account_id account;
    struct yb_store_id home; /* zero: was not said */
    struct yb_str address;
    uint64_t quota;
    bool junk;
    bool repeat; /* it came with XREPEAT: the next in line may have it already */
    enum relayd_state state;
    enum relayd_reason reason;
    uint32_t attempts;
    int64_t next_ms;            /* unix ms */
    unsigned code;              /* the last answer; 0: none yet */
    struct yb_str status, text; /* of it: "4.3.0"; cleaned, at most RELAYD_TEXT_MAX octets */
    int64_t at_ms;              /* of it, unix ms */
};

struct relayd_message {
    uint64_t m; /* only grows; relayd_queue_put() sets it */
    struct yb_message_id mid;
    struct yb_session_id sid;
    struct yb_tenant_id tenant;
    enum yb_lmtp_origin origin;
    struct yb_str sender;
    bool body_8bit, utf8;
    bool accepted; /* at intake only: somebody heard 250 for it, so it may use the last tenth */
    uint64_t size; /* octets of head and body */
    int64_t arrived_ms; /* unix ms */
    bool file;          /* the body is a file; the queue decides */
    struct relayd_recipient *r;
    size_t n;
};

struct relayd_queue_conf {
    const char *dir; /* made when it is missing, 0700 */
    struct yb_node_id node;
    struct yb_msgbuf_pool *spool; /* for the bodies that are read back */
    uint64_t inline_body;    /* a body up to that lies in the database, a larger one in a file */
    uint64_t max_recipients; /* queued at once */
    uint64_t max_bytes;      /* of messages queued at once */
    uint64_t disk_reserve;   /* bytes of the file system that intake leaves free */
    uint64_t wal_bytes;      /* of the log, at which it is written back */
    uint64_t ballast;        /* bytes set aside for results on a full disk; 0: 32 MiB */
    int64_t idle_ms;         /* without work, after which the log is written back; 0: 10 s */
    int64_t done_ms;         /* for which delivery ids are remembered; 0: 15 min */
    uint64_t done_most;      /* of them; 0: 1 000 000 */
};

struct relayd_queue;

/*
 * Takes the lock, opens and looks at everything that is asked of the place: a file system of this
 * machine, SQLite's settings read back, our own node's name in it; then removes bodies that no row
 * names. -1, YB_TEMP, with what to do in the text: the daemon ends with 75.
 */
int relayd_queue_open(const struct relayd_queue_conf *conf, struct relayd_queue **q,
                      struct yb_err *err) YB_MUST_USE;
/*
 * Every message with its recipients, oldest first; before relayd_queue_start(), and needed before it.
 * What `each` is given is valid during the call. Recipients whose body is lost, or whose row cannot be
 * believed, come as HELD, and are so on disk afterwards; what cannot even be named is logged and left
 * alone. `each` returns 0, or -1 with *err set to end it.
 */
int relayd_queue_scan(struct relayd_queue *q,
                      int (*each)(void *arg, const struct relayd_message *m, struct yb_err *err),
                      void *arg, struct yb_err *err) YB_MUST_USE;

/* Who is told what happens. */
struct relayd_queue_owner {
    void *arg;
    /* A message is on disk. On the thread that put it, before relayd_queue_put() returns. */
    void (*came)(void *arg, const struct relayd_message *m);
    /*
     * A COMMIT or a sync failed: nobody knows what is on disk, and nobody gets an answer. The process
     * must end with 75; what it was about is repeated with XREPEAT. When this returns, or is NULL,
     * the process is ended here.
     */
    void (*broken)(void *arg, const struct yb_err *why);
    /* The database is damaged: from now on nothing is taken and no change is made. Once, any thread;
     * NULL: it is only logged, and told by relayd_queue_stats_read(). */
    void (*damaged)(void *arg, const struct yb_err *why);
};

/* The writer's thread begins; *owner is copied. */
int relayd_queue_start(struct relayd_queue *q, const struct relayd_queue_owner *owner,
                       struct yb_err *err) YB_MUST_USE;
/* Nobody may be putting or posting any more. What was posted is done first. *q may be NULL. */
void relayd_queue_close(struct relayd_queue **q);

/*
 * Takes a message: head and then body are its octets. Any thread; returns when it is committed. Sets
 * m->m, m->size, m->file and each r->n; what of a recipient is about attempts is taken as it stands
 * (WAITING, next_ms). A recipient whose delivery id is queued or was done lately is left out of m->r;
 * if that is all of them, m->n is 0, nothing is stored, and that is a success for the peer.
 * -1: YB_TEMP, YB_ERR_FULL 4.3.1 over a bound or without room on disk; else 4.3.0. Nothing is stored
 * then, and m->r is as it was.
 */
int relayd_queue_put(struct relayd_queue *q, struct relayd_message *m, const struct yb_msgbuf *body,
                     struct yb_str head, struct yb_err *err) YB_MUST_USE;
/*
 * May a message of so many octets (0: not known) for one recipient more of that tenant begin? One
 * tenant has at most half; the last tenth of everything is for what was `accepted`. False with *err
 * as relayd_queue_put() would say it. Asked at MAIL, or when `accepted` is known.
 */
bool relayd_queue_may_take(struct relayd_queue *q, struct yb_tenant_id tenant, uint64_t octets,
                           bool accepted, struct yb_err *err);

/* What the scheduler wants changed. */
enum relayd_op_kind {
    RELAYD_OP_LATER,   /* WAITING, with next_ms, attempts and the last answer as in r */
    RELAYD_OP_DONE,    /* out of the queue; the delivery id is remembered */
    RELAYD_OP_HOLD,    /* HELD, with r's reason and the rest as for LATER */
    RELAYD_OP_RELEASE, /* as LATER: WAITING, without a reason */
    RELAYD_OP_DELETE   /* as DONE, for who looks at figures */
};

/* Of one message. r: what of them changes, named by r->n; the last one takes the message with it. */
struct relayd_op {
    enum relayd_op_kind kind;
    uint64_t m;
    struct relayd_recipient *r;
    size_t n;
    /* On the writer's thread, after the commit. Not ok: the disk took nothing (full beyond the ballast,
     * or damaged); the same may be posted again later. May be NULL. */
    void (*done)(void *arg, const struct relayd_op *op, bool ok);
    void *arg;
};

/* Any thread; *op is copied, with what it points to. Ops of one thread are done in their order. A
 * recipient that is not in the queue is left out in silence. */
void relayd_queue_post(struct relayd_queue *q, const struct relayd_op *op);

/*
 * The octets of a message: *head for yb_free(), *body for yb_msgbuf_free(). Any thread, by a read-only
 * connection. YB_ERR_NOT_FOUND: there is no such message, or its body is lost.
 */
int relayd_queue_body(struct relayd_queue *q, uint64_t m, struct yb_str *head,
                      struct yb_msgbuf **body, struct yb_err *err) YB_MUST_USE;

/* Nothing is changed any more. */
bool relayd_queue_is_damaged(struct relayd_queue *q);
/* For metrics, and for who asks how the queue is. */
struct relayd_queue_stats {
    uint64_t recipients, bytes; /* queued */
    uint64_t done;              /* delivery ids remembered */
    uint64_t wal_bytes;
    uint64_t commits, ops, checkpoints;
    uint64_t busy_checkpoints; /* that could not write all back */
    int64_t longest_commit_us; /* since the last call */
    bool ballast;              /* is in place: false means that the disk was full */
    bool damaged;
    bool checking; /* the database is looked through after an unclean boot */
};
/* Figures of now. */
void relayd_queue_stats_read(struct relayd_queue *q, struct relayd_queue_stats *out);

#endif
