/* What follows from what became of an attempt. */
#include "relayd/plan.h"

/* Attempts are spread by a tenth of their wait, in so many parts. */
#define CHANCES 1024

static void
say(struct relayd_recipient *r, int64_t wall_ms, unsigned code, struct yb_str status,
    struct yb_str text)
{
    r->code = code;
    r->status = status;
    r->text = text;
    r->at_ms = wall_ms;
}

/* The n-th attempt was in vain. */
static int64_t
next_attempt(const struct relayd_sched *s, uint32_t attempts, uint32_t chance)
{
    int64_t wait = relayd_doubled(s->conf.retry_first_ms, s->conf.retry_most_ms, attempts);

    return s->now.wall_ms + wait + wait / 10 * (chance % CHANCES) / (CHANCES - 1);
}

/* What a job brought, by what follows from it. */
struct verdicts {
    struct relayd_batch stored, later, back, refused, gone, no_body, away, discarded;
    uint32_t chance;
};

/* It is held, and stays so. */
static void
look_later(const struct relayd_sched *s, struct relayd_row_mem *row)
{
    row->at = RELAYD_ROW_IDLE;
    row->next_ms = s->now.boot_ms + s->conf.hold_look_ms;
}

/* One that lmtpd never answers to does not stand at the front of its queue as the only probe for ever. */
static void
not_answered(struct relayd_sched *s, struct verdicts *v, struct relayd_msg *msg,
             struct relayd_row_mem *row)
{
    if (relayd_waited_out(s, msg)) {
        relayd_set_hold(relayd_batch_add(s, &v->away, msg, row), RELAYD_BACKEND_AWAY);
        return;
    }
    row->at = RELAYD_ROW_IDLE;
    if (msg->lost > 0)
        row->next_ms = s->now.boot_ms +
                       relayd_doubled(s->conf.sleep_first_ms, s->conf.sleep_most_ms, msg->lost);
}

static void
in_trouble(struct relayd_sched *s, struct relayd_row_mem *row, const struct relayd_outcome *o)
{
    row->at = RELAYD_ROW_IDLE;
    row->next_ms = s->now.boot_ms + s->conf.retry_first_ms;
    row->at_ms = s->now.wall_ms;
    relayd_row_answer(s->rows, row, o->code, o->status, o->text);
}

static void
refused(struct relayd_sched *s, struct verdicts *v, struct relayd_msg *msg,
        struct relayd_row_mem *row, const struct relayd_outcome *o)
{
    bool held = row->state == RELAYD_HELD;
    bool over = !held && s->now.boot_ms >= s->grace_ms &&
                s->now.boot_ms - msg->born_ms >= s->conf.away_expire_ms;
    struct relayd_recipient *r;

    if (held && row->reason == RELAYD_REFUSED) {
        row->at = RELAYD_ROW_IDLE;
        row->next_ms = s->now.boot_ms + s->conf.retry_most_ms;
        row->at_ms = s->now.wall_ms;
        relayd_row_answer(s->rows, row, o->code, o->status, o->text);
        return;
    }
    r = relayd_batch_add(s, held ? &v->back : over ? &v->refused : &v->later, msg, row);
    r->state = RELAYD_WAITING;
    r->reason = RELAYD_NO_REASON;
    if (over)
        relayd_set_hold(r, RELAYD_REFUSED);
    r->attempts++;
    r->next_ms = next_attempt(s, r->attempts, v->chance);
    say(r, s->now.wall_ms, o->code, o->status, o->text);
}

/* Only an answer that was asked for after the time is over ends it. */
static void
gone(struct relayd_sched *s, struct verdicts *v, struct relayd_msg *msg, struct relayd_row_mem *row)
{
    bool known = row->state == RELAYD_HELD && row->reason == RELAYD_ACCOUNT_GONE;
    struct relayd_recipient *r;

    if (known && s->now.boot_ms >= s->grace_ms &&
        s->now.wall_ms - row->at_ms >= s->conf.hold_expire_ms) {
        (void)relayd_batch_add(s, &v->discarded, msg, row);
        return;
    }
    if (known) {
        look_later(s, row);
        return;
    }
    r = relayd_batch_add(s, &v->gone, msg, row);
    relayd_set_hold(r, RELAYD_ACCOUNT_GONE);
    say(r, s->now.wall_ms, 550, YB_STR("5.1.1"), YB_STR("there is no such account any more"));
}

static void
no_body(struct relayd_sched *s, struct verdicts *v, struct relayd_msg *msg,
        struct relayd_row_mem *row)
{
    struct relayd_recipient *r;

    if (row->state == RELAYD_HELD && row->reason == RELAYD_NO_BODY) {
        look_later(s, row);
        return;
    }
    r = relayd_batch_add(s, &v->no_body, msg, row);
    relayd_set_hold(r, RELAYD_NO_BODY);
    say(r, s->now.wall_ms, 451, YB_STR("4.3.0"), YB_STR("the queue lost the message"));
}

