#include "relayd/plan.h"

int64_t
relayd_doubled(int64_t first, int64_t most, unsigned n)
{
    int64_t wait = first;

    for (unsigned i = 1; i < n && wait < most; i++)
        wait *= 2;
    return wait < most ? wait : most;
}

/* --- sites --- */

bool
relayd_site_may(const struct relayd_site_state *site, struct relayd_now now)
{
    return !site->asleep || (!site->probing && now.boot_ms >= site->wake_ms);
}

void
relayd_site_learns(struct relayd_sched *s, struct relayd_site_state *site,
                   enum relayd_contact contact, bool probe)
{
    if (probe)
        site->probing = false;
    if (contact == RELAYD_ANSWERED)
        site->asleep = false;
    /* Who began before it fell asleep has nothing new to tell. */
    if (contact != RELAYD_AWAY || (site->asleep && !probe))
        return;
    if (!site->asleep) {
        site->failures = 0;
        site->since_ms = s->now.boot_ms;
    }
    site->asleep = true;
    site->wake_ms = s->now.boot_ms +
                    relayd_doubled(s->conf.sleep_first_ms, s->conf.sleep_most_ms, ++site->failures);
}

/* --- when a message is due --- */

/* What is held for a reason that may end by itself is tried now and then. */
static bool
is_looked_at(const struct relayd_row_mem *row)
{
    return row->state == RELAYD_WAITING ||
           (row->reason != RELAYD_OPERATOR && row->reason != RELAYD_DAMAGED);
}

bool
relayd_is_due(const struct relayd_row_mem *row, struct relayd_now now)
{
    return row->at == RELAYD_ROW_IDLE && is_looked_at(row) && row->next_ms <= now.boot_ms;
}

static int64_t
due_of(const struct relayd_msg *msg)
{
    int64_t due = INT64_MAX;

    for (uint32_t i = 0; i < msg->n; i++) {
        const struct relayd_row_mem *row = &msg->rows[i];

        if (row->at == RELAYD_ROW_IDLE && is_looked_at(row) && row->next_ms < due)
            due = row->next_ms;
    }
    return due;
}

enum relayd_class
relayd_class_of(const struct relayd_sched *s, const struct relayd_msg *msg)
{
    return s->now.boot_ms - msg->born_ms >= s->conf.ask_after_ms ? RELAYD_OLD : RELAYD_FRESH;
}

bool
relayd_waited_out(const struct relayd_sched *s, const struct relayd_msg *msg)
{
    int64_t long_ago = s->now.boot_ms - s->conf.away_expire_ms;

    return s->lmtpd.asleep && s->now.boot_ms >= s->grace_ms && s->lmtpd.since_ms <= long_ago &&
           msg->born_ms <= long_ago;
}

void
relayd_take_out(struct relayd_sched *s, struct relayd_msg *msg)
{
    if (msg->place == RELAYD_IN_HEAP)
        relayd_heap_remove(&s->heap, msg);
    else if (msg->place == RELAYD_READY)
        relayd_turns_remove(&s->turns, msg);
}

void
relayd_put_in(struct relayd_sched *s, struct relayd_msg *msg, bool front)
{
    if (msg->place == RELAYD_READY || msg->place == RELAYD_OUT)
        return;
    relayd_take_out(s, msg);
    msg->due_ms = due_of(msg);
    if (msg->due_ms <= s->now.boot_ms)
        relayd_turns_add(&s->turns, msg, relayd_class_of(s, msg), front);
    else if (msg->due_ms != INT64_MAX)
        relayd_heap_add(&s->heap, msg);
}

size_t *
relayd_count_of(struct relayd_sched *s, unsigned state)
{
    return state == RELAYD_HELD ? &s->held : &s->waiting;
}

int64_t
relayd_due_at(const struct relayd_sched *s, int64_t wall_ms)
{
    int64_t most = s->conf.retry_most_ms + s->conf.retry_most_ms / 10;
    int64_t wait = wall_ms - s->now.wall_ms;

    if (wall_ms < s->now.wall_ms)
        return s->now.boot_ms;
    return s->now.boot_ms + (wait < most ? wait : most);
}

/* --- what changes --- */

void
relayd_batch_begin(struct relayd_batch *b, enum relayd_op_kind kind, const struct relayd_msg *msg)
{
    *b = (struct relayd_batch){ .change = { .kind = kind } };
    relayd_msg_view(msg, &b->m);
}

/* As it is now, for the caller to change. */
struct relayd_recipient *
relayd_batch_add(const struct relayd_sched *s, struct relayd_batch *b, const struct relayd_msg *msg,
                 struct relayd_row_mem *row)
{
    struct relayd_recipient *r;

    if (b->m.n == b->room) {
        b->room = b->room == 0 ? 4 : 2 * b->room;
        b->m.r = yb_realloc(b->m.r, b->room, sizeof(*b->m.r));
    }
    r = &b->m.r[b->m.n++];
    relayd_row_view(msg, row, r);
    r->next_ms = s->now.wall_ms + row->next_ms - s->now.boot_ms;
    row->at = RELAYD_ROW_SETTLING;
    return r;
}

void
relayd_batch_end(struct relayd_sched *s, struct relayd_batch *b)
{
    b->change.m = &b->m;
    if (b->m.n > 0)
        s->change(s->arg, &b->change);
    yb_free(b->m.r);
}

void
relayd_set_hold(struct relayd_recipient *r, enum relayd_reason reason)
{
    r->state = RELAYD_HELD;
    r->reason = reason;
}
