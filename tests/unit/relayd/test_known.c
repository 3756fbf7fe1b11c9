/* Which delivery ids are known: beside a plain list through random changes, some of them undone; and
 * for how long, by a clock that the test moves. */
#include "relayd/known.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define IDS 700

static struct yb_delivery_id
id_of(unsigned n)
{
    struct yb_delivery_id id = { { 0 } };

    memcpy(id.v, &n, sizeof(n));
    return id;
}

START_TEST(test_beside_a_list)
{
    struct relayd_known *k = relayd_known_new(1000, 1000000);
    uint64_t is[IDS] = { 0 }, was[IDS]; /* 0: unknown, 1: queued, else number in done + 1 */
    uint64_t first = 0, was_first;
    unsigned seed = 42;

    for (int round = 0; round < 400; round++) {
        memcpy(was, is, sizeof(is));
        was_first = first;
        relayd_known_mark(k);
        for (int i = rand_r(&seed) % 40; i > 0; i--) {
            unsigned n = (unsigned)rand_r(&seed) % IDS;
            uint64_t s = relayd_known_next(k);

            if (is[n] == 0) {
                relayd_known_queued(k, id_of(n));
                is[n] = 1;
            } else if (is[n] == 1) {
                relayd_known_done(k, id_of(n), s, round);
                is[n] = s + 1;
            } else if (is[n] - 1 == first + 1) { /* the oldest */
                relayd_known_forget(k, id_of(n), is[n] - 1);
                first = is[n] - 1;
                is[n] = 0;
            }
        }
        if (rand_r(&seed) % 3 == 0) {
            relayd_known_undo(k);
            memcpy(is, was, sizeof(is));
            first = was_first;
        }
        for (unsigned n = 0; n < IDS; n++)
            ck_assert_msg(relayd_known_has(k, id_of(n)) == (is[n] != 0), "round %d, id %u", round,
                          n);
    }
    relayd_known_free(&k);
    relayd_known_free(&k);
}
END_TEST

START_TEST(test_time)
{
    struct relayd_known *k = relayd_known_new(64000, 1000000);

    ck_assert(relayd_known_due_ms(k) == -1 && relayd_known_due(k, 1 << 30) == 0);
    for (unsigned n = 1; n <= 10; n++)
        relayd_known_done(k, id_of(n), n, n * 10000);
    ck_assert_uint_eq(relayd_known_done_count(k), 10);
    ck_assert(relayd_known_due(k, 10000 + 64000) == 0); /* never before its time */
    ck_assert_uint_eq(relayd_known_due(k, 10000 + 66000), 1);
    ck_assert(relayd_known_due_ms(k) >= 10000 + 64000 && relayd_known_due_ms(k) <= 10000 + 66000);
    ck_assert_uint_eq(relayd_known_due(k, 40000 + 66000), 4);
    relayd_known_forget(k, id_of(1), 1);
    ck_assert(!relayd_known_has(k, id_of(1)) && relayd_known_has(k, id_of(2)));
    ck_assert(relayd_known_due(k, 10000 + 66000) == 0);
    ck_assert_uint_eq(relayd_known_due(k, 1000000), 10);
    /* An undone one takes its time along: what gets its number later is kept as long as any. */
    relayd_known_mark(k);
    relayd_known_done(k, id_of(11), 11, 200000);
    relayd_known_undo(k);
    relayd_known_done(k, id_of(12), 11, 900000);
    ck_assert_uint_eq(relayd_known_due(k, 950000), 10);
    ck_assert_uint_eq(relayd_known_due(k, 970000), 11);
    relayd_known_free(&k);
}
END_TEST

START_TEST(test_most)
{
    struct relayd_known *k = relayd_known_new(1000000, 100);

    for (unsigned n = 1; n <= 5000; n++) /* more steps of time than are kept */
        relayd_known_done(k, id_of(n), n, n * 20000);
    ck_assert_uint_eq(relayd_known_due(k, 0), 4900);
    for (unsigned n = 1; n <= 4900; n++)
        relayd_known_forget(k, id_of(n), n);
    ck_assert(relayd_known_due(k, 0) == 0);
    ck_assert_uint_eq(relayd_known_done_count(k), 100);
    ck_assert(relayd_known_has(k, id_of(4901)) && !relayd_known_has(k, id_of(4900)));
    /* Done once more before the first row went: the later row counts. */
    relayd_known_queued(k, id_of(4901));
    relayd_known_forget(k, id_of(4901), 4901);
    ck_assert(relayd_known_has(k, id_of(4901)));
    relayd_known_free(&k);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("relayd/known");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, test_beside_a_list);
    tcase_add_test(tc, test_time);
    tcase_add_test(tc, test_most);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
