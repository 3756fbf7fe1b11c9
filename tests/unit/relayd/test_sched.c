/* The scheduler in virtual time: days pass in a moment. */
#include "tests/unit/relayd/world.h"

#include <check.h>
#include <malloc.h>
#include <stdlib.h>

static struct world w;

static void
refuse(struct relayd_job *job, size_t i)
{
    job->o[i] =
        (struct relayd_outcome){ RELAYD_TRY_REFUSED, 452, YB_STR("4.2.2"), YB_STR("Mailbox full") };
}

/* --- many --- */

static void
some_refused(struct world *world, struct relayd_job *job)
{
    for (size_t i = 0; i < job->m.n; i++) {
        const struct fate *f = &world->fates[world_number(&job->m.r[i])];

        /* By the table: 5, 10, 20, 40, 80 min, then 2 h, a tenth more at most; and what waits for a free
         * thread. */
        if (f->tries > 1) {
            int64_t wait = f->tries > 6 ? 2 * HOUR : (5 * MINUTE) << (f->tries - 2);

            ck_assert_int_ge(f->gap, wait);
            ck_assert_int_le(f->gap, wait * 11 / 10 + 2 * MINUTE);
        }
        if (world_dice(world, 3) == 0)
            refuse(job, i);
    }
}

START_TEST(test_many)
{
    world_open(&w, 100000);
    w.answer = some_refused;
    while (w.n + 5 < 100000)
        world_message(&w, world_dice(&w, 1000), 1 + world_dice(&w, 5), 0, true);
    world_run(&w, 2 * DAY);
    ck_assert_uint_eq(w.left, 0);
    for (size_t i = 0; i < w.n; i++) {
        ck_assert_uint_eq(w.fates[i].stored, 1);
        ck_assert_uint_eq(w.fates[i].tries, w.fates[i].later + 1);
    }
    world_close(&w);
}
END_TEST

/* At most 200 octets for a message and for a recipient, whatever answers they heard. */
START_TEST(test_memory)
{
    size_t before, used;

    world_open(&w, 100000);
    before = mallinfo2().uordblks;
    for (size_t i = 0; i < 20000; i++)
        world_message(&w, (unsigned)i % 100, 1, 0, false);
    used = mallinfo2().uordblks - before;
    ck_assert_msg(used <= 20000 * 2 * 200, "%zu octets each", used / 20000);
    before = mallinfo2().uordblks;
    for (size_t i = 0; i < 80; i++)
        world_message(&w, 1, 1000, 0, false);
    used = mallinfo2().uordblks - before;
    ck_assert_msg(used <= 80 * 1001 * 200, "%zu octets each", used / 80000);
    world_close(&w);
}
END_TEST

/* --- sites --- */

/* lmtpd is away for a while: nothing is written, no attempt counts, and it is not asked in vain. */
START_TEST(test_asleep)
{
    world_open(&w, 2000);
    w.lmtpd_away = true;
    for (size_t i = 0; i < 1000; i++)
        world_message(&w, (unsigned)i % 10, 1, 0, true);
    world_run(&w, HOUR);
    ck_assert_uint_eq(w.n_changes, 0);
    /* Four at first, then 1, 2, 4, 8, 16, 30, 30 … s later. */
    ck_assert_uint_ge(w.n_jobs, 115);
    ck_assert_uint_le(w.n_jobs, 130);
    w.lmtpd_away = false;
    world_run(&w, MINUTE);
    ck_assert_uint_eq(w.left, 0);
    for (size_t i = 0; i < w.n; i++)
        ck_assert_uint_eq(w.fates[i].later, 0);
    world_close(&w);
}
END_TEST

/* The directory is away: what is fresh goes on, what is old waits and is not counted. */
START_TEST(test_directory_away)
{
    size_t old, fresh;

    world_open(&w, 200);
    w.directory_away = true;
    old = world_message(&w, 1, 1, HOUR, false);
    for (size_t i = 0; i < 50; i++)
        fresh = world_message(&w, 1, 1, 0, true);
    world_run(&w, HOUR);
    ck_assert_uint_eq(w.left, 1);
    ck_assert_uint_eq(w.fates[fresh].stored, 1);
    ck_assert_uint_eq(w.fates[old].later + w.fates[old].held, 0);
    ck_assert_uint_ge(w.fates[old].tries, 100);
    w.directory_away = false;
    world_run(&w, MINUTE);
    ck_assert_uint_eq(w.fates[old].stored, 1);
    ck_assert(w.fates[old].repeat);
    world_close(&w);
}
END_TEST

