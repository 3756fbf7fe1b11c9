/*
 * Timers of one loop: a binary heap of timers that live inside their owners. Not thread safe: the
 * loop's lock is held.
 */
#ifndef YB_NET_TIMER_H
#define YB_NET_TIMER_H

#include "lib/base/base.h"

struct yb_timer {
    int64_t at;   /* yb_clock_ms() */
    size_t place; /* in the heap, from 1; 0: not in it */
    void (*fire)(struct yb_timer *t, int64_t now);
};

struct yb_timers {
    struct yb_timer **heap; /* heap[1] is the earliest; heap[0] is not used */
    size_t n, size;
};

/* Sets `t` to go off at `at`, whether it was waiting or not. */
void yb_timers_set(struct yb_timers *h, struct yb_timer *t, int64_t at);
/* Takes `t` out; nothing when it was not in. */
void yb_timers_remove(struct yb_timers *h, struct yb_timer *t);
/* The earliest, or NULL. */
struct yb_timer *yb_timers_first(const struct yb_timers *h);
/* Gives the heap's memory back; the timers in it are forgotten. */
void yb_timers_release(struct yb_timers *h);

#endif
