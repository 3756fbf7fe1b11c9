/*
 * The scheduler: who waits, when each is due, who is next, and what follows from what became of an
 * attempt. A pure machine: it has no clock, socket, file or thread; time and chance come from outside,
 * and what shall change on disk goes out as a struct relayd_change and counts once that is settled.
 * Its owner (run.h) locks.
 *
 *   a recipient     means                                   left by
 *   due later       in the heap, by its message             its time: ready
 *   ready           in a queue of its tenant                relayd_sched_take(): under way
 *   under way       part of a job of a deliver thread       relayd_sched_done(): settling, or due
 *   settling        its change is on the way to the disk    relayd_sched_settled()
 *
 * Due times are kept on a clock that nobody sets (boot_ms), so that a wrong wall clock moves no attempt;
 * ages are by the wall clock, and nothing is held or discarded for its age within `grace_ms` of a start
 * or of a jump of that clock.
 *
 * lmtpd and the directory are *sites*: one that did not answer sleeps, 1, 2, 4 … 30 s; nobody's attempts
 * count for it and no row is written. Then one job is its probe, and wakes it or puts it to sleep again.
 */
#ifndef RELAYD_SCHED_H
#define RELAYD_SCHED_H

#include "lib/base/arena.h"
#include "relayd/queue.h"

struct relayd_sched;

struct relayd_now {
    int64_t wall_ms; /* unix ms: may be set, may jump */
    int64_t boot_ms; /* only grows, also while the machine sleeps */
};

struct relayd_sched_conf {
    unsigned workers; /* jobs under way at once, at most; does not change */
    int64_t sleep_first_ms, sleep_most_ms;
    int64_t retry_first_ms, retry_most_ms;
    int64_t ask_after_ms;
    int64_t away_expire_ms, hold_look_ms, hold_expire_ms, grace_ms;
};

/* What shall be changed on disk, of one message. */
struct relayd_change {
    enum relayd_op_kind kind;
    bool discard;                   /* DELETE: it was held for too long */
    bool ordered;                   /* somebody said so (relayd_sched_order()) */
    bool released;                  /* LATER: it was held, and is not any more */
    const struct relayd_message *m; /* m->r, m->n: those that change, with their new values */
};

/* What an attempt may show of a site. */
enum relayd_contact {
    RELAYD_UNTOUCHED, /* it was not asked */
    RELAYD_ANSWERED,
    RELAYD_AWAY
};

/* Whom an attempt needs. */
enum relayd_site { RELAYD_NO_SITE, RELAYD_SITE_LMTPD, RELAYD_SITE_DIRECTORY };

/* What became of one recipient of a job. */
enum relayd_try {
    RELAYD_TRY_AWAY,    /* lmtpd or the directory did not answer: as if not tried */
    RELAYD_TRY_TROUBLE, /* our own: tried again after retry_first, and not counted */
    RELAYD_TRY_STORED,
    RELAYD_TRY_REFUSED, /* for now: whatever lmtpd says to one that was accepted */
    RELAYD_TRY_GONE,    /* there is no such account any more */
    RELAYD_TRY_NO_BODY  /* the message's octets are lost */
};

struct relayd_outcome {
    enum relayd_try fate;
    unsigned code; /* REFUSED and TROUBLE: the answer, in words that stay until done() */
    struct yb_str status, text;
};

/* Work for a deliver thread: recipients of one message that are due. */
struct relayd_job {
    struct relayd_message m;  /* a copy, in the arena that was given; r->repeat says XREPEAT */
    bool ask;                 /* old enough that the directory is asked first */
    struct relayd_outcome *o; /* m.n of them, to be filled in */
    enum relayd_contact lmtpd, directory; /* to be filled in */
    unsigned probes;                      /* the scheduler's own: bits of the sites that slept */
};

/* Copies *conf. `change` is called within take(), done(), tick() and order(); what it is given is valid
 * during the call. */
