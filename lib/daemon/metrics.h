/*
 * Figures in Prometheus' text format. A program keeps its counters in an array beside a constant
 * table of names (struct yb_counters) and counts from any thread.
 */
#ifndef YB_DAEMON_METRICS_H
#define YB_DAEMON_METRICS_H

#include "lib/base/buf.h"

#include <stdatomic.h>

struct yb_metrics;

/* A text without figures, to be filled and sent once. */
struct yb_metrics *yb_metrics_new(void) YB_MUST_USE;
void yb_metrics_free(struct yb_metrics **m);
/* `name` is without "yubin_"; `labels` is `kind="x",…` or NULL. Figures of one name follow each
 * other. */
void yb_metrics_counter(struct yb_metrics *m, const char *name, const char *help,
                        const char *labels, uint64_t value);
void yb_metrics_gauge(struct yb_metrics *m, const char *name, const char *help, const char *labels,
                      uint64_t value);
struct yb_str yb_metrics_text(const struct yb_metrics *m);

/* One row of a program's counters; rows of one name stand together. */
struct yb_counter {
    const char *name, *help, *labels;
};

struct yb_counters {
    const struct yb_counter *rows;
    size_t n;
    _Atomic uint64_t *v; /* n values, owned by the program */
};

/* Any thread. */
static inline void
yb_count(const struct yb_counters *c, size_t i, uint64_t by)
{
    atomic_fetch_add_explicit(&c->v[i], by, memory_order_relaxed);
}

/* All of a program's counters, row by row. */
void yb_metrics_counters(struct yb_metrics *m, const struct yb_counters *c);

/*
 * How long something took, by classes: how many took at most so long. Counted from any thread; the sum and
 * the classes are read one after the other, so they may differ by what is being counted.
 */
struct yb_histogram {
    const char *name, *help; /* the name ends in "_seconds" */
    const uint64_t
        *most_us; /* n bounds of classes, growing; what is longer is a class of its own */
    size_t n;
    _Atomic uint64_t
        *v; /* n + 2, owned by the program: the classes, then the sum in microseconds */
};

/* Something took so long. Any thread. */
void yb_histogram_add(const struct yb_histogram *h, uint64_t us);
/* In seconds, the classes added up as Prometheus has them. */
void yb_metrics_histogram(struct yb_metrics *m, const struct yb_histogram *h);

#endif