static void
judge(struct relayd_sched *s, struct verdicts *v, struct relayd_msg *msg,
      struct relayd_row_mem *row, const struct relayd_outcome *o)
{
    switch (o->fate) {
    case RELAYD_TRY_AWAY:
        if (row->state == RELAYD_HELD)
            look_later(s, row);
        else
            not_answered(s, v, msg, row);
        break;
    case RELAYD_TRY_TROUBLE:
        if (row->state == RELAYD_HELD)
            look_later(s, row);
        else
            in_trouble(s, row, o);
        break;
    case RELAYD_TRY_STORED:
        (void)relayd_batch_add(s, &v->stored, msg, row);
        break;
    case RELAYD_TRY_REFUSED:
        refused(s, v, msg, row, o);
        break;
    case RELAYD_TRY_GONE:
        gone(s, v, msg, row);
        break;
    case RELAYD_TRY_NO_BODY:
        no_body(s, v, msg, row);
        break;
    }
}

void
relayd_sched_done(struct relayd_sched *s, struct relayd_now now, const struct relayd_job *job,
                  uint32_t chance)
{
    struct relayd_msg *msg = relayd_rows_find(s->rows, job->m.m);
    struct verdicts v = { .chance = chance };

    s->now = now;
    yb_assert(msg != NULL && msg->place == RELAYD_OUT);
    relayd_site_learns(s, &s->lmtpd, job->lmtpd, (job->probes & RELAYD_PROBES_LMTPD) != 0);
    relayd_site_learns(s, &s->directory, job->directory,
                       (job->probes & RELAYD_PROBES_DIRECTORY) != 0);
    if (job->lmtpd == RELAYD_ANSWERED)
        msg->lost = 0;
    else if (job->lmtpd == RELAYD_AWAY && msg->lost < UINT8_MAX)
        msg->lost++;
    relayd_turns_end(&s->turns, msg->tenant, (enum relayd_class)msg->class);
    s->underway--;
    relayd_batch_begin(&v.stored, RELAYD_OP_DONE, msg);
    relayd_batch_begin(&v.later, RELAYD_OP_LATER, msg);
    relayd_batch_begin(&v.back, RELAYD_OP_LATER, msg);
    relayd_batch_begin(&v.refused, RELAYD_OP_HOLD, msg);
    relayd_batch_begin(&v.gone, RELAYD_OP_HOLD, msg);
    relayd_batch_begin(&v.no_body, RELAYD_OP_HOLD, msg);
    relayd_batch_begin(&v.away, RELAYD_OP_HOLD, msg);
    relayd_batch_begin(&v.discarded, RELAYD_OP_DELETE, msg);
    v.back.change.released = v.discarded.change.discard = true;
    for (size_t i = 0; i < job->m.n; i++) {
        struct relayd_row_mem *row = relayd_row_find(msg, job->m.r[i].n);

        yb_assert(row != NULL && row->at == RELAYD_ROW_UNDERWAY);
        judge(s, &v, msg, row, &job->o[i]);
    }
    msg->place = RELAYD_NOWHERE;
    relayd_carry_out(s, msg);
    relayd_put_in(s, msg, true);
    relayd_batch_end(s, &v.stored);
    relayd_batch_end(s, &v.later);
    relayd_batch_end(s, &v.back);
    relayd_batch_end(s, &v.refused);
    relayd_batch_end(s, &v.gone);
    relayd_batch_end(s, &v.no_body);
    relayd_batch_end(s, &v.away);
    relayd_batch_end(s, &v.discarded);
}

static void
row_leaves(struct relayd_sched *s, struct relayd_msg *msg, struct relayd_row_mem *row)
{
    --*relayd_count_of(s, row->state);
    relayd_row_drop(s->rows, msg, row);
}

static void
row_takes(struct relayd_sched *s, struct relayd_row_mem *row, const struct relayd_recipient *r)
{
    --*relayd_count_of(s, row->state);
    row->state = (uint8_t)r->state;
    row->reason = (uint8_t)r->reason;
    row->attempts = r->attempts;
    row->at_ms = r->at_ms;
    ++*relayd_count_of(s, row->state);
    relayd_row_answer(s->rows, row, r->code, r->status, r->text);
    row->next_ms = row->state == RELAYD_HELD ? s->now.boot_ms + s->conf.hold_look_ms
                                             : relayd_due_at(s, r->next_ms);
}

void
relayd_sched_settled(struct relayd_sched *s, struct relayd_now now, const struct relayd_change *c,
                     bool ok)
{
    struct relayd_msg *msg = relayd_rows_find(s->rows, c->m->m);
    bool leaves = c->kind == RELAYD_OP_DONE || c->kind == RELAYD_OP_DELETE;

    s->now = now;
    yb_assert(msg != NULL);
    for (size_t i = 0; i < c->m->n; i++) {
        struct relayd_row_mem *row = relayd_row_find(msg, c->m->r[i].n);

        yb_assert(row != NULL && row->at == RELAYD_ROW_SETTLING);
        row->at = RELAYD_ROW_IDLE;
        if (ok && leaves)
            row_leaves(s, msg, row);
        else if (ok)
            row_takes(s, row, &c->m->r[i]);
    }
    if (msg->n > 0) {
        relayd_carry_out(s, msg);
        relayd_put_in(s, msg, false);
        return;
    }
    relayd_take_out(s, msg);
    s->bytes -= msg->size;
    relayd_rows_drop(s->rows, msg);
}
