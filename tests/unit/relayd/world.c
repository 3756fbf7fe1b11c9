#include "tests/unit/relayd/world.h"

#include <check.h>
#include <stdlib.h>

#define FIRST_M 100

unsigned
world_dice(struct world *w, unsigned sides)
{
    w->dice = w->dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(w->dice >> 33) % sides;
}

size_t
world_number(const struct relayd_recipient *r)
{
    uint32_t n;

    memcpy(&n, r->delivery.v, sizeof(n));
    return n;
}

static void
post(void *arg, const struct relayd_change *c)
{
    struct world *w = arg;
    struct change_posted *p = yb_alloc(1, sizeof(*p));

    p->change = *c;
    p->m = *c->m;
    p->r = yb_alloc(c->m->n, sizeof(*p->r));
    memcpy(p->r, c->m->r, c->m->n * sizeof(*p->r));
    p->m.r = p->r;
    p->change.m = &p->m;
    /* The words of the tests' answers are literals. */
    *w->posted_end = p;
    w->posted_end = &p->next;
    w->n_changes++;
}

void
world_open(struct world *w, size_t recipients)
{
    *w = (struct world){
        .conf = { .workers = 4,
                  .sleep_first_ms = SECOND,
                  .sleep_most_ms = 30 * SECOND,
                  .retry_first_ms = 5 * MINUTE,
                  .retry_most_ms = 2 * HOUR,
                  .ask_after_ms = 10 * MINUTE,
                  .away_expire_ms = 5 * DAY,
                  .hold_look_ms = 10 * MINUTE,
                  .hold_expire_ms = 30 * DAY,
                  .grace_ms = 6 * HOUR },
        .now = { INT64_C(1800000000000), 5000 },
        .dice = 4711,
        .takes_ms = 10,
        .m = FIRST_M,
    };
    w->fates = yb_alloc(recipients, sizeof(*w->fates));
    w->posted_end = &w->posted;
    w->sched = relayd_sched_new(&w->conf, w->now, post, w);
}

void
world_close(struct world *w)
{
    for (size_t i = 0; i < YB_COUNT(w->jobs); i++)
        yb_arena_free(&w->jobs[i].arena);
    while (w->posted != NULL) {
        struct change_posted *p = w->posted;

        w->posted = p->next;
        yb_free(p->r);
        yb_free(p);
    }
    relayd_sched_free(&w->sched);
    yb_free(w->fates);
}

size_t
world_message(struct world *w, unsigned tenant, size_t recipients, int64_t age, bool fresh)
{
    struct relayd_recipient *r = yb_alloc(recipients, sizeof(*r));
    struct relayd_message m = { .m = w->m++,
                                .sender = YB_STR("sender@example.com"),
                                .size = 1000,
                                .arrived_ms = w->now.wall_ms - age,
                                .r = r,
                                .n = recipients };
    size_t first = w->n;

    memcpy(m.tenant.v, &tenant, sizeof(tenant));
    for (size_t i = 0; i < recipients; i++) {
        uint32_t number = (uint32_t)w->n++;

        r[i] = (struct relayd_recipient){ .n = (uint32_t)i,
                                          .tenant = m.tenant,
                                          .account = { { 1 } },
                                          .address = YB_STR("recipient@hosted.example"),
                                          .state = RELAYD_WAITING,
                                          .next_ms = w->now.wall_ms + w->due_in_ms };
        memcpy(r[i].delivery.v, &number, sizeof(number));
        w->fates[number] = (struct fate){ .state = RELAYD_WAITING };
        w->left++;
    }
    relayd_sched_add(w->sched, w->now, &m, fresh);
    yb_free(r);
    return first;
}

static void
note_change(struct world *w, const struct relayd_change *c, const struct relayd_recipient *r)
{
    struct fate *f = &w->fates[world_number(r)];

    ck_assert_msg(f->stored + f->deleted + f->discarded == 0, "changed after its end");
    f->later += c->kind == RELAYD_OP_LATER;
    f->held += c->kind == RELAYD_OP_HOLD;
    f->released += c->kind == RELAYD_OP_RELEASE || c->released;
    f->stored += c->kind == RELAYD_OP_DONE;
    f->discarded += c->kind == RELAYD_OP_DELETE && c->discard;
    f->deleted += c->kind == RELAYD_OP_DELETE && !c->discard;
    w->left -= c->kind == RELAYD_OP_DONE || c->kind == RELAYD_OP_DELETE;
    f->state = r->state;
    f->reason = r->reason;
    f->attempts = r->attempts;
    ck_assert((r->state == RELAYD_HELD) == (r->reason != RELAYD_NO_REASON));
    ck_assert_int_le(r->next_ms, w->now.wall_ms + w->conf.retry_most_ms * 11 / 10);
}