struct relayd_sched *relayd_sched_new(const struct relayd_sched_conf *conf, struct relayd_now now,
                                      void (*change)(void *arg, const struct relayd_change *change),
                                      void *arg) YB_MUST_USE;
void relayd_sched_free(struct relayd_sched **s);
/* Other times from now on; what waits keeps its own. */
void relayd_sched_set(struct relayd_sched *s, const struct relayd_sched_conf *conf);

/* A message from the disk: `fresh` has just come. */
void relayd_sched_add(struct relayd_sched *s, struct relayd_now now, const struct relayd_message *m,
                      bool fresh);

/*
 * What is due becomes ready. True: the wall clock jumped since the last call, and nothing is held or
 * discarded for its age for a while. To be called before take(), and at least every few seconds.
 */
bool relayd_sched_tick(struct relayd_sched *s, struct relayd_now now);
/* Milliseconds until tick() or take() may have something to do; -1: nothing waits. */
int64_t relayd_sched_wait(const struct relayd_sched *s, struct relayd_now now);
/*
 * Work for one thread more; false: none now. Tenants take turns; while another tenant's is ready, one
 * has at most half of the workers, rounded up. Mail that is new goes before mail that the directory is
 * asked about, but for one turn in eight (turns.h).
 */
bool relayd_sched_take(struct relayd_sched *s, struct relayd_now now, struct yb_arena *arena,
                       struct relayd_job *out);
/* The job is over. `chance`: any number, for the tenth by which attempts are spread. */
void relayd_sched_done(struct relayd_sched *s, struct relayd_now now, const struct relayd_job *job,
                       uint32_t chance);
/* A change is on disk, or (not ok: one that was ordered) will not be. *c is as it was given to `change`,
 * or a copy. */
void relayd_sched_settled(struct relayd_sched *s, struct relayd_now now,
                          const struct relayd_change *c, bool ok);

/* --- looking and steering --- */

/* Of recipient r->n of message r->m. */
struct relayd_row {
    const struct relayd_message *m; /* m->n: how many recipients it has left; m->r is NULL */
    const struct relayd_recipient *r;
    bool underway;         /* under way or settling */
    enum relayd_site away; /* what it waits for and does not answer */
};
/*
 * Walks from recipient `n` of message `m` on, in order of m, then n, over at most `most` recipients or
 * until `each` says false. True: there is more, from *m and *n on.
 */
bool relayd_sched_each(struct relayd_sched *s, uint64_t *m, uint32_t *n, size_t most,
                       bool (*each)(void *arg, const struct relayd_row *row), void *arg);

enum relayd_order {
    RELAYD_ORDER_RETRY,
    RELAYD_ORDER_HOLD,
    RELAYD_ORDER_RELEASE,
    RELAYD_ORDER_DELETE
};
enum relayd_ordered {
    RELAYD_ORDERED_NOT,     /* nothing to change: it is so already, or cannot be (no such one) */
    RELAYD_ORDERED_DONE,    /* done, without a change on disk */
    RELAYD_ORDERED_CHANGE,  /* a change was given out: relayd_sched_settled() decides */
    RELAYD_ORDERED_UNDERWAY /* is done when the attempt under way did not deliver it */
};
/* Holding wins over a reason to hold; DELETE over everything but a delivery under way. */
enum relayd_ordered relayd_sched_order(struct relayd_sched *s, struct relayd_now now, uint64_t m,
                                       uint32_t n, enum relayd_order order);

struct relayd_sched_stats {
    size_t messages, waiting, held; /* recipients in these states */
    size_t underway;                /* jobs */
    uint64_t bytes;
    int64_t oldest_ms; /* age of the oldest message; 0: there is none */
    bool lmtpd_away, directory_away;
};
void relayd_sched_stats_read(const struct relayd_sched *s, struct relayd_now now,
                             struct relayd_sched_stats *out);

#endif
