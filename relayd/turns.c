#include "relayd/turns.h"

/* One job in so many is an old one's while fresh ones wait: nobody waits for ever. */
#define OLD_TURN 8

static bool
is_ready(const struct relayd_tenant *tenant, enum relayd_class class)
{
    return tenant->ready[class].first != NULL;
}

/* --- the circle of tenants --- */

static void
ring_add(struct relayd_turns *t, struct relayd_tenant *tenant, enum relayd_class c)
{
    struct relayd_tenant *at = t->ring[c];

    if (at == NULL) {
        tenant->next[c] = tenant->prev[c] = tenant;
        t->ring[c] = tenant;
        return;
    }
    tenant->next[c] = at; /* before the next in turn: last */
    tenant->prev[c] = at->prev[c];
    at->prev[c]->next[c] = tenant;
    at->prev[c] = tenant;
}

static void
ring_remove(struct relayd_turns *t, struct relayd_tenant *tenant, enum relayd_class c)
{
    struct relayd_tenant *next = tenant->next[c];

    if (next == tenant)
        next = NULL;
    tenant->prev[c]->next[c] = tenant->next[c];
    tenant->next[c]->prev[c] = tenant->prev[c];
    if (t->ring[c] == tenant)
        t->ring[c] = next;
    tenant->next[c] = tenant->prev[c] = NULL;
}

void
relayd_turns_add(struct relayd_turns *t, struct relayd_msg *msg, enum relayd_class class,
                 bool front)
{
    struct relayd_fifo *f = &msg->tenant->ready[class];

    yb_assert(msg->next == NULL && msg->prev == NULL && f->first != msg);
    if (f->first == NULL)
        ring_add(t, msg->tenant, class);
    if (f->first == NULL) {
        f->first = f->last = msg;
    } else if (front) {
        msg->next = f->first;
        f->first->prev = msg;
        f->first = msg;
    } else {
        msg->prev = f->last;
        f->last->next = msg;
        f->last = msg;
    }
    msg->class = (uint8_t) class;
    msg->place = RELAYD_READY;
    t->n_ready++;
}

void
relayd_turns_remove(struct relayd_turns *t, struct relayd_msg *msg)
{
    enum relayd_class class = (enum relayd_class)msg->class;
    struct relayd_fifo *f = &msg->tenant->ready[class];

    *(msg->prev != NULL ? &msg->prev->next : &f->first) = msg->next;
    *(msg->next != NULL ? &msg->next->prev : &f->last) = msg->prev;
    msg->next = msg->prev = NULL;
    msg->place = RELAYD_NOWHERE;
    t->n_ready--;
    if (!is_ready(msg->tenant, class))
        ring_remove(t, msg->tenant, class);
}

/* --- shares --- */

static size_t
part(unsigned workers, unsigned of)
{
    return (workers + of - 1) / of;
}

/* Somebody else has something that may run. */
static bool
others_wait(const struct relayd_turns *t, const struct relayd_tenant *tenant,
            const bool may[RELAYD_CLASSES])
{
    for (size_t c = 0; c < RELAYD_CLASSES; c++) {
        const struct relayd_tenant *at = t->ring[c];

        if (may[c] && at != NULL && (at != tenant || at->next[c] != at))
            return true;
    }
    return false;
}

/* At most two tenants have a half, so the walk is short. */
static struct relayd_msg *
next_of(const struct relayd_turns *t, enum relayd_class class, const bool may[RELAYD_CLASSES])
{
    struct relayd_tenant *at = t->ring[class];

    do {
        if (at->running < part(t->workers, 2) || !others_wait(t, at, may))
            return at->ready[class].first;
        at = at->next[class];
    } while (at != t->ring[class]);
    return NULL;
}

struct relayd_msg *
relayd_turns_next(const struct relayd_turns *t, const bool may[RELAYD_CLASSES])
{
    bool fresh = may[RELAYD_FRESH] && t->ring[RELAYD_FRESH] != NULL;
    bool old = may[RELAYD_OLD] && t->ring[RELAYD_OLD] != NULL;
    struct relayd_msg *msg = NULL;

    if (old && t->served % OLD_TURN == OLD_TURN - 1 && t->running[RELAYD_OLD] < part(t->workers, 4))
        msg = next_of(t, RELAYD_OLD, may);
    if (msg == NULL && fresh)
        msg = next_of(t, RELAYD_FRESH, may);
    if (msg == NULL && old)
        msg = next_of(t, RELAYD_OLD, may);
    return msg;
}

void
relayd_turns_begin(struct relayd_turns *t, struct relayd_tenant *tenant, enum relayd_class class)
{
    t->served++;
    t->running[class]++;
    tenant->running++;
    if (tenant->next[class] != NULL)
        t->ring[class] = tenant->next[class];
}

void
relayd_turns_end(struct relayd_turns *t, struct relayd_tenant *tenant, enum relayd_class class)
{
    t->running[class]--;
    tenant->running--;
}
