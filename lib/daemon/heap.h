/*
 * What a burst took from the system goes back to it. The heap keeps what is freed for the next who
 * asks, which after a large command is memory that nobody else of the machine can use; so the
 * child's first thread looks now and then how much of it there is, and lets it go.
 */
#ifndef YB_DAEMON_HEAP_H
#define YB_DAEMON_HEAP_H

#include "lib/base/clock.h"

struct yb_heap {
    int fd;                  /* /proc/self/statm; -1: there is none */
    int64_t usual;           /* resident bytes that no block in use explains, and that stay */
    struct yb_deadline next; /* look */
};

/* For this process, whose threads are not started yet. */
void yb_heap_open(struct yb_heap *h);
void yb_heap_close(struct yb_heap *h);
/* Looks, when it is time to. Other threads may wait for the heap meanwhile: some 0.1 ms for each
 * MiB that goes back. */
void yb_heap_settle(struct yb_heap *h);

#endif