/* lmtpd never answers again: after five days, and not before, all is held; when it comes back, all is
 * delivered by itself. */
START_TEST(test_away_for_days)
{
    world_open(&w, 2000);
    w.lmtpd_away = true;
    for (size_t i = 0; i < 1000; i++)
        world_message(&w, (unsigned)i % 7, 1, 0, true);
    world_run(&w, 5 * DAY - MINUTE);
    ck_assert_uint_eq(w.n_changes, 0);
    world_run(&w, HOUR);
    for (size_t i = 0; i < 1000; i++)
        ck_assert(w.fates[i].state == RELAYD_HELD && w.fates[i].reason == RELAYD_BACKEND_AWAY &&
                  w.fates[i].attempts == 0 && w.fates[i].held == 1);
    world_message(&w, 1, 1, 0, true); /* who came late has not waited for so long */
    world_run(&w, DAY);
    ck_assert(w.fates[1000].state == RELAYD_WAITING);
    ck_assert_uint_eq(w.n_changes, 1000);
    w.lmtpd_away = false;
    world_run(&w, 11 * MINUTE);
    ck_assert_uint_eq(w.left, 0);
    world_close(&w);
}
END_TEST

/* After a start the days are counted anew, and one alone is held, too. */
START_TEST(test_away_after_start)
{
    world_open(&w, 10);
    w.lmtpd_away = true;
    world_message(&w, 1, 1, 20 * DAY, false);
    world_run(&w, 5 * DAY - MINUTE);
    ck_assert_uint_eq(w.fates[0].held, 0);
    world_run(&w, HOUR);
    ck_assert_uint_eq(w.fates[0].held, 1);
    world_run(&w, 60 * DAY);
    ck_assert_uint_eq(w.left, 1); /* never discarded */
    world_close(&w);
}
END_TEST

static void
poisoned(struct world *world YB_UNUSED, struct relayd_job *job)
{
    for (size_t i = 0; i < job->m.n; i++) {
        if (world_number(&job->m.r[i]) != 0)
            continue;
        job->o[i].fate = RELAYD_TRY_AWAY;
        job->lmtpd = RELAYD_AWAY;
    }
}

/* One message that lmtpd never answers to, the oldest, keeps the others from nothing. */
START_TEST(test_poison)
{
    world_open(&w, 2000);
    w.answer = poisoned;
    for (size_t i = 0; i < 1000; i++)
        world_message(&w, 1, 1, 0, true);
    world_run(&w, 5 * MINUTE);
    ck_assert_uint_eq(w.left, 1);
    world_run(&w, HOUR);
    ck_assert_uint_le(w.fates[0].tries, 200);
    ck_assert_uint_ge(w.fates[0].tries, 100);
    world_close(&w);
}
END_TEST

/* --- shares --- */

static size_t running[2], unserved;

static void
count_share(struct world *world YB_UNUSED, const struct relayd_job *job)
{
    unsigned tenant;

    memcpy(&tenant, job->m.tenant.v, sizeof(tenant));
    running[tenant]++;
    unserved -= tenant == 1;
    /* The small one waits for nobody but for those that were under way already. */
    ck_assert_msg(unserved == 0 || running[0] <= 2 || tenant == 1, "%zu of the big one's",
                  running[0]);
}

static void
uncount_share(struct world *world YB_UNUSED, struct relayd_job *job)
{
    unsigned tenant;

    memcpy(&tenant, job->m.tenant.v, sizeof(tenant));
    running[tenant]--;
}

