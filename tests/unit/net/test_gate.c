/* Gates: how many are inside, who waits how long, the breaker. */
#include "lib/net/gate.h"

#include "tests/unit/net/kit.h"

#include <poll.h>
#include <pthread.h>

static struct yb_gate *g;
static struct yb_err err;

static void
make(unsigned inside, int64_t wait_ms, unsigned break_after, int64_t open_ms)
{
    g = yb_gate_new(&(struct yb_gate_conf){ .name = "test",
                                            .inside = inside,
                                            .wait_ms = wait_ms,
                                            .break_after = break_after,
                                            .open_ms = open_ms });
}

START_TEST(test_full)
{
    int64_t began = yb_clock_ms();

    make(2, 100, 0, 0);
    ck_assert_int_eq(yb_gate_enter(g, &err), 0);
    ck_assert_int_eq(yb_gate_enter(g, &err), 0);
    ck_assert_int_eq(yb_gate_enter(g, &err), -1);
    ck_assert_int_eq(err.class, YB_TEMP);
    ck_assert_str_eq(err.status, "4.3.2");
    ck_assert(err.internal);
    ck_assert_int_ge(yb_clock_ms() - began, 99);
    yb_gate_leave(g, YB_GATE_OK);
    ck_assert_int_eq(yb_gate_enter(g, &err), 0);
    yb_gate_leave(g, YB_GATE_OK);
    yb_gate_leave(g, YB_GATE_OK);
    yb_gate_free(&g);
    ck_assert_ptr_null(g);
}
END_TEST

static atomic_int entered;

static void *
enter_once(void *arg YB_UNUSED)
{
    struct yb_err e;

    if (yb_gate_enter(g, &e) == 0) {
        atomic_fetch_add(&entered, 1);
        yb_gate_leave(g, YB_GATE_OK);
    }
    return NULL;
}

START_TEST(test_waiting)
{
    pthread_t threads[4];

    make(1, 20000, 0, 0);
    ck_assert_int_eq(yb_gate_enter(g, &err), 0);
    for (size_t n = 0; n < YB_COUNT(threads); n++)
        pthread_create(&threads[n], NULL, enter_once, NULL);
    poll(NULL, 0, 20);
    ck_assert_int_eq(atomic_load(&entered), 0);
    yb_gate_leave(g, YB_GATE_OK);
    for (size_t n = 0; n < YB_COUNT(threads); n++)
        pthread_join(threads[n], NULL);
    ck_assert_int_eq(atomic_load(&entered), 4);
    yb_gate_free(&g);
}
END_TEST

static void
pass(enum yb_gate_result result)
{
    ck_assert_int_eq(yb_gate_enter(g, &err), 0);
    yb_gate_leave(g, result);
}

START_TEST(test_breaker)
{
    int64_t began;

    make(4, 5000, 3, 100);
    pass(YB_GATE_TIMEOUT);
    pass(YB_GATE_TIMEOUT);
    pass(YB_GATE_FAILED); /* an answer: not in a row any more */
    pass(YB_GATE_TIMEOUT);
    pass(YB_GATE_TIMEOUT);
    pass(YB_GATE_TIMEOUT);
    began = yb_clock_ms();
    ck_assert_int_eq(yb_gate_enter(g, &err), -1);
    ck_assert_int_lt(yb_clock_ms() - began, 1000); /* at once, without the wait of a full gate */
    poll(NULL, 0, 120);
    ck_assert_int_eq(yb_gate_enter(g, &err), 0); /* the probe, only one */
    ck_assert_int_eq(yb_gate_enter(g, &err), -1);
    yb_gate_leave(g, YB_GATE_TIMEOUT); /* it failed: open again */
    ck_assert_int_eq(yb_gate_enter(g, &err), -1);
    poll(NULL, 0, 120);
    pass(YB_GATE_OK);
    pass(YB_GATE_OK);
    pass(YB_GATE_TIMEOUT); /* and the count began anew */
    pass(YB_GATE_OK);
    yb_gate_free(&g);
}
END_TEST

/* Who waits at a full gate is sent away when the breaker opens. */
START_TEST(test_breaker_frees_the_waiting)
{
    pthread_t thread;

    make(1, 20000, 1, 60000);
    ck_assert_int_eq(yb_gate_enter(g, &err), 0);
    pthread_create(&thread, NULL, enter_once, NULL);
    poll(NULL, 0, 20);
    yb_gate_leave(g, YB_GATE_TIMEOUT);
    pthread_join(thread, NULL);
    ck_assert_int_eq(atomic_load(&entered), 0);
    yb_gate_free(&g);
}
END_TEST

static void
tests(TCase *tc)
{
    tcase_add_test(tc, test_full);
    tcase_add_test(tc, test_waiting);
    tcase_add_test(tc, test_breaker);
    tcase_add_test(tc, test_breaker_frees_the_waiting);
}

int
main(void)
{
    return kit_main("gate", tests, NULL, NULL);
}
