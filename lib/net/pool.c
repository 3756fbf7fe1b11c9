#include "lib/net/pool.h"

#include "lib/base/clock.h"

#include <signal.h>
#include <string.h>

#define BUCKETS 1024 /* of fairness keys with something running or waiting */

/* One fairness key in use: it exists while a job of it runs or waits. */
struct yb_fair {
    uint64_t key;
    unsigned running;
    struct yb_job *head, *tail;  /* waiting */
    struct yb_fair *chain;       /* of its bucket, or of the free list */
    struct yb_fair *prev, *next; /* ring of the keys with waiting jobs */
};

struct worker {
    struct yb_pool *pool;
    pthread_t thread;
    pthread_cond_t cond;
    bool called;
    struct worker *idle_next;
};

struct yb_pool {
    struct yb_pool_conf conf;
    pthread_mutex_t lock;
    struct worker *workers;
    unsigned started;
    bool stop;
    struct worker *idle;  /* last in, first out: the warmest worker is woken */
    bool waking;          /* a worker was called and has not looked at the queue yet */
    struct yb_fair *ring; /* whose turn it is */
    struct yb_fair *spare;
    struct yb_fair *buckets[BUCKETS];
    pthread_cond_t quiet; /* nothing runs or waits, told when somebody drains */
    bool draining;
    atomic_size_t n_waiting, n_running, n_idle;
};

struct yb_pool *
yb_pool_new(const struct yb_pool_conf *conf)
{
    struct yb_pool *p = yb_alloc(1, sizeof(*p));
    pthread_condattr_t attr;

    p->conf = *conf;
    if (p->conf.workers == 0)
        p->conf.workers = 1;
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->quiet, &attr);
    pthread_condattr_destroy(&attr);
    p->workers = yb_alloc(p->conf.workers, sizeof(p->workers[0]));
    for (unsigned k = 0; k < p->conf.workers; k++) {
        p->workers[k].pool = p;
        pthread_cond_init(&p->workers[k].cond, NULL);
    }
    return p;
}

/* --- keys --- */

static struct yb_fair **
bucket_of(struct yb_pool *p, uint64_t key)
{
    return &p->buckets[(key * 0x9e3779b97f4a7c15u) >> 54]; /* the upper 10 bits: BUCKETS */
}

static struct yb_fair *
fair_get(struct yb_pool *p, uint64_t key)
{
    struct yb_fair **at = bucket_of(p, key), *f;

    for (f = *at; f != NULL; f = f->chain)
        if (f->key == key)
            return f;
    f = p->spare;
    if (f != NULL)
        p->spare = f->chain;
    else
        f = yb_alloc(1, sizeof(*f));
    *f = (struct yb_fair){ .key = key, .chain = *at };
    *at = f;
    return f;
}

static void
fair_drop_unused(struct yb_pool *p, struct yb_fair *f)
{
    struct yb_fair **at = bucket_of(p, f->key);

    if (f->running > 0 || f->head != NULL)
        return;
    while (*at != f)
        at = &(*at)->chain;
    *at = f->chain;
    f->chain = p->spare;
    p->spare = f;
}

static void
ring_add(struct yb_pool *p, struct yb_fair *f)
{
    if (p->ring == NULL) {
        f->prev = f->next = f;
        p->ring = f;
        return;
    }
    f->next = p->ring; /* before the one whose turn it is: last */
    f->prev = p->ring->prev;
    f->prev->next = f;
    f->next->prev = f;
}

static void
ring_remove(struct yb_pool *p, struct yb_fair *f)
{
    if (f->next == f) {
        p->ring = NULL;
        return;
    }
    f->prev->next = f->next;
    f->next->prev = f->prev;
    if (p->ring == f)
        p->ring = f->next;
}

/*
 * Up to half of the workers for anybody. Beyond that only while nobody else waits, and only as long
 * as an eighth stays idle: a handler cannot be taken back from a key that blocks in it.
 */
static bool
may_run(const struct yb_pool *p, const struct yb_fair *f, size_t idle)
{
    unsigned half = p->conf.workers > 1 ? p->conf.workers / 2 : 1;
    unsigned reserve = p->conf.workers > 8 ? p->conf.workers / 8 : 1;

    return f->running < half || (f->next == f && idle >= reserve);
}

/* The next key that may run, beginning with the one whose turn it is; NULL. */
static struct yb_fair *
next_fair(struct yb_pool *p, size_t idle)
{
    struct yb_fair *f = p->ring;

    if (f == NULL)
        return NULL;
    do {
        if (may_run(p, f, idle))
            return f;
        f = f->next;
    } while (f != p->ring); /* at most two keys can have half of the workers each */
    return NULL;
}

static struct yb_job *
take(struct yb_pool *p, struct yb_fair **taken)
{
    struct yb_fair *f = next_fair(p, atomic_load_explicit(&p->n_idle, memory_order_relaxed));
    struct yb_job *job;

    if (f == NULL)
        return NULL;
    job = f->head;
    f->head = job->next;
    job->next = NULL;
    f->running++;
    p->ring = f->next;
    if (f->head == NULL)
        ring_remove(p, f);
    atomic_fetch_sub_explicit(&p->n_waiting, 1, memory_order_relaxed);
    *taken = f;
    return job;
}

/*
 * One worker is on its way at most; when it has taken its job it calls the next one. Under load the
 * running workers come first that way, without a wake-up for each job. Returns the worker to wake,
 * if any, when the lock is given back: woken before, it would only wait for the lock.
 */