START_TEST(test_fair)
{
    world_open(&w, 20000);
    running[0] = running[1] = unserved = 0;
    w.began = count_share;
    w.answer = uncount_share;
    for (size_t i = 0; i < 10000; i++)
        world_message(&w, 0, 1, 0, true);
    world_run(&w, SECOND);
    ck_assert_uint_eq(running[0], 4); /* nobody else waits: it has them all */
    for (size_t i = 0; i < 50; i++) {
        unserved++;
        world_message(&w, 1, 1, 0, true);
    }
    /* Half of the threads are its: 50 jobs of at most 20 ms each. */
    world_run(&w, 50 * 20 + 100);
    ck_assert_uint_eq(unserved, 0);
    ck_assert_uint_gt(w.left, 9000);
    world_run(&w, HOUR);
    ck_assert_uint_eq(w.left, 0);
    world_close(&w);
}
END_TEST

/* New mail for ever: what is old is served all the same, and never takes more than a quarter. */
START_TEST(test_old_is_served)
{
    size_t old_left = 0;

    world_open(&w, 20000);
    for (size_t i = 0; i < 100; i++)
        world_message(&w, (unsigned)i % 3, 1, HOUR, false);
    for (size_t i = 0; i < 10000; i++)
        world_message(&w, (unsigned)i % 5, 1, 0, true);
    world_run(&w, 10 * SECOND);
    for (size_t i = 0; i < 100; i++)
        old_left += w.fates[i].stored == 0;
    ck_assert_uint_eq(old_left, 0);
    ck_assert_uint_gt(w.left, 5000);
    world_close(&w);
}
END_TEST

/* --- reasons --- */

static enum relayd_try verdict;

static void
as_told(struct world *world YB_UNUSED, struct relayd_job *job)
{
    for (size_t i = 0; i < job->m.n; i++) {
        if (verdict == RELAYD_TRY_REFUSED)
            refuse(job, i);
        else
            job->o[i].fate = verdict;
        if (verdict == RELAYD_TRY_TROUBLE)
            job->o[i].code = 451;
    }
    if (verdict != RELAYD_TRY_REFUSED && verdict != RELAYD_TRY_STORED)
        job->lmtpd = RELAYD_UNTOUCHED;
}

/* Held when it is gone, delivered when it is there again, discarded 30 days later and not before. */
START_TEST(test_account_gone)
{
    world_open(&w, 10);
    w.answer = as_told;
    verdict = RELAYD_TRY_GONE;
    world_message(&w, 1, 1, HOUR, false);
    world_message(&w, 1, 1, HOUR, false);
    world_run(&w, SECOND);
    ck_assert(w.fates[0].reason == RELAYD_ACCOUNT_GONE && w.fates[0].held == 1);
    world_run(&w, DAY);
    ck_assert_uint_ge(w.fates[0].tries, 140); /* looked at every 10 minutes … */
    ck_assert_uint_eq(w.n_changes, 2);        /* … without a row written */
    (void)world_order(&w, 1, RELAYD_ORDER_HOLD);
    ck_assert(w.fates[1].reason == RELAYD_OPERATOR);
    world_run(&w, 29 * DAY - HOUR);
    ck_assert_uint_eq(w.fates[0].discarded, 0);
    world_run(&w, 2 * HOUR);
    ck_assert_uint_eq(w.fates[0].discarded, 1);
    world_run(&w, 90 * DAY);
    ck_assert_uint_eq(w.left, 1); /* what somebody held stays */
    verdict = RELAYD_TRY_STORED;
    ck_assert_int_eq(world_order(&w, 1, RELAYD_ORDER_RELEASE), RELAYD_ORDERED_CHANGE);
    world_run(&w, SECOND);
    ck_assert_uint_eq(w.fates[1].stored, 1);
    world_close(&w);
}
END_TEST

START_TEST(test_account_back)
{
    world_open(&w, 10);
    w.answer = as_told;
    verdict = RELAYD_TRY_GONE;
    world_message(&w, 1, 1, HOUR, false);
    world_run(&w, HOUR);
    verdict = RELAYD_TRY_REFUSED; /* there again, and full */
    world_run(&w, 11 * MINUTE);
    ck_assert(w.fates[0].state == RELAYD_WAITING && w.fates[0].released == 1 &&
              w.fates[0].attempts >= 1);
    verdict = RELAYD_TRY_STORED;
    world_run(&w, 12 * MINUTE);
    ck_assert_uint_eq(w.left, 0);
    world_close(&w);
}
END_TEST

