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

struct yb_str
yb_metrics_text(const struct yb_metrics *m)
{
    return yb_buf_view(m->text);
}
