#include "relayd/plan.h"

/* The wall clock against the one that nobody sets: more than this is a jump and no correction. */
#define JUMP_MS (10 * 60 * 1000)
/* Messages that one tick takes out of a queue because lmtpd is away for days: the others a tick later. */
#define AWAY_AT_ONCE 256

struct relayd_sched *
relayd_sched_new(const struct relayd_sched_conf *conf, struct relayd_now now,
                 void (*change)(void *arg, const struct relayd_change *change), void *arg)
{
    struct relayd_sched *s = yb_alloc(1, sizeof(*s));

    s->conf = *conf;
    s->now = now;
    s->offset_ms = now.wall_ms - now.boot_ms;
    s->grace_ms = now.boot_ms + conf->grace_ms;
    s->rows = relayd_rows_new();
    s->turns.workers = conf->workers;
    s->change = change;
    s->arg = arg;
    return s;
}

void
relayd_sched_free(struct relayd_sched **s)
{
    if (*s == NULL)
        return;
    relayd_rows_free(&(*s)->rows);
    yb_free((*s)->heap.v);
    yb_free(*s);
    *s = NULL;
}

void
relayd_sched_set(struct relayd_sched *s, const struct relayd_sched_conf *conf)
{
    unsigned workers = s->conf.workers;

    s->conf = *conf;
    s->conf.workers = workers;
}

/* One that comes from the time to come was written by a clock that was wrong: it counts as old. */
static int64_t
born_at(const struct relayd_sched *s, int64_t arrived_ms, bool fresh)
{
    int64_t age = s->now.wall_ms - arrived_ms;

    if (fresh)
        age = 0;
    else if (age < 0)
        age = s->conf.ask_after_ms;
    return s->now.boot_ms - age;
}

void
relayd_sched_add(struct relayd_sched *s, struct relayd_now now, const struct relayd_message *m,
                 bool fresh)
{
    struct relayd_msg *msg;

    s->now = now;
    msg = m->n == 0 ? NULL : relayd_rows_add(s->rows, m);
    if (msg == NULL)
        return;
    msg->born_ms = born_at(s, m->arrived_ms, fresh);
    for (uint32_t i = 0; i < msg->n; i++) {
        struct relayd_row_mem *row = &msg->rows[i];

        row->next_ms = row->state == RELAYD_HELD ? now.boot_ms + s->conf.hold_look_ms
                                                 : relayd_due_at(s, m->r[i].next_ms);
        row->repeat = row->repeat || !fresh;
        ++*relayd_count_of(s, row->state);
    }
    s->bytes += msg->size;
    relayd_put_in(s, msg, false);
}

/* --- ticking --- */

static void
hold_away(struct relayd_sched *s, struct relayd_msg *msg)
{
    struct relayd_batch b;

    relayd_batch_begin(&b, RELAYD_OP_HOLD, msg);
    for (uint32_t i = 0; i < msg->n; i++) {
        struct relayd_row_mem *row = &msg->rows[i];

        if (!relayd_is_due(row, s->now))
            continue;
        if (row->state == RELAYD_WAITING)
            relayd_set_hold(relayd_batch_add(s, &b, msg, row), RELAYD_BACKEND_AWAY);
        else
            row->next_ms = s->now.boot_ms + s->conf.hold_look_ms;
    }
    relayd_batch_end(s, &b);
    relayd_take_out(s, msg);
    relayd_put_in(s, msg, false);
}

/* Not while lmtpd may be probed: what is at the front of a queue then is the probe. */
static void
expire_away(struct relayd_sched *s)
{
    size_t left = AWAY_AT_ONCE;

    if (relayd_site_may(&s->lmtpd, s->now))
        return;
    for (size_t c = 0; c < RELAYD_CLASSES; c++) {
        struct relayd_tenant *last = s->turns.ring[c] == NULL ? NULL : s->turns.ring[c]->prev[c];
        bool end = last == NULL;

        /* Round the circle once; who is used up leaves it. */
        for (struct relayd_tenant *t = s->turns.ring[c], *next; !end; t = next) {
            struct relayd_msg *msg = t->ready[c].first;

            next = t->next[c];
            end = t == last;
            for (; msg != NULL && left > 0 && relayd_waited_out(s, msg); left--) {
                hold_away(s, msg);
                msg = t->ready[c].first == msg ? NULL : t->ready[c].first;
            }
        }
    }
}

bool
relayd_sched_tick(struct relayd_sched *s, struct relayd_now now)
{
    int64_t offset = now.wall_ms - now.boot_ms, moved = offset - s->offset_ms;
    bool jumped = moved > JUMP_MS || moved < -JUMP_MS;
    struct relayd_msg *msg;

    s->now = now;
    s->offset_ms = offset;
    if (jumped)
        s->grace_ms = now.boot_ms + s->conf.grace_ms;
    while ((msg = relayd_heap_first(&s->heap)) != NULL && msg->due_ms <= now.boot_ms) {
        relayd_heap_remove(&s->heap, msg);
        relayd_put_in(s, msg, false);
    }
    expire_away(s);
    return jumped;
}

