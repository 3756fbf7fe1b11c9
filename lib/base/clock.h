/*
 * Time. Product code asks only here, so that a build with --enable-faults may be given another
 * time (YB_CLOCK_OFFSET seconds in the environment, or yb_clock_advance()); no other build can.
 */
#ifndef YB_BASE_CLOCK_H
#define YB_BASE_CLOCK_H

#include "lib/base/base.h"

#include <pthread.h>
#include <time.h>

/* Monotonic milliseconds, for deadlines; never goes back, starts anywhere. */
int64_t yb_clock_ms(void);
int64_t yb_clock_us(void);
/* The same, and it goes on while the machine sleeps: what the wall clock is held against. */
int64_t yb_clock_boot_ms(void);
/* The kernel's CLOCK_MONOTONIC `ms` from now, for pthread_cond_timedwait(); yb_clock_advance()
 * does not move it. */
struct timespec yb_clock_wait(int64_t ms);
/* A condition whose waits end by that clock. */
void yb_clock_cond_init(pthread_cond_t *cond);
/* Rests for so long: between tries of what nobody announces (a file lock of another process). */
void yb_clock_rest_us(int64_t us);
/* Wall clock: seconds, and microseconds, since 1970. */
time_t yb_clock_now(void);
int64_t yb_clock_now_us(void);
/* Seconds since 1970 as people and JSON have them, "2026-11-28T12:00:00Z", into out; returns out, or
 * NULL for a time that has no such form. */
#define YB_CLOCK_UTC 32
char *yb_clock_utc(int64_t seconds, char out[YB_CLOCK_UTC]);
/* Moves all clocks forward by `seconds`; does nothing but in --enable-faults builds. */
void yb_clock_advance(int64_t seconds);

/* A moment on the monotonic clock by which something must be over. */
struct yb_deadline {
    int64_t at_ms;
};
struct yb_deadline yb_deadline_in(int64_t ms);
struct yb_deadline yb_deadline_never(void);
/* The earlier of the two. */
struct yb_deadline yb_deadline_min(struct yb_deadline a, struct yb_deadline b);
/* Milliseconds left, 0 when passed, capped to INT_MAX: fits poll(). -1 for never. */
int yb_deadline_left(struct yb_deadline d);

#endif
