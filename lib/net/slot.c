/* Slots: a connection's place, its events and its run token (engine.h tells how). */
#include "lib/net/engine.h"

#define GENERATION(word) ((uint32_t)((word) >> 32))
#define NO_SLOT UINT32_MAX

bool
yb_slot_get(struct yb_net *n, struct yb_conn *c)
{
    uint32_t index = NO_SLOT;

    pthread_mutex_lock(&n->lock);
    if (n->first_free != NO_SLOT) {
        index = n->first_free;
        n->first_free = n->slots[index].next_free;
    } else if (n->n_slots < n->conf.max_conns) {
        index = n->n_slots++;
        atomic_init(&n->slots[index].word, (uint64_t)1 << 32);
    }
    pthread_mutex_unlock(&n->lock);
    if (index == NO_SLOT)
        return false;
    c->slot = &n->slots[index];
    c->slot->conn = c;
    c->self.slot = index;
    c->self.generation = GENERATION(atomic_load(&c->slot->word));
    atomic_fetch_add(&n->n_open, 1);
    return true;
}

void
yb_slot_publish(struct yb_conn *c)
{
    atomic_store(&c->slot->word,
                 (uint64_t)c->self.generation << 32 | YB_SLOT_LIVE | YB_SLOT_SCHEDULED);
}

void
yb_slot_post(struct yb_net *n, struct yb_conn_ref ref, unsigned events)
{
    struct yb_slot *s;
    uint64_t old;

    if (ref.slot >= n->conf.max_conns || ref.generation == 0)
        return;
    s = &n->slots[ref.slot];
    old = atomic_load(&s->word);
    do {
        if (GENERATION(old) != ref.generation || (old & YB_SLOT_LIVE) == 0)
            return;
    } while (!atomic_compare_exchange_weak(&s->word, &old, old | YB_SLOT_SCHEDULED | events));
    if ((old & YB_SLOT_SCHEDULED) == 0)
        yb_pool_push(n->pool, &s->conn->job); /* the token is ours until it is in the queue */
}

unsigned
yb_slot_take(struct yb_slot *s)
{
    return (unsigned)(atomic_fetch_and(&s->word, ~(uint64_t)YB_EV_ALL) & YB_EV_ALL);
}

bool
yb_slot_park(struct yb_slot *s)
{
    uint64_t old = atomic_load(&s->word);

    do {
        if ((old & YB_EV_ALL) != 0)
            return false;
    } while (!atomic_compare_exchange_weak(&s->word, &old, old & ~(uint64_t)YB_SLOT_SCHEDULED));
    return true;
}

void
yb_slot_put(struct yb_net *n, struct yb_conn *c)
{
    struct yb_slot *s = c->slot;
    /* 0 and the upper half are never used: 0 is nobody's ref, the top bit marks listeners. */
    uint32_t next = c->self.generation >= 0x7fffffff ? 1 : c->self.generation + 1;

    atomic_store(&s->word, (uint64_t)next << 32);
    pthread_mutex_lock(&n->lock);
    s->conn = NULL;
    s->next_free = n->first_free;
    n->first_free = c->self.slot;
    pthread_mutex_unlock(&n->lock);
    atomic_fetch_sub(&n->n_open, 1);
}