/* Boot clock: when the site may be tried; INT64_MAX: when a job is over. */
static int64_t
wakes_at(const struct relayd_site_state *site)
{
    if (!site->asleep)
        return 0;
    return site->probing ? INT64_MAX : site->wake_ms;
}

int64_t
relayd_sched_wait(const struct relayd_sched *s, struct relayd_now now)
{
    const struct relayd_msg *first = relayd_heap_first(&s->heap);
    int64_t at = first == NULL ? INT64_MAX : first->due_ms;
    int64_t l = wakes_at(&s->lmtpd), d = wakes_at(&s->directory);

    d = d > l ? d : l;
    /* What may go and does not waits for the end of a job. */
    if (s->turns.ring[RELAYD_FRESH] != NULL && l > 0 && l < at)
        at = l;
    if (s->turns.ring[RELAYD_OLD] != NULL && d > 0 && d < at)
        at = d;
    if (at == INT64_MAX)
        return -1;
    return at > now.boot_ms ? at - now.boot_ms : 0;
}

/* --- jobs --- */

static void
job_row(struct relayd_sched *s, struct relayd_msg *msg, struct relayd_row_mem *row,
        struct yb_arena *arena, struct relayd_job *job)
{
    struct relayd_recipient *r = &job->m.r[job->m.n++];

    relayd_row_view(msg, row, r);
    r->next_ms = s->now.wall_ms;
    r->address = yb_arena_dup(arena, r->address);
    r->status = yb_arena_dup(arena, r->status);
    r->text = yb_arena_dup(arena, r->text);
    row->at = RELAYD_ROW_UNDERWAY;
    row->repeat = true; /* whatever becomes of it, lmtpd may have it from now on */
}

/* False: nothing of it is due any more. */
static bool
job_of(struct relayd_sched *s, struct relayd_msg *msg, struct yb_arena *arena,
       struct relayd_job *job)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < msg->n; i++)
        n += relayd_is_due(&msg->rows[i], s->now);
    if (n == 0)
        return false;
    *job = (struct relayd_job){ .ask = relayd_class_of(s, msg) == RELAYD_OLD };
    relayd_msg_view(msg, &job->m);
    job->m.sender = yb_arena_dup(arena, job->m.sender);
    job->m.r = yb_arena_alloc(arena, n, sizeof(*job->m.r));
    job->o = yb_arena_alloc(arena, n, sizeof(*job->o));
    for (uint32_t i = 0; i < msg->n; i++) {
        if (relayd_is_due(&msg->rows[i], s->now))
            job_row(s, msg, &msg->rows[i], arena, job);
    }
    return true;
}

static void
job_begins(struct relayd_sched *s, struct relayd_msg *msg, struct relayd_job *job)
{
    if (s->lmtpd.asleep)
        job->probes |= RELAYD_PROBES_LMTPD;
    if (job->ask && s->directory.asleep)
        job->probes |= RELAYD_PROBES_DIRECTORY;
    s->lmtpd.probing = s->lmtpd.probing || (job->probes & RELAYD_PROBES_LMTPD) != 0;
    s->directory.probing = s->directory.probing || (job->probes & RELAYD_PROBES_DIRECTORY) != 0;
    msg->place = RELAYD_OUT;
    relayd_turns_begin(&s->turns, msg->tenant, (enum relayd_class)msg->class);
    s->underway++;
}

bool
relayd_sched_take(struct relayd_sched *s, struct relayd_now now, struct yb_arena *arena,
                  struct relayd_job *out)
{
    bool may[RELAYD_CLASSES];
    struct relayd_msg *msg;

    s->now = now;
    if (s->underway >= s->conf.workers)
        return false;
    may[RELAYD_FRESH] = relayd_site_may(&s->lmtpd, now);
    may[RELAYD_OLD] = may[RELAYD_FRESH] && relayd_site_may(&s->directory, now);
    while ((msg = relayd_turns_next(&s->turns, may)) != NULL) {
        enum relayd_class class = relayd_class_of(s, msg);

        relayd_turns_remove(&s->turns, msg);
        if (msg->class == RELAYD_FRESH && class == RELAYD_OLD) {
            relayd_turns_add(&s->turns, msg, RELAYD_OLD, false); /* it has waited for too long */
        } else if (job_of(s, msg, arena, out)) {
            job_begins(s, msg, out);
            return true;
        } else {
            relayd_put_in(s, msg, false);
        }
    }
    return false;
}