/* Refused for days: held, tried every 2 hours without a row written, until it is taken. */
START_TEST(test_refused_for_days)
{
    size_t changes;

    world_open(&w, 10);
    w.answer = as_told;
    verdict = RELAYD_TRY_REFUSED;
    world_message(&w, 1, 1, 0, true);
    world_run(&w, 5 * DAY - HOUR);
    ck_assert_uint_eq(w.fates[0].held, 0);
    world_run(&w, 4 * HOUR);
    ck_assert(w.fates[0].reason == RELAYD_REFUSED && w.fates[0].held == 1);
    changes = w.n_changes;
    w.fates[0].tries = 0;
    world_run(&w, 60 * DAY);
    ck_assert_uint_eq(w.n_changes, changes);
    ck_assert_uint_ge(w.fates[0].tries, 60 * 11);
    ck_assert_uint_le(w.fates[0].tries, 60 * 12 + 1);
    verdict = RELAYD_TRY_STORED;
    world_run(&w, 2 * HOUR + MINUTE);
    ck_assert_uint_eq(w.left, 0);
    world_close(&w);
}
END_TEST

/* Not for its age alone: a node that was down for a week tries for some hours first. */
START_TEST(test_refused_after_start)
{
    world_open(&w, 10);
    w.answer = as_told;
    verdict = RELAYD_TRY_REFUSED;
    world_message(&w, 1, 1, 7 * DAY, false);
    world_run(&w, 6 * HOUR - MINUTE);
    ck_assert(w.fates[0].tries > 0 && w.fates[0].held == 0);
    world_run(&w, 3 * HOUR);
    ck_assert(w.fates[0].reason == RELAYD_REFUSED);
    world_close(&w);
}
END_TEST

/* Our own trouble counts for nobody; a lost body holds, until somebody finds it. */
START_TEST(test_trouble)
{
    world_open(&w, 10);
    w.answer = as_told;
    verdict = RELAYD_TRY_TROUBLE;
    world_message(&w, 1, 1, 0, true);
    world_run(&w, HOUR);
    ck_assert_uint_ge(w.fates[0].tries, 11);
    ck_assert_uint_eq(w.n_changes, 0);
    verdict = RELAYD_TRY_NO_BODY;
    world_run(&w, HOUR);
    ck_assert(w.fates[0].reason == RELAYD_NO_BODY && w.fates[0].held == 1);
    world_run(&w, 60 * DAY);
    ck_assert_uint_eq(w.n_changes, 1);
    verdict = RELAYD_TRY_STORED;
    world_run(&w, 11 * MINUTE);
    ck_assert_uint_eq(w.left, 0);
    world_close(&w);
}
END_TEST

/* --- the clock --- */

/* Ten days forward: nothing is discarded for six hours, attempts keep their times. */
START_TEST(test_clock_forward)
{
    world_open(&w, 10);
    w.answer = as_told;
    verdict = RELAYD_TRY_GONE;
    world_message(&w, 1, 1, HOUR, false);
    world_run(&w, 25 * DAY);
    verdict = RELAYD_TRY_REFUSED;
    world_message(&w, 1, 1, 0, true);
    world_run(&w, SECOND);
    verdict = RELAYD_TRY_GONE;
    world_jump(&w, 10 * DAY);
    ck_assert(relayd_sched_tick(w.sched, w.now));
    ck_assert(!relayd_sched_tick(w.sched, w.now));
    world_run(&w, 4 * MINUTE);
    ck_assert_uint_eq(w.fates[1].tries, 1);
    world_run(&w, 6 * HOUR - 5 * MINUTE);
    ck_assert_uint_eq(w.fates[0].discarded, 0);
    ck_assert_uint_ge(w.fates[1].tries, 2);
    world_run(&w, HOUR);
    ck_assert_uint_eq(w.fates[0].discarded, 1);
    world_close(&w);
}
END_TEST

