#include "relayd/heap.h"

static void
put(struct relayd_heap *h, size_t at, struct relayd_msg *msg)
{
    h->v[at] = msg;
    msg->heap_at = (uint32_t)at;
}

static void
up(struct relayd_heap *h, size_t at, struct relayd_msg *msg)
{
    while (at > 0 && h->v[(at - 1) / 2]->due_ms > msg->due_ms) {
        put(h, at, h->v[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(h, at, msg);
}

static void
down(struct relayd_heap *h, size_t at, struct relayd_msg *msg)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child + 1 < h->n && h->v[child + 1]->due_ms < h->v[child]->due_ms)
            child++;
        if (child >= h->n || h->v[child]->due_ms >= msg->due_ms)
            break;
        put(h, at, h->v[child]);
        at = child;
    }
    put(h, at, msg);
}

void
relayd_heap_add(struct relayd_heap *h, struct relayd_msg *msg)
{
    if (h->n == h->room) {
        h->room = h->room == 0 ? 64 : h->room + h->room / 2;
        h->v = yb_realloc(h->v, h->room, sizeof(*h->v));
    }
    msg->place = RELAYD_IN_HEAP;
    up(h, h->n++, msg);
}

void
relayd_heap_remove(struct relayd_heap *h, struct relayd_msg *msg)
{
    size_t at = msg->heap_at;
    struct relayd_msg *last = h->v[--h->n];

    yb_assert(msg->place == RELAYD_IN_HEAP);
    msg->place = RELAYD_NOWHERE;
    if (last == msg)
        return;
    if (at > 0 && h->v[(at - 1) / 2]->due_ms > last->due_ms)
        up(h, at, last);
    else
        down(h, at, last);
}
