/* What is due later: messages by due_ms, the earliest first. For the scheduler alone. */
#ifndef RELAYD_HEAP_H
#define RELAYD_HEAP_H

#include "relayd/rows.h"

struct relayd_heap {
    struct relayd_msg **v; /* each knows its place: heap_at */
    size_t n, room;
};

/* By its due_ms. */
void relayd_heap_add(struct relayd_heap *h, struct relayd_msg *msg);
void relayd_heap_remove(struct relayd_heap *h, struct relayd_msg *msg);
/* NULL: nothing waits. */
static inline struct relayd_msg *
relayd_heap_first(const struct relayd_heap *h)
{
    return h->n > 0 ? h->v[0] : NULL;
}

#endif
