/*
 * Filters of the queue: what is taken is bounded, and what chooses nothing fits everything that fits something.
 * The first line is the filter, the second a sender, the third a recipient.
 */
#include "relayd/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
sound(const struct relayd_filter *f)
{
    yb_assert(f->limit >= 1 && f->limit <= RELAYD_FILTER_ROWS_MAX);
    yb_assert(f->older_ms >= 0 && f->after.m <= INT64_MAX && f->by.n <= 64);
    yb_assert(!f->by_state || f->state == RELAYD_WAITING || f->state == RELAYD_HELD);
    yb_assert(!f->by_reason || (f->reason < RELAYD_REASONS && f->away <= RELAYD_SITE_DIRECTORY));
    yb_assert(!(f->by_number && f->by_message));
    yb_assert(!f->sender.set || f->sender.null || f->sender.domain.n > 0);
    yb_assert(!f->recipient.set || (!f->recipient.null && f->recipient.domain.n > 0));
    yb_assert(!f->domain.set || (f->domain.local.n == 0 && f->domain.domain.n > 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_arena *arena = yb_arena_new(4096), *scratch = yb_arena_new(256);
    struct yb_str left = yb_str((const char *)data, size), json = left, sender, recipient;
    struct relayd_message m = { .m = 12, .arrived_ms = INT64_C(1700000000000) };
    struct relayd_recipient r = { .state = RELAYD_WAITING };
    const struct relayd_row row = { &m, &r, false, RELAYD_SITE_LMTPD };
    struct yb_err err = { 0 };
    struct relayd_filter f;

    (void)yb_str_split(&left, '\n', &json);
    (void)yb_str_split(&left, '\n', &sender);
    (void)yb_str_split(&left, '\n', &recipient);
    m.sender = sender;
    r.address = recipient;
    if (relayd_filter_parse(json, arena, scratch, &f, &err) == 0) {
        bool fits = relayd_filter_fits(&f, &row, m.arrived_ms);

        sound(&f);
        f.sender.set = f.recipient.set = f.domain.set = false;
        yb_assert(!fits || relayd_filter_fits(&f, &row, m.arrived_ms));
    } else {
        yb_assert(err.class == YB_PERM && err.kind == YB_ERR_SYNTAX);
    }
    yb_arena_free(&arena);
    yb_arena_free(&scratch);
    return 0;
}
