#include "relayd/changes.h"

#include "lib/base/log.h"
#include "relayd/tell.h"

/* A change that the disk did not take is posted again after so long. */
#define AGAIN_MS 1000

static const uint64_t most_us[RELAYD_COMMIT_CLASSES] = { 1000,    2500,    5000,    10000,
                                                         25000,   50000,   100000,  250000,
                                                         1000000, 5000000, 30000000 };

struct relayd_pending {
    struct relayd_changes *owner;
    struct relayd_pending *next; /* among those to be posted again */
    struct yb_arena *arena;
    struct relayd_change change;
    struct relayd_ordering *ordering;
    int64_t since_us;
    bool ok;
    bool refused; /* once at least */
};

void
relayd_changes_init(struct relayd_changes *c, struct relayd_queue *queue,
                    struct yb_event_writer *events, struct relayd_mail *mail)
{
    c->queue = queue;
    c->events = events;
    c->mail = mail;
    c->times = (struct yb_histogram){ "relayd_commit_seconds",
                                      "From giving a hand-over or a change to the queue's writer "
                                      "until it is on disk.",
                                      most_us, RELAYD_COMMIT_CLASSES, c->commits };
}

struct relayd_message *
relayd_message_copy(const struct relayd_message *m, struct yb_arena *arena)
{
    struct relayd_message *copy = yb_arena_alloc(arena, 1, sizeof(*copy));

    *copy = *m;
    copy->sender = yb_arena_dup(arena, m->sender);
    copy->r = yb_arena_alloc(arena, m->n, sizeof(*copy->r));
    for (size_t i = 0; i < m->n; i++) {
        copy->r[i] = m->r[i];
        copy->r[i].address = yb_arena_dup(arena, m->r[i].address);
        copy->r[i].status = yb_arena_dup(arena, m->r[i].status);
        copy->r[i].text = yb_arena_dup(arena, m->r[i].text);
    }
    return copy;
}

/* On the writer's thread. */
static void
written(void *arg, const struct relayd_op *op YB_UNUSED, bool ok)
{
    struct relayd_pending *p = arg;

    yb_histogram_add(&p->owner->times, (uint64_t)(yb_clock_us() - p->since_us));
    p->ok = ok;
    relayd_mail_post(p->owner->mail, RELAYD_SETTLED, &(struct relayd_letter){ .pending = p });
}

static void
pending_post(struct relayd_pending *p)
{
    const struct relayd_op op = { .kind = p->change.kind,
                                  .m = p->change.m->m,
                                  .r = p->change.m->r,
                                  .n = p->change.m->n,
                                  .done = written,
                                  .arg = p };

    p->since_us = yb_clock_us();
    relayd_queue_post(p->owner->queue, &op);
}

void
relayd_changes_give(struct relayd_changes *c, const struct relayd_change *change)
{
    struct relayd_pending *p = yb_alloc(1, sizeof(*p));

    p->owner = c;
    p->arena = yb_arena_new(1024);
    p->change = *change;
    p->change.m = relayd_message_copy(change->m, p->arena);
    p->ordering = c->ordering;
    if (p->ordering != NULL)
        p->ordering->posted += change->m->n;
    c->n++;
    /* What is told is true whatever the disk does next. */
    relayd_tell_change(c->events, change,
                       p->ordering != NULL ? p->ordering->what : yb_str(NULL, 0));
    pending_post(p);
}

bool
relayd_changes_back(struct relayd_changes *c, struct relayd_pending *p,
                    const struct relayd_change **change, bool *ok)
{
    if (!p->ok && p->ordering == NULL) {
        if (c->again == NULL)
            yb_log(YB_LOG_WARN, NULL, "relayd.change.late",
                   "what became of message %llu could not be written down: it is tried again",
                   (unsigned long long)p->change.m->m);
        c->refused += !p->refused;
        p->refused = true;
        p->next = c->again;
        c->again = p;
        c->again_ms = yb_clock_ms() + AGAIN_MS;
        return false;
    }
    *change = &p->change;
    *ok = p->ok;
    return true;
}

bool
relayd_changes_end(struct relayd_changes *c, struct relayd_pending *p)
{
    struct relayd_ordering *o = p->ordering;
    size_t n = p->change.m->n;

    c->n--;
    c->refused -= p->refused;
    if (o != NULL) {
        *(p->ok ? &o->changed : &o->failed) += n;
        o->posted -= n;
    }
    yb_arena_free(&p->arena);
    yb_free(p);
    return o != NULL;
}

void
relayd_changes_again(struct relayd_changes *c)
{
    struct relayd_pending *p = c->again, *next;

    if (p == NULL || yb_clock_ms() < c->again_ms)
        return;
    c->again = NULL;
    for (; p != NULL; p = next) {
        next = p->next;
        pending_post(p);
    }
}
