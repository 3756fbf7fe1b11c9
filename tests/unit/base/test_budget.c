/* lib/base/budget: what arenas and buffers hold is counted, a limit of one's own and one of all. */
#include "lib/base/arena.h"
#include "lib/base/buf.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

/* Everything that is taken is charged, and everything is given back. */
START_TEST(test_charged)
{
    struct yb_budget_pool *pool = yb_budget_pool_new(1000000);
    struct yb_budget b = { .pool = pool, .limit = 100000 };
    struct yb_arena *arena = yb_arena_new_charged(4096, &b);
    struct yb_buf *buf = yb_buf_new_charged(1000000, &b);
    char *p;

    ck_assert_uint_eq(b.used, 0);
    p = yb_arena_alloc(arena, 10, 1);
    ck_assert_ptr_nonnull(p);
    ck_assert(b.used >= 4096 && b.used < 5000);
    p = yb_arena_alloc(arena, 50000, 1);
    ck_assert_ptr_nonnull(p);
    ck_assert(b.used >= 54096 && b.used < 56000);
    yb_arena_reset(arena);
    ck_assert(b.used >= 4096 && b.used < 5000);
    p = yb_buf_room(buf, 30000);
    ck_assert_ptr_nonnull(p);
    ck_assert(b.used >= 34096);
    ck_assert_uint_eq(yb_budget_pool_used(pool), b.used);
    yb_buf_release(buf);
    ck_assert(b.used < 5000);
    yb_buf_add(buf, YB_STR("x"));
    yb_buf_free(&buf);
    yb_arena_free(&arena);
    ck_assert_uint_eq(b.used, 0);
    yb_budget_pool_free(&pool);
}
END_TEST

/* clang-format off */
static const struct { size_t limit, all, used, others, more; enum yb_budget_answer want; } questions[] = {
    { 100, 1000,   0,    0,  100, YB_BUDGET_OK },
    { 100, 1000,   0,    0,  101, YB_BUDGET_OVER },
    { 100, 1000, 101,    0,    0, YB_BUDGET_OVER },
    { 100, 1000,  50,  900,   50, YB_BUDGET_OK },
    { 100, 1000,  50,  901,   50, YB_BUDGET_EXHAUSTED },
    { 100, 1000,  50, 1000,    0, YB_BUDGET_EXHAUSTED },
    { 100, 1000,   0, 2000,    0, YB_BUDGET_EXHAUSTED },
    /* who is alone has nobody to wait for */
    { 100,   10,  50,    0,   50, YB_BUDGET_OK },
};
/* clang-format on */

START_TEST(test_ask)
{
    struct yb_budget_pool *pool = yb_budget_pool_new(questions[_i].all);
    struct yb_budget b = { .pool = pool, .limit = questions[_i].limit };
    struct yb_budget others = { .pool = pool, .limit = SIZE_MAX };

    yb_budget_charge(&b, questions[_i].used);
    yb_budget_charge(&others, questions[_i].others);
    ck_assert_int_eq(yb_budget_ask(&b, questions[_i].more, 1), questions[_i].want);
    yb_budget_release(&others, questions[_i].others);
    yb_budget_release(&b, questions[_i].used);
    yb_budget_pool_free(&pool);
}
END_TEST

struct waiter {
    struct yb_budget budget;
    enum yb_budget_answer answer;
};

static void *
wait_for_room(void *arg)
{
    struct waiter *w = arg;

    w->answer = yb_budget_ask(&w->budget, 10, 60000);
    return NULL;
}

/* Who waits goes on when another gives back, or the limit is raised; it does not wait to its end. */
START_TEST(test_wait)
{
    struct yb_budget_pool *pool = yb_budget_pool_new(100);
    struct waiter w = { .budget = { .pool = pool, .limit = 100 }, .answer = YB_BUDGET_OVER };
    struct yb_budget other = { .pool = pool, .limit = 1000 };
    pthread_t thread;

    yb_budget_charge(&other, 100);
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_room, &w), 0);
    if (_i == 0)
        yb_budget_release(&other, 10);
    else
        yb_budget_pool_set_limit(pool, 110);
    pthread_join(thread, NULL);
    ck_assert_int_eq(w.answer, YB_BUDGET_OK);
    yb_budget_release(&other, _i == 0 ? 90 : 100);
    yb_budget_pool_free(&pool);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("base/budget");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, test_charged);
    tcase_add_loop_test(tc, test_ask, 0, YB_COUNT(questions));
    tcase_add_loop_test(tc, test_wait, 0, 2);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
