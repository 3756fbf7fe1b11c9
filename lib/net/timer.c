#include "lib/net/timer.h"

static void
put(struct yb_timers *h, size_t place, struct yb_timer *t)
{
    h->heap[place] = t;
    t->place = place;
}

static void
sift_up(struct yb_timers *h, struct yb_timer *t)
{
    size_t at = t->place;

    while (at > 1 && h->heap[at / 2]->at > t->at) {
        put(h, at, h->heap[at / 2]);
        at /= 2;
    }
    put(h, at, t);
}

static void
sift_down(struct yb_timers *h, struct yb_timer *t)
{
    size_t at = t->place;

    for (;;) {
        size_t child = 2 * at;

        if (child < h->n && h->heap[child + 1]->at < h->heap[child]->at)
            child++;
        if (child > h->n || h->heap[child]->at >= t->at)
            break;
        put(h, at, h->heap[child]);
        at = child;
    }
    put(h, at, t);
}

void
yb_timers_set(struct yb_timers *h, struct yb_timer *t, int64_t at)
{
    t->at = at;
    if (t->place == 0) {
        if (h->n + 1 >= h->size) {
            h->size = h->size == 0 ? 64 : h->size * 2;
            h->heap = yb_realloc(h->heap, h->size, sizeof(h->heap[0]));
        }
        put(h, ++h->n, t);
    }
    sift_up(h, t);
    sift_down(h, t);
}

void
yb_timers_remove(struct yb_timers *h, struct yb_timer *t)
{
    struct yb_timer *last;

    if (t->place == 0)
        return;
    last = h->heap[h->n--];
    if (last != t) {
        put(h, t->place, last);
        sift_up(h, last);
        sift_down(h, last);
    }
    t->place = 0;
}

struct yb_timer *
yb_timers_first(const struct yb_timers *h)
{
    return h->n == 0 ? NULL : h->heap[1];
}

void
yb_timers_release(struct yb_timers *h)
{
    yb_free(h->heap);
    *h = (struct yb_timers){ 0 };
}
