/*
 * The workers and the queue they take jobs from. A job carries a fairness key; keys share the
 * workers by time (fair.h), and no key gets more than half of the workers but from a surplus of
 * idle ones that always leaves some for the others.
 */
#ifndef YB_NET_POOL_H
#define YB_NET_POOL_H

#include "lib/base/err.h"

#include <pthread.h>
#include <stdatomic.h>

struct yb_pool;

/* Lives inside what is to be run; in the queue once at most. */
struct yb_job {
    struct yb_job *next;
    uint64_t key;
    /* On a worker. The job may be pushed again, or freed, from inside. */
    void (*run)(struct yb_job *job, void *worker);
};

struct yb_pool_conf {
    unsigned workers;
    /* What each worker has for itself, given to run(); made and freed on its thread. */
    void *(*worker_new)(void *arg);
    void (*worker_free)(void *worker);
    void *arg;
    /* By which jobs are charged, from any thread; NULL: yb_clock_us(). */
    int64_t (*clock_us)(void);
};

/* Workers and an empty queue, not started. Copies *conf. */
struct yb_pool *yb_pool_new(const struct yb_pool_conf *conf) YB_MUST_USE;
/* Starts the threads, with all signals blocked. */
int yb_pool_start(struct yb_pool *p, struct yb_err *err) YB_MUST_USE;
/* Waits until nothing runs or waits, at most `ms`. Only one thread may wait at a time. */
void yb_pool_drain(struct yb_pool *p, int64_t ms);
/* Lets the running jobs end and joins; jobs still queued are not run. */
void yb_pool_stop(struct yb_pool *p);
/* After yb_pool_stop(). */
void yb_pool_free(struct yb_pool **p);
/* From any thread. */
void yb_pool_push(struct yb_pool *p, struct yb_job *job);
/* True when a job waits and no worker is idle: a long job should push itself again and return. */
bool yb_pool_pressed(const struct yb_pool *p);
void yb_pool_counts(const struct yb_pool *p, size_t *running, size_t *waiting);

#endif
