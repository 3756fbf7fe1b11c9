/* Shares of a worker's time, told by counting jobs in a made-up time. */
#include "lib/net/fair.h"

#include "tests/unit/net/kit.h"

#include <stdlib.h>

#define KEYS 3000

static struct yb_fairs fairs;

static void
setup(void)
{
    memset(&fairs, 0, sizeof(fairs));
    fairs.workers = 1;
}

static void
teardown(void)
{
    yb_fairs_release(&fairs);
}

static void
push(struct yb_job *job, uint64_t key)
{
    job->key = key;
    yb_fairs_push(&fairs, job);
}

/* One worker, one job: whose it was. Key k takes us[k]. */
static struct yb_job *
work(const int64_t *us)
{
    struct yb_turn turn;
    struct yb_job *job = yb_fairs_take(&fairs, 0, &turn);
    int64_t spent;

    ck_assert_ptr_nonnull(job);
    spent = us[job->key];
    yb_fairs_ended(&fairs, &turn, spent);
    return job;
}

/* Three keys with one job each, which comes again when another's was done meanwhile: none of them
 * loses its debt by the moment in which it asks for nothing. */
START_TEST(test_debt_is_not_escaped)
{
    static const int64_t us[] = { 0, 5000, 50, 50 };
    struct yb_job jobs[4], *before = &jobs[3];
    int ran[4] = { 0, 0, 0, 0 };

    before->key = 3;
    push(&jobs[1], 1);
    push(&jobs[2], 2);
    while (ran[2] < 1000) {
        struct yb_job *job = work(us);

        ran[job->key]++;
        push(before, before->key);
        before = job;
    }
    ck_assert_int_ge(ran[3], 990);
    ck_assert_int_ge(ran[1], 15); /* of 100 of the others together, one */
    ck_assert_int_le(ran[1], 25);
}
END_TEST

/* Who asked for nothing has saved nothing: no run of his jobs afterwards, even if one of them is
 * still at work. */
START_TEST(test_no_credit)
{
    static const int64_t us[] = { 0, 100, 100 };
    struct yb_job a[2], b[40];
    struct yb_turn long_one;
    int seen[3] = { 0, 0, 0 };

    fairs.workers = 4;
    push(&b[0], 2);
    ck_assert_ptr_eq(yb_fairs_take(&fairs, 0, &long_one), &b[0]);
    push(&a[0], 1);
    push(&a[1], 1);
    for (int n = 0; n < 1000; n++)
        push(work(us), 1);
    for (int n = 0; n < 40; n++)
        push(&b[n], 2);
    for (int n = 0; n < 20; n++) {
        struct yb_job *job = work(us);

        seen[job->key]++;
        if (job->key == 1)
            push(job, 1);
    }
    ck_assert_int_ge(seen[1], 9);
    ck_assert_int_le(seen[1], 11);
}
END_TEST

/* A key in deep debt comes all the same, though a key never seen before comes with each job. */
START_TEST(test_nobody_starves)
{
    static const int64_t us[] = { 0, 1000000000, 5000 };
    static struct yb_job stranger[8000];
    struct yb_job a;
    int n = 0;

    push(&a, 1);
    push(&stranger[n++], 100);
    ck_assert_ptr_eq(work(us), &a); /* it took longer than any debt may be */
    push(&a, 1);
    for (;;) {
        struct yb_turn turn;
        struct yb_job *job = yb_fairs_take(&fairs, 0, &turn);

        if (job == &a)
            break;
        ck_assert_int_lt(n, 8000);
        push(&stranger[n], 100 + (uint64_t)n);
        n++;
        yb_fairs_ended(&fairs, &turn, us[2]);
    }
    /* 10 s of debt at half of the worker, and no sooner. */
    ck_assert_int_ge(n, 3000);
}
END_TEST

/* When nothing is left waiting, what was used before does not count any more. */
START_TEST(test_idle_forgets)
{
    static const int64_t us[] = { 0, 1000000, 10 };
    struct yb_job a, b[2];

    push(&a, 1);
    push(&b[0], 2);
    ck_assert_ptr_eq(work(us), &a);
    ck_assert_ptr_eq(work(us), &b[0]);
    yb_fairs_idle(&fairs);
    push(&a, 1);
    push(&b[0], 2);
    push(&b[1], 2);
    ck_assert_ptr_eq(work(us), &a); /* first come */
    ck_assert_ptr_eq(work(us), &b[0]);
}
END_TEST

/* What a job is expected to take is charged while it runs: once it is known for long jobs, a key
 * does not get one worker after the other because none of them is over yet. */
