#include "lib/base/budget.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

struct yb_budget_pool {
    atomic_size_t limit, used;
    pthread_mutex_t lock;
    pthread_cond_t given_back;
    atomic_uint waiting;
};

struct yb_budget_pool *
yb_budget_pool_new(size_t limit)
{
    struct yb_budget_pool *p = yb_alloc(1, sizeof(*p));

    atomic_store(&p->limit, limit);
    pthread_mutex_init(&p->lock, NULL);
    yb_clock_cond_init(&p->given_back);
    return p;
}

void
yb_budget_pool_free(struct yb_budget_pool **p)
{
    if (*p == NULL)
        return;
    yb_assert(atomic_load(&(*p)->used) == 0);
    pthread_cond_destroy(&(*p)->given_back);
    pthread_mutex_destroy(&(*p)->lock);
    yb_free(*p);
    *p = NULL;
}

static void
tell_waiting(struct yb_budget_pool *p)
{
    if (atomic_load(&p->waiting) == 0)
        return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->given_back);
    pthread_mutex_unlock(&p->lock);
}

void
yb_budget_pool_set_limit(struct yb_budget_pool *p, size_t limit)
{
    atomic_store(&p->limit, limit);
    tell_waiting(p);
}

size_t
yb_budget_pool_used(struct yb_budget_pool *p)
{
    return atomic_load(&p->used);
}

void
yb_budget_charge(struct yb_budget *b, size_t n)
{
    if (b == NULL)
        return;
    b->used += n;
    if (b->pool != NULL)
        atomic_fetch_add(&b->pool->used, n);
}

void
yb_budget_release(struct yb_budget *b, size_t n)
{
    if (b == NULL)
        return;
    yb_assert(n <= b->used);
    b->used -= n;
    if (b->pool == NULL)
        return;
    atomic_fetch_sub(&b->pool->used, n);
    tell_waiting(b->pool);
}

/* The work may go on although all are over their limit when nobody else holds anything. */
static bool
has_room(const struct yb_budget *b, size_t n)
{
    size_t used = atomic_load(&b->pool->used), limit = atomic_load(&b->pool->limit);

    return used <= b->used || (used <= limit && n <= limit - used);
}

enum yb_budget_answer
yb_budget_ask(struct yb_budget *b, size_t n, int64_t wait_ms)
{
    struct timespec until;
    bool room;
    int rc = 0;

    if (b->used > b->limit || n > b->limit - b->used)
        return YB_BUDGET_OVER;
    if (b->pool == NULL || has_room(b, n))
        return YB_BUDGET_OK;
    until = yb_clock_wait(wait_ms);
    pthread_mutex_lock(&b->pool->lock);
    atomic_fetch_add(&b->pool->waiting, 1);
    while (!(room = has_room(b, n)) && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&b->pool->given_back, &b->pool->lock, &until);
    atomic_fetch_sub(&b->pool->waiting, 1);
    pthread_mutex_unlock(&b->pool->lock);
    return room ? YB_BUDGET_OK : YB_BUDGET_EXHAUSTED;
}
