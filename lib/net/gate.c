#include "lib/net/gate.h"

#include "lib/base/log.h"

#include <pthread.h>

struct yb_gate {
    struct yb_gate_conf conf;
    char name[48];
    pthread_mutex_t lock;
    pthread_cond_t left;
    unsigned inside;
    unsigned timeouts;     /* in a row */
    bool open;             /* the breaker: nobody gets in */
    bool probing;          /* but one, who is inside */
    int64_t open_until_ms; /* then a probe may go */
};

struct yb_gate *
yb_gate_new(const struct yb_gate_conf *conf)
{
    struct yb_gate *g = yb_alloc(1, sizeof(*g));

    g->conf = *conf;
    if (!yb_str_copy(yb_str_from(conf->name), g->name, sizeof(g->name)))
        memcpy(g->name, "?", 2);
    g->conf.name = g->name;
    if (g->conf.inside == 0)
        g->conf.inside = 1;
    pthread_mutex_init(&g->lock, NULL);
    yb_clock_cond_init(&g->left);
    return g;
}

void
yb_gate_free(struct yb_gate **g)
{
    if (*g == NULL)
        return;
    pthread_cond_destroy(&(*g)->left);
    pthread_mutex_destroy(&(*g)->lock);
    yb_free(*g);
    *g = NULL;
}

/* Sleeps until somebody left or the time is up (false). */
static bool
wait_for_place(struct yb_gate *g, int64_t ms)
{
    struct timespec until = yb_clock_wait(ms);
    int rc = 0;

    while (g->inside >= g->conf.inside && !g->open && rc == 0)
        rc = pthread_cond_timedwait(&g->left, &g->lock, &until);
    return g->inside < g->conf.inside;
}

int
yb_gate_enter(struct yb_gate *g, struct yb_err *err)
{
    int rc = 0;

    pthread_mutex_lock(&g->lock);
    if (!g->open && g->inside >= g->conf.inside && !wait_for_place(g, g->conf.wait_ms) && !g->open)
        rc = yb_err_inside(err, YB_TEMP, "4.3.2", "%s: too many callers", g->name);
    if (rc == 0 && g->open) {
        if (g->probing || yb_clock_ms() < g->open_until_ms)
            rc = yb_err_inside(err, YB_TEMP, "4.3.2", "%s: did not answer lately", g->name);
        else
            g->probing = true;
    }
    if (rc == 0)
        g->inside++;
    pthread_mutex_unlock(&g->lock);
    return rc;
}

static void
breaker_open(struct yb_gate *g)
{
    if (!g->open)
        yb_log(YB_LOG_WARN, NULL, "net.gate.open", "%s: %u timeouts in a row", g->name,
               g->timeouts);
    g->open = true;
    g->probing = false;
    g->open_until_ms = yb_clock_ms() + g->conf.open_ms;
    pthread_cond_broadcast(&g->left); /* who waits for a place need not wait any more */
}

void
yb_gate_leave(struct yb_gate *g, enum yb_gate_result result)
{
    pthread_mutex_lock(&g->lock);
    yb_assert(g->inside > 0);
    g->inside--;
    if (result == YB_GATE_TIMEOUT) {
        g->timeouts++;
        if (g->conf.break_after > 0 && (g->open || g->timeouts >= g->conf.break_after))
            breaker_open(g);
    } else {
        /* An answer, even a bad one, or a late one from before: what is behind the gate lives. */
        if (g->open)
            yb_log(YB_LOG_INFO, NULL, "net.gate.closed", "%s: answers again", g->name);
        g->timeouts = 0;
        g->open = g->probing = false;
    }
    pthread_cond_signal(&g->left);
    pthread_mutex_unlock(&g->lock);
}