START_TEST(test_charged_at_once)
{
    static const int64_t us[] = { 0, 5000, 50 };
    struct yb_turn turn;
    struct yb_job a[20], b[100], *taken[2];

    fairs.workers = 100;
    push(&a[0], 1);
    push(&b[0], 2);
    work(us);
    work(us);
    yb_fairs_idle(&fairs);
    for (int n = 0; n < 20; n++)
        push(&a[n], 1);
    for (int n = 0; n < 100; n++)
        push(&b[n], 2);
    for (int n = 0; n < 2; n++)
        taken[n] = yb_fairs_take(&fairs, 0, &turn);
    ck_assert_ptr_eq(taken[0], &a[0]);
    ck_assert_ptr_eq(taken[1], &b[0]);
    for (int n = 1; n < 40; n++)
        ck_assert_ptr_eq(yb_fairs_take(&fairs, 0, &turn), &b[n]);
}
END_TEST

/* Keys that have half of the workers are passed over, and the others keep their order. */
START_TEST(test_full_keys_are_passed)
{
    struct yb_job job[KEYS], *taken;
    struct yb_turn turn[4], other;

    fairs.workers = 5; /* half: 2 */
    for (uint64_t n = 0; n < 8; n++)
        push(&job[n], n % 2);
    for (int n = 0; n < 4; n++)
        ck_assert_ptr_nonnull(yb_fairs_take(&fairs, 0, &turn[n]));
    ck_assert(!yb_fairs_ready(&fairs, 0));
    fairs.now = 100; /* the two were charged less than the others begin with */
    for (uint64_t n = 8; n < KEYS; n++)
        push(&job[n], n);
    for (uint64_t n = 8; n < KEYS; n++) {
        taken = yb_fairs_take(&fairs, 0, &other);
        ck_assert_ptr_eq(taken, &job[n]); /* first come */
        yb_fairs_ended(&fairs, &other, 1);
    }
    ck_assert(!yb_fairs_ready(&fairs, 0));
    yb_fairs_ended(&fairs, &turn[0], 5);
    ck_assert(yb_fairs_ready(&fairs, 0));
}
END_TEST

/* Thousands of keys with jobs of any length, on many workers: in the end all had the same time. */
START_TEST(test_many_keys)
{
    struct yb_job *jobs = yb_alloc((size_t)KEYS * 2, sizeof(*jobs));
    int64_t *got = yb_alloc(KEYS, sizeof(*got)), least = INT64_MAX, most = 0;
    struct yb_turn turn[16];
    struct yb_job *job[16];
    unsigned seed = 3;

    fairs.workers = 16;
    for (size_t n = 0; n < (size_t)KEYS * 2; n++)
        push(&jobs[n], n % KEYS);
    for (int n = 0; n < 16; n++)
        job[n] = yb_fairs_take(&fairs, 0, &turn[n]);
    for (int n = 0; n < KEYS * 60; n++) {
        int w = rand_r(&seed) % 16;
        int64_t us = 1 + (int64_t)(job[w]->key % 10) * 100 + rand_r(&seed) % 50;

        got[job[w]->key] += us;
        push(job[w], job[w]->key);
        yb_fairs_ended(&fairs, &turn[w], us);
        job[w] = yb_fairs_take(&fairs, 0, &turn[w]);
        ck_assert_ptr_nonnull(job[w]);
    }
    for (size_t n = 0; n < KEYS; n++) {
        least = got[n] < least ? got[n] : least;
        most = got[n] > most ? got[n] : most;
    }
    ck_assert_int_le(most - least, 3 * 1000); /* about a long job of two */
    yb_free(got);
    yb_free(jobs);
}
END_TEST

/* Keys that were used once do not stay. */
START_TEST(test_keys_are_forgotten)
{
    static const int64_t us[] = { 0, 10 };
    struct yb_job job;
    size_t n = 0;

    for (uint64_t key = 0; key < KEYS; key++) {
        struct yb_turn turn;

        push(&job, key);
        ck_assert_ptr_eq(yb_fairs_take(&fairs, 0, &turn), &job);
        yb_fairs_ended(&fairs, &turn, 10);
    }
    push(&job, 1);
    work(us);
    for (size_t k = 0; k < YB_FAIR_BUCKETS; k++)
        n += fairs.buckets[k] != NULL;
    ck_assert_uint_le(n, 2);
}
END_TEST

static void
tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_debt_is_not_escaped);
    tcase_add_test(tc, test_no_credit);
    tcase_add_test(tc, test_nobody_starves);
    tcase_add_test(tc, test_idle_forgets);
    tcase_add_test(tc, test_charged_at_once);
    tcase_add_test(tc, test_full_keys_are_passed);
    tcase_add_test(tc, test_many_keys);
    tcase_add_test(tc, test_keys_are_forgotten);
}

int
main(void)
{
    return kit_main("fair", tests, NULL, NULL);
}
