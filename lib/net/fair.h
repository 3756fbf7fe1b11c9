/*
 * Whose job is next: keys are charged by the time their jobs take on a worker, in a virtual time of
 * their own, and the key that was charged least comes first. The pool (pool.h) owns one, under its
 * lock; nothing here locks, blocks or reads a clock.
 *
 * A key that asks for something begins at the common virtual time (`now`): it neither saves up what
 * it did not use, nor leaves its debt behind by asking for nothing for a moment.
 *
 * a key is | it has                            | it is found                       | left by
 * ---------|-----------------------------------|-----------------------------------|--------------
 * waiting  | jobs in its queue                 | in its bucket and in the heap     | take
 * running  | jobs on workers, none waiting     | in its bucket                     | push, ended
 * resting  | only debt: vtime > now            | in its bucket and the list `rest` | push, sweep()
 */
#ifndef YB_NET_FAIR_H
#define YB_NET_FAIR_H

#include "lib/net/pool.h"

#define YB_FAIR_BUCKETS 1024

struct yb_fair;

struct yb_fairs {
    unsigned workers;
    int64_t now;    /* virtual time, µs; only grows */
    int64_t latest; /* the largest of any key so far */
    int64_t unshared;
    uint64_t arrivals;
    struct yb_fair **heap; /* of the waiting keys, the first at [0] */
    size_t n_heap, heap_size;
    size_t n_used; /* waiting or running */
    struct yb_fair *rest_first, *rest_last;
    struct yb_fair *spare;
    struct yb_fair *buckets[YB_FAIR_BUCKETS];
};

/* A job that was taken: whom it is charged to, and what was charged already. */
struct yb_turn {
    struct yb_fair *fair;
    int64_t charged;
};

/* The job waits. */
void yb_fairs_push(struct yb_fairs *s, struct yb_job *job);
/* Whether a job waits that may run now, with `idle` workers beside the one that asks. */
bool yb_fairs_ready(const struct yb_fairs *s, size_t idle);
/* The next job, or NULL; *turn goes to yb_fairs_ended(). */
struct yb_job *yb_fairs_take(struct yb_fairs *s, size_t idle, struct yb_turn *turn) YB_MUST_USE;
/* The job is over; it had its worker for so long, waiting included. */
void yb_fairs_ended(struct yb_fairs *s, const struct yb_turn *turn, int64_t spent_us);
/* A worker found nothing to do. */
void yb_fairs_idle(struct yb_fairs *s);
void yb_fairs_release(struct yb_fairs *s);

#endif