static struct worker *
call_one(struct yb_pool *p)
{
    struct worker *w = p->idle;

    /* The one called is not idle any more when it chooses. */
    if (w == NULL || p->waking ||
        next_fair(p, atomic_load_explicit(&p->n_idle, memory_order_relaxed) - 1) == NULL)
        return NULL;
    p->idle = w->idle_next;
    atomic_fetch_sub_explicit(&p->n_idle, 1, memory_order_relaxed);
    w->called = true;
    p->waking = true;
    return w;
}

/* Gives the lock back, then wakes. A worker that saw itself called meanwhile finds the signal
 * spurious later. */
static void
unlock_and_wake(struct yb_pool *p, struct worker *w)
{
    pthread_mutex_unlock(&p->lock);
    if (w != NULL)
        pthread_cond_signal(&w->cond);
}

void
yb_pool_push(struct yb_pool *p, struct yb_job *job)
{
    struct yb_fair *f;

    pthread_mutex_lock(&p->lock);
    f = fair_get(p, job->key);
    job->next = NULL;
    if (f->head == NULL) {
        f->head = job;
        ring_add(p, f);
    } else {
        f->tail->next = job;
    }
    f->tail = job;
    atomic_fetch_add_explicit(&p->n_waiting, 1, memory_order_relaxed);
    unlock_and_wake(p, call_one(p));
}

/* --- threads --- */

static bool
is_quiet(const struct yb_pool *p)
{
    return atomic_load(&p->n_running) == 0 && atomic_load(&p->n_waiting) == 0;
}

void
yb_pool_drain(struct yb_pool *p, int64_t ms)
{
    struct timespec until = yb_clock_wait(ms);
    int rc = 0;

    pthread_mutex_lock(&p->lock);
    p->draining = true;
    while (!is_quiet(p) && rc == 0)
        rc = pthread_cond_timedwait(&p->quiet, &p->lock, &until);
    p->draining = false;
    pthread_mutex_unlock(&p->lock);
}

static void
worker_idle(struct yb_pool *p, struct worker *w)
{
    w->called = false;
    w->idle_next = p->idle;
    p->idle = w;
    atomic_fetch_add_explicit(&p->n_idle, 1, memory_order_relaxed);
    while (!w->called && !p->stop)
        pthread_cond_wait(&w->cond, &p->lock);
    if (w->called)
        p->waking = false;
}

static void *
worker_main(void *arg)
{
    struct worker *w = arg;
    struct yb_pool *p = w->pool;
    void *own = p->conf.worker_new == NULL ? NULL : p->conf.worker_new(p->conf.arg);

    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        struct yb_fair *f;
        struct yb_job *job = take(p, &f);

        if (job == NULL) {
            worker_idle(p, w);
            continue;
        }
        atomic_fetch_add_explicit(&p->n_running, 1, memory_order_relaxed);
        unlock_and_wake(p, call_one(p));
        job->run(job, own);
        pthread_mutex_lock(&p->lock);
        atomic_fetch_sub_explicit(&p->n_running, 1, memory_order_relaxed);
        f->running--;
        fair_drop_unused(p, f);
        if (p->draining && is_quiet(p))
            pthread_cond_signal(&p->quiet);
    }
    pthread_mutex_unlock(&p->lock);
    if (p->conf.worker_free != NULL)
        p->conf.worker_free(own);
    return NULL;
}

int
yb_pool_start(struct yb_pool *p, struct yb_err *err)
{
    sigset_t all, old;
    int rc = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (p->started < p->conf.workers && rc == 0) {
        struct worker *w = &p->workers[p->started];

        rc = pthread_create(&w->thread, NULL, worker_main, w);
        if (rc == 0)
            p->started++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return yb_err_inside(err, YB_TEMP, "4.3.2", "start worker %u: %s", p->started,
                             strerror(rc));
    return 0;
}

void
yb_pool_stop(struct yb_pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    for (unsigned k = 0; k < p->started; k++)
        pthread_cond_signal(&p->workers[k].cond);
    pthread_mutex_unlock(&p->lock);
    for (unsigned k = 0; k < p->started; k++)
        pthread_join(p->workers[k].thread, NULL);
    p->started = 0;
}

static void
fairs_free(struct yb_fair *f)
{
    while (f != NULL) {
        struct yb_fair *next = f->chain;

        yb_free(f);
        f = next;
    }
}

void
yb_pool_free(struct yb_pool **p)
{
    if (*p == NULL)
        return;
    fairs_free((*p)->spare);
    for (size_t k = 0; k < BUCKETS; k++)
        fairs_free((*p)->buckets[k]);
    for (unsigned k = 0; k < (*p)->conf.workers; k++)
        pthread_cond_destroy(&(*p)->workers[k].cond);
    pthread_cond_destroy(&(*p)->quiet);
    pthread_mutex_destroy(&(*p)->lock);
    yb_free((*p)->workers);
    yb_free(*p);
    *p = NULL;
}

bool
yb_pool_pressed(const struct yb_pool *p)
{
    return atomic_load_explicit(&p->n_waiting, memory_order_relaxed) > 0 &&
           atomic_load_explicit(&p->n_idle, memory_order_relaxed) == 0;
}

void
yb_pool_counts(const struct yb_pool *p, size_t *running, size_t *waiting)
{
    *running = atomic_load_explicit(&p->n_running, memory_order_relaxed);
    *waiting = atomic_load_explicit(&p->n_waiting, memory_order_relaxed);
}
