/* Looking and steering. */
#include "relayd/plan.h"

/* Whatever is due before that site is asked again: who was tried in vain has a time of his own. */
static bool
waits(const struct relayd_sched *s, const struct relayd_site_state *site,
      const struct relayd_row_mem *row)
{
    struct relayd_now by = s->now;

    if (site->wake_ms > by.boot_ms)
        by.boot_ms = site->wake_ms;
    return site->asleep && relayd_is_due(row, by);
}

static enum relayd_site
waits_for(const struct relayd_sched *s, const struct relayd_msg *msg,
          const struct relayd_row_mem *row)
{
    if (waits(s, &s->lmtpd, row))
        return RELAYD_SITE_LMTPD;
    return waits(s, &s->directory, row) && relayd_class_of(s, msg) == RELAYD_OLD
               ? RELAYD_SITE_DIRECTORY
               : RELAYD_NO_SITE;
}

bool
relayd_sched_each(struct relayd_sched *s, uint64_t *m, uint32_t *n, size_t most,
                  bool (*each)(void *arg, const struct relayd_row *row), void *arg)
{
    struct relayd_msg *msg;

    while ((msg = relayd_rows_from(s->rows, *m)) != NULL) {
        struct relayd_message view;

        relayd_msg_view(msg, &view);
        view.n = msg->n;
        *n = msg->m == *m ? *n : 0;
        *m = msg->m;
        for (uint32_t i = 0; i < msg->n; i++) {
            const struct relayd_row_mem *row = &msg->rows[i];
            struct relayd_recipient r;
            const struct relayd_row shown = { &view, &r, row->at != RELAYD_ROW_IDLE,
                                              waits_for(s, msg, row) };

            if (row->n < *n)
                continue;
            if (most-- == 0)
                return true;
            relayd_row_view(msg, row, &r);
            r.next_ms = s->now.wall_ms + row->next_ms - s->now.boot_ms;
            *n = row->n + 1;
            if (!each(arg, &shown))
                return true;
        }
        ++*m;
        *n = 0;
    }
    return false;
}

/* At once, and whoever is thought to be away is asked again. */
static enum relayd_ordered
retry(struct relayd_sched *s, struct relayd_msg *msg, struct relayd_row_mem *row)
{
    if (row->state != RELAYD_WAITING || row->at != RELAYD_ROW_IDLE)
        return RELAYD_ORDERED_NOT;
    row->next_ms = s->now.boot_ms;
    s->lmtpd.wake_ms = s->directory.wake_ms = s->now.boot_ms;
    if (msg->place != RELAYD_READY)
        relayd_take_out(s, msg);
    relayd_put_in(s, msg, false);
    return RELAYD_ORDERED_DONE;
}

static bool
is_new(const struct relayd_row_mem *row, enum relayd_order order)
{
    if (order == RELAYD_ORDER_HOLD)
        return row->state != RELAYD_HELD || row->reason != RELAYD_OPERATOR;
    if (order == RELAYD_ORDER_RELEASE)
        return row->state == RELAYD_HELD && row->reason != RELAYD_DAMAGED;
    return true;
}

enum relayd_ordered
relayd_sched_order(struct relayd_sched *s, struct relayd_now now, uint64_t m, uint32_t n,
                   enum relayd_order order)
{
    static const enum relayd_op_kind kinds[] = { [RELAYD_ORDER_HOLD] = RELAYD_OP_HOLD,
                                                 [RELAYD_ORDER_RELEASE] = RELAYD_OP_RELEASE,
                                                 [RELAYD_ORDER_DELETE] = RELAYD_OP_DELETE };
    struct relayd_msg *msg = relayd_rows_find(s->rows, m);
    struct relayd_row_mem *row = msg == NULL ? NULL : relayd_row_find(msg, n);
    struct relayd_recipient *r;
    struct relayd_batch b;

    s->now = now;
    if (row == NULL)
        return RELAYD_ORDERED_NOT;
    if (order == RELAYD_ORDER_RETRY)
        return retry(s, msg, row);
    if (row->at != RELAYD_ROW_IDLE) {
        row->order = (uint8_t)(order + 1);
        return RELAYD_ORDERED_UNDERWAY;
    }
    if (!is_new(row, order))
        return RELAYD_ORDERED_NOT;
    relayd_batch_begin(&b, kinds[order], msg);
    b.change.ordered = true;
    r = relayd_batch_add(s, &b, msg, row);
    if (order == RELAYD_ORDER_HOLD) {
        relayd_set_hold(r, RELAYD_OPERATOR);
    } else if (order == RELAYD_ORDER_RELEASE) {
        r->state = RELAYD_WAITING;
        r->reason = RELAYD_NO_REASON;
        r->next_ms = now.wall_ms;
    }
    relayd_batch_end(s, &b);
    return RELAYD_ORDERED_CHANGE;
}

void
relayd_carry_out(struct relayd_sched *s, struct relayd_msg *msg)
{
    for (uint32_t i = 0; i < msg->n; i++) {
        struct relayd_row_mem *row = &msg->rows[i];
        unsigned order = row->order;

        if (order == 0 || row->at != RELAYD_ROW_IDLE)
            continue;
        row->order = 0;
        (void)relayd_sched_order(s, s->now, msg->m, row->n, (enum relayd_order)(order - 1));
    }
}

void
relayd_sched_stats_read(const struct relayd_sched *s, struct relayd_now now,
                        struct relayd_sched_stats *out)
{
    const struct relayd_msg *oldest = relayd_rows_from(s->rows, 0);

    *out = (struct relayd_sched_stats){ .messages = relayd_rows_count(s->rows),
                                        .waiting = s->waiting,
                                        .held = s->held,
                                        .underway = s->underway,
                                        .bytes = s->bytes,
                                        .lmtpd_away = s->lmtpd.asleep,
                                        .directory_away = s->directory.asleep };
    if (oldest != NULL)
        out->oldest_ms = now.boot_ms - oldest->born_ms;
}
