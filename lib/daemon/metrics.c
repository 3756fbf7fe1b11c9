#include "lib/daemon/metrics.h"

#include <inttypes.h>
#include <stdio.h>

#define METRICS_LIMIT (4u << 20)

struct yb_metrics {
    struct yb_buf *text;
    char last[120]; /* name whose HELP and TYPE lines stand there */
};

struct yb_metrics *
yb_metrics_new(void)
{
    struct yb_metrics *m = (struct yb_metrics *)yb_alloc(1, sizeof(*m));

    m->text = yb_buf_new(METRICS_LIMIT);
    return m;
}

void
yb_metrics_free(struct yb_metrics **m)
{
    if (*m == NULL)
        return;
    yb_buf_free(&(*m)->text);
    yb_free(*m);
    *m = NULL;
}

static void
add(struct yb_metrics *m, const char *type, const char *name, const char *help, const char *labels,
    uint64_t value)
{
    if (strcmp(m->last, name) != 0) {
        yb_buf_printf(m->text, "# HELP yubin_%s %s\n# TYPE yubin_%s %s\n", name, help, name, type);
        snprintf(m->last, sizeof(m->last), "%s", name);
    }
    yb_buf_printf(m->text, "yubin_%s%s%s%s %" PRIu64 "\n", name, labels != NULL ? "{" : "",
                  labels != NULL ? labels : "", labels != NULL ? "}" : "", value);
}

void
yb_metrics_counter(struct yb_metrics *m, const char *name, const char *help, const char *labels,
                   uint64_t value)
{
    add(m, "counter", name, help, labels, value);
}

void
yb_metrics_gauge(struct yb_metrics *m, const char *name, const char *help, const char *labels,
                 uint64_t value)
{
    add(m, "gauge", name, help, labels, value);
}

void
yb_metrics_counters(struct yb_metrics *m, const struct yb_counters *c)
{
    for (size_t i = 0; i < c->n; i++)
        add(m, "counter", c->rows[i].name, c->rows[i].help, c->rows[i].labels,
            atomic_load_explicit(&c->v[i], memory_order_relaxed));
}

void
yb_histogram_add(const struct yb_histogram *h, uint64_t us)
{
    size_t class = 0;

    while (class < h->n && us > h->most_us[class])
        class ++;
    atomic_fetch_add_explicit(&h->v[class], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->v[h->n + 1], us, memory_order_relaxed);
}

void
yb_metrics_histogram(struct yb_metrics *m, const struct yb_histogram *h)
{
    uint64_t count = 0, sum = atomic_load_explicit(&h->v[h->n + 1], memory_order_relaxed);

    yb_buf_printf(m->text, "# HELP yubin_%s %s\n# TYPE yubin_%s histogram\n", h->name, h->help,
                  h->name);
    for (size_t i = 0; i <= h->n; i++) {
        count += atomic_load_explicit(&h->v[i], memory_order_relaxed);
        if (i < h->n)
            yb_buf_printf(m->text, "yubin_%s_bucket{le=\"%g\"} %" PRIu64 "\n", h->name,
                          (double)h->most_us[i] / 1e6, count);
        else
            yb_buf_printf(m->text, "yubin_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", h->name, count);
    }
    yb_buf_printf(m->text, "yubin_%s_sum %.6f\nyubin_%s_count %" PRIu64 "\n", h->name,
                  (double)sum / 1e6, h->name, count);
}

struct yb_str
yb_metrics_text(const struct yb_metrics *m)
{
    return yb_buf_view(m->text);
}