static void
settle(struct world *w)
{
    while (w->posted != NULL) {
        struct change_posted *p = w->posted;
        bool ok = !(w->disk_full && p->change.ordered);

        w->posted = p->next;
        if (w->posted == NULL)
            w->posted_end = &w->posted;
        for (size_t i = 0; ok && i < p->m.n; i++)
            note_change(w, &p->change, &p->m.r[i]);
        relayd_sched_settled(w->sched, w->now, &p->change, ok);
        yb_free(p->r);
        yb_free(p);
    }
}

static void
note_tries(struct world *w, const struct relayd_job *job)
{
    for (size_t i = 0; i < job->m.n; i++) {
        struct fate *f = &w->fates[world_number(&job->m.r[i])];

        ck_assert_msg(f->stored + f->deleted + f->discarded == 0, "tried after its end");
        f->gap = f->tries > 0 ? w->now.boot_ms - f->last_try : 0;
        f->last_try = w->now.boot_ms;
        f->tries++;
        f->repeat = job->m.r[i].repeat;
        ck_assert(f->repeat || f->tries == 1);
        ck_assert(f->state == RELAYD_WAITING ||
                  (f->reason != RELAYD_OPERATOR && f->reason != RELAYD_DAMAGED));
    }
}

static void
give_out(struct world *w)
{
    for (size_t i = 0; i < w->conf.workers; i++) {
        struct job_underway *j = &w->jobs[i];

        if (j->runs)
            continue;
        if (j->arena == NULL)
            j->arena = yb_arena_new(1024);
        yb_arena_reset(j->arena);
        if (!relayd_sched_take(w->sched, w->now, j->arena, &j->job))
            break;
        w->n_jobs++;
        j->runs = true;
        j->until = w->now.boot_ms + w->takes_ms + world_dice(w, (unsigned)w->takes_ms + 1);
        note_tries(w, &j->job);
        if (w->began != NULL)
            w->began(w, &j->job);
    }
}

static void
all_away(struct relayd_job *job, enum relayd_contact *site)
{
    *site = RELAYD_AWAY;
    for (size_t i = 0; i < job->m.n; i++)
        job->o[i].fate = RELAYD_TRY_AWAY;
}

static void
finish(struct world *w, struct job_underway *j)
{
    struct relayd_job *job = &j->job;

    job->lmtpd = job->directory = RELAYD_UNTOUCHED;
    for (size_t i = 0; i < job->m.n; i++)
        job->o[i].fate = RELAYD_TRY_STORED;
    if (job->ask && w->directory_away) {
        all_away(job, &job->directory);
    } else {
        job->directory = job->ask ? RELAYD_ANSWERED : RELAYD_UNTOUCHED;
        job->lmtpd = RELAYD_ANSWERED;
        if (w->lmtpd_away)
            all_away(job, &job->lmtpd);
        else if (w->answer != NULL)
            w->answer(w, job);
    }
    j->runs = false;
    relayd_sched_done(w->sched, w->now, job, world_dice(w, 1024));
}

/* What must hold whenever somebody looks. */
static void
look(struct world *w)
{
    struct relayd_sched_stats s;
    size_t runs = 0;

    for (size_t i = 0; i < w->conf.workers; i++)
        runs += w->jobs[i].runs;
    relayd_sched_stats_read(w->sched, w->now, &s);
    ck_assert_uint_eq(s.underway, runs);
    ck_assert_uint_eq(s.waiting + s.held, w->left);
    ck_assert((s.messages == 0) == (w->left == 0));
}

static int64_t
next_event(const struct world *w)
{
    int64_t wait = relayd_sched_wait(w->sched, w->now);
    int64_t next = wait < 0 ? INT64_MAX : w->now.boot_ms + (wait == 0 ? 20 : wait);

    for (size_t i = 0; i < w->conf.workers; i++) {
        if (w->jobs[i].runs && w->jobs[i].until < next)
            next = w->jobs[i].until;
    }
    return next;
}

void
world_run(struct world *w, int64_t ms)
{
    int64_t end = w->now.boot_ms + ms, next;

    for (;;) {
        relayd_sched_tick(w->sched, w->now);
        give_out(w);
        settle(w);
        look(w);
        next = next_event(w);
        if (w->left == 0 || next > end)
            break;
        w->now.wall_ms += next - w->now.boot_ms;
        w->now.boot_ms = next;
        for (size_t i = 0; i < w->conf.workers; i++) {
            if (w->jobs[i].runs && w->jobs[i].until <= next)
                finish(w, &w->jobs[i]);
        }
    }
    if (w->left > 0) {
        w->now.wall_ms += end - w->now.boot_ms;
        w->now.boot_ms = end;
    }
}

void
world_jump(struct world *w, int64_t ms)
{
    w->now.wall_ms += ms;
}

enum relayd_ordered
world_order(struct world *w, size_t recipient, enum relayd_order order)
{
    struct relayd_sched *s = w->sched;
    enum relayd_ordered done;

    /* The tests that order give each message one recipient. */
    done = relayd_sched_order(s, w->now, FIRST_M + recipient, 0, order);
    settle(w);
    return done;
}
