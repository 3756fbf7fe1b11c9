#include "lib/net/pool.h"

#include "lib/base/clock.h"
#include "lib/net/fair.h"

#include <signal.h>
#include <string.h>

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
    struct worker *idle; /* last in, first out: the warmest worker is woken */
    bool waking;         /* a worker was called and has not looked at the queue yet */
    struct yb_fairs fairs;
    pthread_cond_t quiet; /* nothing runs or waits, told when somebody drains */
    bool draining;
    atomic_size_t n_waiting, n_running, n_idle;
};

struct yb_pool *
yb_pool_new(const struct yb_pool_conf *conf)
{
    struct yb_pool *p = yb_alloc(1, sizeof(*p));

    p->conf = *conf;
    if (p->conf.workers == 0)
        p->conf.workers = 1;
    if (p->conf.clock_us == NULL)
        p->conf.clock_us = yb_clock_us;
    p->fairs.workers = p->conf.workers;
    pthread_mutex_init(&p->lock, NULL);
    yb_clock_cond_init(&p->quiet);
    p->workers = yb_alloc(p->conf.workers, sizeof(p->workers[0]));
    for (unsigned k = 0; k < p->conf.workers; k++) {
        p->workers[k].pool = p;
        pthread_cond_init(&p->workers[k].cond, NULL);
    }
    return p;
}

/* --- the queue --- */

static size_t
n_idle(const struct yb_pool *p)
{
    return atomic_load_explicit(&p->n_idle, memory_order_relaxed);
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
    if (w == NULL || p->waking || !yb_fairs_ready(&p->fairs, n_idle(p) - 1))
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
    pthread_mutex_lock(&p->lock);
    yb_fairs_push(&p->fairs, job);
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
    yb_fairs_idle(&p->fairs);
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
        struct yb_turn turn;
        struct yb_job *job = yb_fairs_take(&p->fairs, n_idle(p), &turn);
        int64_t spent;

        if (job == NULL) {
            worker_idle(p, w);
            continue;
        }
        atomic_fetch_sub_explicit(&p->n_waiting, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&p->n_running, 1, memory_order_relaxed);
        unlock_and_wake(p, call_one(p));
        spent = -p->conf.clock_us();
        job->run(job, own);
        spent += p->conf.clock_us();
        pthread_mutex_lock(&p->lock);
        atomic_fetch_sub_explicit(&p->n_running, 1, memory_order_relaxed);
        yb_fairs_ended(&p->fairs, &turn, spent);
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

void
yb_pool_free(struct yb_pool **p)
{
    if (*p == NULL)
        return;
    yb_fairs_release(&(*p)->fairs);
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
