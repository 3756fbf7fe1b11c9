/*
 * Parsed forms put into the cache, and the places of their entries into the records.
 */
#include "lib/store/cache.h"
#include "lib/store/deeds.h"

#define TAIL_SMALL 4096 /* so much may wait while nobody works */

/* Under the account lock: the records of a run of UIDs in ascending order say where their entries
 * are, as far as the records stand side by side. Returns how many were served. */
static size_t
record_run(struct yb_mailbox *m, const struct yb_cached *p, size_t n, size_t *hint)
{
    struct yb_index_slot slots[YB_CACHED_MOST];
    size_t place, got, k = 0;

    if (p[0].place == 0 || !yb_mailbox_slot(m, p[0].uid, *hint, &slots[0], &place))
        return 1;
    got = m->head.slots - place < n ? m->head.slots - place : n;
    got = yb_index_read_slots(m->index_fd, place, got, slots);
    while (k < n && k < got && slots[k].uid == p[k].uid) {
        if ((slots[k].state & YB_SLOT_LIVE) != 0)
            slots[k].cache = p[k].place;
        k++;
    }
    if (k == 0)
        return 1;
    *hint = place + k;
    (void)!yb_index_write_slots(m->index_fd, place, k, slots);
    return k;
}

void
yb_cache_flush(struct yb_mailbox *m)
{
    struct yb_cached pending[YB_CACHED_MOST];
    size_t n, octets, hint = 0;

    n = yb_cache_waiting(m, &octets);
    if (n == 0 || yb_account_lock(m->account, NULL) < 0)
        return;
    if (yb_mailbox_enter(m, NULL) == 0) {
        pthread_mutex_lock(&m->mutex);
        n = yb_cache_take(m, pending);
        pthread_mutex_unlock(&m->mutex);
        for (size_t i = 0; i < n;)
            i += record_run(m, &pending[i], n - i, &hint);
    }
    yb_account_unlock(m->account);
}

void
yb_mailbox_cache_put(struct yb_mailbox *m, const struct yb_record *r, struct yb_str data)
{
    if (yb_cache_wait(m, r, data))
        yb_cache_flush(m);
}

void
yb_mailbox_cache_settle(struct yb_mailbox *m)
{
    size_t octets;

    (void)yb_cache_waiting(m, &octets);
    if (octets > TAIL_SMALL)
        yb_cache_flush(m);
}
