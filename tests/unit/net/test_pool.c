/* Workers: turns, shares of workers and of their time, the reserve; nothing is left lying. */
#include "lib/net/pool.h"

#include "lib/base/clock.h"
#include "tests/unit/net/kit.h"

#include <poll.h>
#include <stdlib.h>

struct job {
    struct yb_job job;
    atomic_int *running; /* while it runs, until `go` */
    atomic_int *go;
    atomic_int *done;
    int again; /* pushes itself so often */
    struct yb_pool *pool;
    int *order, mark;
    atomic_int *n_order;
    int64_t takes_us;
};

/* A clock that only jobs move. */
static _Atomic int64_t now_us;

static int64_t
fake_clock(void)
{
    return atomic_load(&now_us);
}

static void
run(struct yb_job *j, void *worker YB_UNUSED)
{
    struct job *job = YB_CONTAINER(j, struct job, job);
    int ticket = job->running == NULL ? 0 : atomic_fetch_add(job->running, 1);

    while (job->go != NULL && atomic_load(job->go) <= ticket)
        poll(NULL, 0, 1);
    if (job->order != NULL)
        job->order[atomic_fetch_add(job->n_order, 1)] = job->mark;
    atomic_fetch_add(&now_us, job->takes_us);
    if (job->again > 0) {
        job->again--;
        yb_pool_push(job->pool, j);
        return;
    }
    atomic_fetch_add(job->done, 1);
}

static struct yb_pool *
pool_of(unsigned workers)
{
    struct yb_pool *p =
        yb_pool_new(&(struct yb_pool_conf){ .workers = workers, .clock_us = fake_clock });
    struct yb_err err;

    ck_assert_int_eq(yb_pool_start(p, &err), 0);
    return p;
}

START_TEST(test_everything_runs)
{
    struct yb_pool *p = pool_of(4);
    struct job *jobs = yb_alloc(500, sizeof(*jobs));
    atomic_int done = 0;
    size_t running, waiting;

    for (int n = 0; n < 500; n++) {
        jobs[n] = (struct job){
            .job = { .key = (uint64_t)(n % 7), .run = run }, .done = &done, .again = 20, .pool = p
        };
        yb_pool_push(p, &jobs[n].job);
    }
    kit_await(&done, 500);
    yb_pool_drain(p, 10000);
    yb_pool_counts(p, &running, &waiting);
    ck_assert_uint_eq(running + waiting, 0);
    yb_pool_stop(p);
    yb_pool_free(&p);
    yb_free(jobs);
}
END_TEST

/* A key never has all workers, and no more than half once somebody else waits. */
START_TEST(test_shares)
{
    struct yb_pool *p = pool_of(8);
    atomic_int a_running = 0, a_go = 0, b_running = 0, b_go = 0, done = 0;
    struct job a[20], b[20];

    for (int n = 0; n < 20; n++) {
        a[n] = (struct job){
            .job = { .key = 1, .run = run }, .running = &a_running, .go = &a_go, .done = &done
        };
        b[n] = (struct job){
            .job = { .key = 2, .run = run }, .running = &b_running, .go = &b_go, .done = &done
        };
        yb_pool_push(p, &a[n].job);
    }
    kit_await(&a_running, 7);
    for (int n = 0; n < 20; n++)
        yb_pool_push(p, &b[n].job);
    kit_await(&b_running, 1); /* by the one that was kept free */
    ck_assert_int_eq(atomic_load(&a_running), 7);
    /* Each worker that `a` gives back goes to `b`, until both have half. */
    for (int n = 1; n <= 3; n++) {
        atomic_store(&a_go, n);
        kit_await(&b_running, 1 + n);
        ck_assert_int_eq(atomic_load(&a_running), 7);
    }
    atomic_store(&a_go, 4);
    kit_await(&a_running, 8);
    ck_assert_int_eq(atomic_load(&b_running), 4);
    atomic_store(&a_go, 20);
    atomic_store(&b_go, 20);
    kit_await(&done, 40);
    yb_pool_stop(p);
    yb_pool_free(&p);
}
END_TEST

/* Keys whose jobs take as long take turns, however many jobs one of them has queued. */
START_TEST(test_turns)
{
    struct yb_pool *p = pool_of(1);
    atomic_int running = 0, go = 0, done = 0, n_order = 0;
    int order[60];
    struct job first = {
        .job = { .key = 9, .run = run }, .running = &running, .go = &go, .done = &done
    };
    struct job jobs[60];

    yb_pool_push(p, &first.job);
    kit_await(&running, 1);
    for (int n = 0; n < 60; n++) {
        int key = n < 50 ? 1 : 2;

        jobs[n] = (struct job){ .job = { .key = (uint64_t)key, .run = run },
                                .done = &done,
                                .order = order,
                                .mark = key,
                                .n_order = &n_order };
        yb_pool_push(p, &jobs[n].job);
    }
    ck_assert(yb_pool_pressed(p));
    atomic_store(&go, 1);
    kit_await(&done, 61);
    for (int n = 0; n < 20; n++)
        ck_assert_int_eq(order[n], n % 2 == 0 ? 1 : 2);
    ck_assert(!yb_pool_pressed(p));
    yb_pool_stop(p);
    yb_pool_free(&p);
}
END_TEST

/* A worker's time is shared, not its turns: of 5 ms and 50 µs a job, one against a hundred. */
START_TEST(test_time)
{
    struct yb_pool *p = pool_of(1);
    atomic_int running = 0, go = 0, done = 0, n_order = 0;
    int order[4000], seen[3] = { 0, 0, 0 };
    struct job first = {
        .job = { .key = 9, .run = run }, .running = &running, .go = &go, .done = &done
    };
    struct job jobs[40];

    yb_pool_push(p, &first.job);
    kit_await(&running, 1);
    for (int n = 0; n < 40; n++) {
        int key = n < 30 ? 1 : 2; /* 30 long ones come first, each 20 times */

        jobs[n] = (struct job){ .job = { .key = (uint64_t)key, .run = run },
                                .done = &done,
                                .again = key == 1 ? 19 : 199,
                                .takes_us = key == 1 ? 5000 : 50,
                                .pool = p,
                                .order = order,
                                .mark = key,
                                .n_order = &n_order };
        yb_pool_push(p, &jobs[n].job);
    }
    atomic_store(&go, 1);
    kit_await(&done, 41);
    ck_assert_int_eq(n_order, 30 * 20 + 10 * 200);
    for (int n = 0; seen[2] < 2000; n++) {
        seen[order[n]]++;
        ck_assert_int_le(abs(seen[2] - 100 * seen[1]),
                         202); /* a job of the long ones, and one more */
    }
    yb_pool_stop(p);
    yb_pool_free(&p);
}
END_TEST

START_TEST(test_stop_with_jobs_left)
{
    struct yb_pool *p = yb_pool_new(&(struct yb_pool_conf){ .workers = 2 });
    atomic_int done = 0;
    struct job job = { .job = { .run = run }, .done = &done };

    yb_pool_push(p, &job.job); /* never started */
    yb_pool_drain(p, 10);
    yb_pool_stop(p);
    yb_pool_free(&p);
    ck_assert_ptr_null(p);
    ck_assert_int_eq(done, 0);
}
END_TEST

static void
tests(TCase *tc)
{
    tcase_add_test(tc, test_everything_runs);
    tcase_add_test(tc, test_shares);
    tcase_add_test(tc, test_turns);
    tcase_add_test(tc, test_time);
    tcase_add_test(tc, test_stop_with_jobs_left);
}

int
main(void)
{
    return kit_main("pool", tests, NULL, NULL);
}