/* Ten days back: nobody waits ten days more, and what is old is still asked about. */
START_TEST(test_clock_back)
{
    world_open(&w, 10);
    w.answer = as_told;
    verdict = RELAYD_TRY_REFUSED;
    world_message(&w, 1, 1, HOUR, false);
    world_run(&w, 20 * MINUTE);
    ck_assert_uint_eq(w.fates[0].tries, 3);
    world_jump(&w, -10 * DAY);
    ck_assert(relayd_sched_tick(w.sched, w.now));
    verdict = RELAYD_TRY_GONE; /* is said only by who asks the directory */
    w.directory_away = true;
    world_run(&w, 22 * MINUTE);
    ck_assert_uint_gt(w.fates[0].tries, 3);
    ck_assert_uint_eq(w.fates[0].held, 0);
    w.directory_away = false;
    world_run(&w, MINUTE);
    ck_assert_uint_eq(w.fates[0].held, 1);
    /* One from the disk that was written in the time to come: it counts as old. */
    world_message(&w, 1, 1, -10 * DAY, false);
    w.directory_away = true;
    verdict = RELAYD_TRY_STORED;
    world_run(&w, MINUTE);
    ck_assert_uint_eq(w.fates[1].stored, 0);
    w.directory_away = false;
    world_run(&w, MINUTE);
    ck_assert_uint_eq(w.fates[1].stored, 1);
    /* And no wait is longer than the longest there is. */
    w.due_in_ms = 10 * DAY;
    world_message(&w, 1, 1, HOUR, false);
    world_run(&w, 3 * HOUR);
    ck_assert_uint_eq(w.fates[2].stored, 1);
    world_close(&w);
}
END_TEST

/* --- orders --- */

START_TEST(test_orders)
{
    world_open(&w, 10);
    w.answer = as_told;
    verdict = RELAYD_TRY_REFUSED;
    for (size_t i = 0; i < 3; i++)
        world_message(&w, 1, 1, 0, true);
    world_run(&w, SECOND);
    ck_assert_int_eq(world_order(&w, 0, RELAYD_ORDER_HOLD), RELAYD_ORDERED_CHANGE);
    ck_assert_int_eq(world_order(&w, 0, RELAYD_ORDER_HOLD), RELAYD_ORDERED_NOT);
    ck_assert_int_eq(world_order(&w, 0, RELAYD_ORDER_RETRY), RELAYD_ORDERED_NOT);
    ck_assert_int_eq(world_order(&w, 1, RELAYD_ORDER_RELEASE), RELAYD_ORDERED_NOT);
    ck_assert_int_eq(world_order(&w, 1, RELAYD_ORDER_DELETE), RELAYD_ORDERED_CHANGE);
    ck_assert_int_eq(world_order(&w, 1, RELAYD_ORDER_DELETE), RELAYD_ORDERED_NOT);
    ck_assert_int_eq(world_order(&w, 2, RELAYD_ORDER_RETRY), RELAYD_ORDERED_DONE);
    world_run(&w, SECOND);
    ck_assert_uint_eq(w.fates[0].tries, 1);
    ck_assert_uint_eq(w.fates[1].deleted, 1);
    ck_assert_uint_eq(w.fates[2].tries, 2);
    /* What the disk does not take is as if not ordered. */
    w.disk_full = true;
    ck_assert_int_eq(world_order(&w, 2, RELAYD_ORDER_DELETE), RELAYD_ORDERED_CHANGE);
    w.disk_full = false;
    verdict = RELAYD_TRY_STORED;
    world_run(&w, HOUR);
    ck_assert_uint_eq(w.fates[2].stored, 1);
    ck_assert_uint_eq(w.left, 1);
    world_close(&w);
}
END_TEST

/* What is under way when it is ordered: a delivery wins, nothing else. */
START_TEST(test_orders_underway)
{
    static const struct {
        enum relayd_try fate;
        enum relayd_order order;
        unsigned stored, deleted, held;
    } cases[] = {
        { RELAYD_TRY_STORED, RELAYD_ORDER_DELETE, 1, 0, 0 },
        { RELAYD_TRY_STORED, RELAYD_ORDER_HOLD, 1, 0, 0 },
        { RELAYD_TRY_REFUSED, RELAYD_ORDER_DELETE, 0, 1, 0 },
        { RELAYD_TRY_REFUSED, RELAYD_ORDER_HOLD, 0, 0, 1 },
        { RELAYD_TRY_AWAY, RELAYD_ORDER_DELETE, 0, 1, 0 },
        { RELAYD_TRY_TROUBLE, RELAYD_ORDER_HOLD, 0, 0, 1 },
        { RELAYD_TRY_GONE, RELAYD_ORDER_DELETE, 0, 1, 1 },
    };

    world_open(&w, 10);
    w.answer = as_told;
    w.takes_ms = 1000;
    verdict = cases[_i].fate;
    world_message(&w, 1, 1, 0, true);
    world_run(&w, 500);
    ck_assert_int_eq(world_order(&w, 0, cases[_i].order), RELAYD_ORDERED_UNDERWAY);
    world_run(&w, 3 * SECOND);
    ck_assert_uint_eq(w.fates[0].tries, 1);
    ck_assert_uint_eq(w.fates[0].stored, cases[_i].stored);
    ck_assert_uint_eq(w.fates[0].deleted, cases[_i].deleted);
    ck_assert_uint_eq(w.fates[0].held, cases[_i].held);
    world_close(&w);
}
END_TEST

