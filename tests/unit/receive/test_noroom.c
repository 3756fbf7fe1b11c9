/* What is remembered of mailboxes without room, for how long, and of how many. */
#include "lib/receive/noroom.h"

#include <check.h>
#include <stdlib.h>

START_TEST(test_sizes)
{
    static const struct {
        uint64_t octets;
        bool refused;
    } cases[] = { { 100000, true }, { 100001, true },        { UINT64_MAX, true },
                  { 0, true },      { 100000 - 4096, true }, { 100000 - 4097, false },
                  { 1, false } };
    struct yb_noroom *n = yb_noroom_new(1000);
    struct yb_account_id a = yb_account_id_new(), b = a;

    b.v[15] ^= 1; /* the same slot */
    ck_assert(!yb_noroom_for(n, a, 0, 50));
    yb_noroom_note(n, a, 200000, 50);
    yb_noroom_note(n, a, 100000, 60);
    yb_noroom_note(n, a, 150000, 70);
    for (size_t i = 0; i < YB_COUNT(cases); i++)
        ck_assert_msg(yb_noroom_for(n, a, cases[i].octets, 80) == cases[i].refused, "%zu", i);
    ck_assert(!yb_noroom_for(n, b, 0, 80));
    /* It ends by itself, and begins anew. */
    ck_assert(yb_noroom_for(n, a, 0, 1069) && !yb_noroom_for(n, a, 0, 1070));
    yb_noroom_note(n, a, 300000, 1070);
    ck_assert(!yb_noroom_for(n, a, 200000, 1071) && yb_noroom_for(n, a, 300000, 1071));
    /* Another one of its slot takes it over. */
    yb_noroom_note(n, b, 5, 1071);
    ck_assert(!yb_noroom_for(n, a, 0, 1072) && yb_noroom_for(n, b, 5, 1072));
    yb_noroom_free(&n);
    yb_noroom_free(&n);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("smtp/noroom");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, test_sizes);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
