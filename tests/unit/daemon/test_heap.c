/* Memory that was freed goes back to the system, on whatever thread it was used. */
#include "lib/daemon/heap.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

#define BLOCKS ((size_t)300000)
#define PIN_EVERY 10000 /* these stay in use and keep what is below them */

static char *blocks[2][BLOCKS];

/* Resident memory that is no file's, in MiB. */
static long
own_memory(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long resident = 0, shared = 0;

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%*d %ld %ld", &resident, &shared), 2);
    fclose(f);
    return (resident - shared) * (sysconf(_SC_PAGESIZE) / 1024) / 1024;
}

static void
look(struct yb_heap *h)
{
    h->next = yb_deadline_in(0);
    yb_heap_settle(h);
}

static void *
use(void *which)
{
    char **mine = which;

    for (size_t i = 0; i < BLOCKS; i++) {
        mine[i] = yb_alloc(1, 200);
        memset(mine[i], 'x', 200);
    }
    return NULL;
}

static void *
give_back(void *which)
{
    char **mine = which;

    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % PIN_EVERY != PIN_EVERY - 1)
            yb_free(mine[i]);
    }
    return NULL;
}

static void
release(char **mine)
{
    for (size_t i = PIN_EVERY - 1; i < BLOCKS; i += PIN_EVERY)
        yb_free(mine[i]);
}

static void
on_threads(void *(*what)(void *which))
{
    pthread_t t[2];

    for (size_t n = 0; n < 2; n++)
        ck_assert_int_eq(pthread_create(&t[n], NULL, what, blocks[n]), 0);
    for (size_t n = 0; n < 2; n++)
        ck_assert_int_eq(pthread_join(t[n], NULL), 0);
}

static const struct {
    const char *name;
    bool look_at_start, look_in_use, no_proc;
} cases[] = {
    { "seen before and after", true, false, false },
    { "never seen before", false, false, false },
    { "seen only while all was in use", false, true, false },
    { "always seen", true, true, false },
    { "without /proc", true, true, true },
};

START_TEST(test_burst)
{
    long before, used;
    struct yb_heap h;

    yb_heap_open(&h);
    if (cases[_i].no_proc)
        yb_heap_close(&h);
    memset(blocks, 1, sizeof(blocks)); /* resident from here on */
    before = own_memory();
    for (int round = 0; round < 2; round++) {
        if (cases[_i].look_at_start)
            look(&h);
        on_threads(use);
        used = own_memory();
        ck_assert_int_gt(used, before + 100);
        if (cases[_i].look_in_use)
            look(&h);
        on_threads(give_back);
        yb_heap_settle(&h); /* it is not time yet */
        look(&h);
        ck_assert_msg(SANITIZED || own_memory() <= before + 20, "%s, round %d: %ld, %ld, %ld",
                      cases[_i].name, round, before, used, own_memory());
        release(blocks[0]);
        release(blocks[1]);
    }
    yb_heap_close(&h);
}
END_TEST

/* A little is kept, and nothing is done before its time. */
START_TEST(test_little_is_kept)
{
    struct yb_heap h;
    static char *few[40000];
    long before;

    if (SANITIZED)
        return;
    yb_heap_open(&h);
    look(&h);
    on_threads(use);
    on_threads(give_back);
    before = own_memory();
    yb_heap_settle(&h);
    ck_assert_int_ge(own_memory(), before - 1);
    look(&h);
    ck_assert_int_lt(own_memory(), before - 20);
    for (size_t i = 0; i < YB_COUNT(few); i++) {
        few[i] = yb_alloc(1, 200);
        memset(few[i], 1, 200);
    }
    for (size_t i = 0; i + 1 < YB_COUNT(few); i++)
        yb_free(few[i]);
    before = own_memory();
    look(&h);
    ck_assert_int_ge(own_memory(), before - 1);
    release(blocks[0]);
    release(blocks[1]);
    yb_free(few[YB_COUNT(few) - 1]);
    yb_heap_close(&h);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("heap");
    TCase *tc = tcase_create("heap");
    SRunner *r;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, test_burst, 0, YB_COUNT(cases));
    tcase_add_test(tc, test_little_is_kept);
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