/* Retry asks who is thought to be away at once. */
START_TEST(test_retry_wakes)
{
    world_open(&w, 10);
    w.lmtpd_away = true;
    world_message(&w, 1, 1, 0, true);
    world_run(&w, HOUR);
    w.lmtpd_away = false;
    ck_assert_int_eq(world_order(&w, 0, RELAYD_ORDER_RETRY), RELAYD_ORDERED_DONE);
    world_run(&w, 100);
    ck_assert_uint_eq(w.left, 0);
    world_close(&w);
}
END_TEST

/* --- looking --- */

struct seen {
    size_t n, stop_at;
    uint64_t last_m;
    uint32_t last_n;
    bool away;
};

static bool
see(void *arg, const struct relayd_row *row)
{
    struct seen *s = arg;

    ck_assert(s->n == 0 || row->m->m > s->last_m ||
              (row->m->m == s->last_m && row->r->n > s->last_n));
    ck_assert_uint_eq(row->m->n, 3);
    ck_assert(yb_str_eq(row->m->sender, YB_STR("sender@example.com")));
    s->last_m = row->m->m;
    s->last_n = row->r->n;
    s->away = row->away == RELAYD_SITE_LMTPD;
    return ++s->n != s->stop_at;
}

/* Each recipient is seen once, wherever the walk is broken off. */
START_TEST(test_each)
{
    struct seen s = { .stop_at = 0 };
    uint64_t m = 0;
    uint32_t n = 0;
    size_t rounds = 0;

    world_open(&w, 3000);
    w.lmtpd_away = true;
    for (size_t i = 0; i < 100; i++)
        world_message(&w, 1, 3, 0, true);
    world_run(&w, 10 * SECOND);
    while (relayd_sched_each(w.sched, &m, &n, 7, see, &s))
        rounds++;
    ck_assert_uint_eq(s.n, 300);
    ck_assert_uint_eq(rounds, 42);
    ck_assert(s.away);
    s = (struct seen){ .stop_at = 5 };
    m = n = 0;
    ck_assert(relayd_sched_each(w.sched, &m, &n, 1000, see, &s));
    ck_assert_uint_eq(s.n, 5);
    s.stop_at = 0;
    ck_assert(!relayd_sched_each(w.sched, &m, &n, 1000, see, &s));
    ck_assert_uint_eq(s.n, 300);
    world_close(&w);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sched");
    TCase *tc = tcase_create("virtual time");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_many);
    tcase_add_test(tc, test_memory);
    tcase_add_test(tc, test_asleep);
    tcase_add_test(tc, test_directory_away);
    tcase_add_test(tc, test_away_for_days);
    tcase_add_test(tc, test_away_after_start);
    tcase_add_test(tc, test_poison);
    tcase_add_test(tc, test_fair);
    tcase_add_test(tc, test_old_is_served);
    tcase_add_test(tc, test_account_gone);
    tcase_add_test(tc, test_account_back);
    tcase_add_test(tc, test_refused_for_days);
    tcase_add_test(tc, test_refused_after_start);
    tcase_add_test(tc, test_trouble);
    tcase_add_test(tc, test_clock_forward);
    tcase_add_test(tc, test_clock_back);
    tcase_add_test(tc, test_orders);
    tcase_add_loop_test(tc, test_orders_underway, 0, 7);
    tcase_add_test(tc, test_retry_wakes);
    tcase_add_test(tc, test_each);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
