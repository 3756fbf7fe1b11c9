/*
 * The cost of an input is counted, and one over the bound ends the run: with parsers that are
 * quadratic, each in another way, at a size where each of them is still quick. The stretch pass
 * finds them from a seed that shows nothing.
 */
#include "fuzz/cost.h"
#include "fuzz/stretch.h"
#include "tests/unit/fuzz/parsers.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE 8192

const struct cost_bound cost_bounds[] = {
    { "test_cost", 4096, SIZE, 4096, 20, 4096, 20 },
    { NULL, 0, 0, 0, 0, 0, 0 },
};

/* Which need the build that counts steps, and which every build finds. */
static const enum parser with_steps[] = { BY_LOOP, BY_SEARCH, BY_COPY };

static void
run_commas(enum parser parser, size_t size)
{
    uint8_t *data = yb_alloc(size, 1);

    memset(data, ',', size);
    data[0] = (uint8_t)parser;
    LLVMFuzzerTestOneInput(data, size);
    yb_free(data);
}

START_TEST(test_linear)
{
    run_commas(LINEAR, 16 * SIZE);
    ck_assert_uint_eq(cost_last().octets, 0);
    ck_assert(cost_counts_steps() == (cost_last().steps >= 16 * SIZE));
}
END_TEST

START_TEST(test_small)
{
    run_commas(BY_LOOP, 16);
    run_commas(BY_SEARCH, 16);
    run_commas(BY_COPY, 16);
    ck_assert_uint_eq(cost_last().octets, 16);
    run_commas(BY_GROWTH, 16);
    ck_assert_uint_eq(cost_last().octets, sizeof(size_t) * 15 * 16 / 2);
}
END_TEST

START_TEST(test_quadratic_steps)
{
    run_commas(with_steps[_i], SIZE);
}
END_TEST

START_TEST(test_quadratic_memory)
{
    run_commas(BY_GROWTH, SIZE);
}
END_TEST

/* The seed's folder, to be removed by who made it. */
static void
seed_make(char folder[64], char path[80], enum parser parser)
{
    const char seed[] = { (char)parser, 'a', ',', ' ', 'b', '\n' };
    int fd;

    snprintf(folder, 64, "/tmp/yb-cost-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, 80, "%s/seed", folder);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    ck_assert(write(fd, seed, sizeof(seed)) == (ssize_t)sizeof(seed));
    close(fd);
}

static void
stretch_told(enum parser parser, bool is_told)
{
    char folder[64], path[80];
    int rc;

    seed_make(folder, path, parser);
    cost_tell_only();
    rc = stretch_folder(folder);
    unlink(path);
    rmdir(folder);
    ck_assert_int_eq(rc, is_told ? -1 : 0);
    ck_assert((cost_told() > 0) == is_told);
}

START_TEST(test_stretch_linear)
{
    stretch_told(LINEAR, false);
}
END_TEST

START_TEST(test_stretch_memory)
{
    stretch_told(BY_GROWTH, true);
}
END_TEST

START_TEST(test_stretch_steps)
{
    stretch_told(with_steps[_i], true);
}
END_TEST

START_TEST(test_stretch_without_seeds)
{
    ck_assert_int_eq(stretch_folder("/nonexistent"), -1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("fuzz/cost");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, test_linear);
    tcase_add_test(tc, test_small);
    tcase_add_test_raise_signal(tc, test_quadratic_memory, SIGABRT);
    tcase_add_test(tc, test_stretch_linear);
    tcase_add_test(tc, test_stretch_memory);
    tcase_add_test(tc, test_stretch_without_seeds);
    if (cost_counts_steps()) {
        tcase_add_loop_test_raise_signal(tc, test_quadratic_steps, SIGABRT, 0,
                                         YB_COUNT(with_steps));
        tcase_add_loop_test(tc, test_stretch_steps, 0, YB_COUNT(with_steps));
    }
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
