#include "lib/base/clock.h"

#include <limits.h>

#ifdef YB_FAULTS
#include <stdatomic.h>
#include <stdlib.h>

/* Seconds added to all clocks; -1: the environment was not asked yet. */
static _Atomic int64_t offset = -1;

static int64_t
clock_offset(void)
{
    int64_t v = atomic_load(&offset);

    if (v < 0) {
        const char *text = getenv("YB_CLOCK_OFFSET");

        v = text == NULL ? 0 : strtoll(text, NULL, 10);
        v = v < 0 ? 0 : v;
        atomic_store(&offset, v);
    }
    return v;
}

void
yb_clock_advance(int64_t seconds)
{
    atomic_store(&offset, clock_offset() + seconds);
}
#else
static inline int64_t
clock_offset(void)
{
    return 0;
}

void
yb_clock_advance(int64_t seconds YB_UNUSED)
{
}
#endif

static int64_t
clock_us(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return ((int64_t)t.tv_sec + clock_offset()) * 1000000 + t.tv_nsec / 1000;
}

int64_t
yb_clock_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t
yb_clock_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t
yb_clock_boot_ms(void)
{
    return clock_us(CLOCK_BOOTTIME) / 1000;
}

struct timespec
yb_clock_wait(int64_t ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

void
yb_clock_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

void
yb_clock_rest_us(int64_t us)
{
    struct timespec t = { us / 1000000, us % 1000000 * 1000 };

    nanosleep(&t, NULL);
}

time_t
yb_clock_now(void)
{
    return (time_t)(clock_us(CLOCK_REALTIME) / 1000000);
}

int64_t
yb_clock_now_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

char *
yb_clock_utc(int64_t seconds, char out[YB_CLOCK_UTC])
{
    time_t when = (time_t)seconds;
    struct tm tm;

    if (gmtime_r(&when, &tm) == NULL || strftime(out, YB_CLOCK_UTC, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return NULL;
    return out;
}

struct yb_deadline
yb_deadline_in(int64_t ms)
{
    return (struct yb_deadline){ yb_clock_ms() + ms };
}

struct yb_deadline
yb_deadline_never(void)
{
    return (struct yb_deadline){ INT64_MAX };
}

struct yb_deadline
yb_deadline_min(struct yb_deadline a, struct yb_deadline b)
{
    return a.at_ms < b.at_ms ? a : b;
}

int
yb_deadline_left(struct yb_deadline d)
{
    int64_t left;

    if (d.at_ms == INT64_MAX)
        return -1;
    left = d.at_ms - yb_clock_ms();
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}
