/* What is remembered of mailboxes that refused, for how long, and of how many. */
#include "lib/receive/refused.h"

#include <check.h>
#include <stdlib.h>

static enum yb_refused_verdict
look(struct yb_refused *r, struct yb_account_id a, uint64_t octets, int64_t now)
{
    struct yb_err why = { 0 };
    enum yb_refused_verdict v = yb_refused_look(r, a, &octets, &why, now);

    ck_assert((v == YB_REFUSED_NOTHING) == (why.class == YB_OK));
    return v;
}

static void
note(struct yb_refused *r, struct yb_account_id a, uint64_t octets, bool late,
     enum yb_err_kind kind, int64_t now)
{
    struct yb_err why;

    yb_err_as(&why, kind, YB_TEMP, "4.2.0", "No");
    yb_refused_note(r, a, octets, late, &why, now);
}

/* For want of room it is the size that counts. */
START_TEST(test_sizes)
{
    static const struct {
        uint64_t octets;
        bool refused;
    } cases[] = { { 100000, true }, { 100001, true },        { UINT64_MAX, true },
                  { 0, true },      { 100000 - 4096, true }, { 100000 - 4097, false },
                  { 1, false } };
    struct yb_refused *r = yb_refused_new(1200);
    struct yb_account_id a = yb_account_id_new(), b = a;
    struct yb_err why;
    uint64_t octets = 0;

    b.v[15] ^= 1; /* the same slot */
    ck_assert(look(r, a, 0, 50) == YB_REFUSED_NOTHING);
    note(r, a, 200000, true, YB_ERR_FULL, 50);
    note(r, a, 100000, false, YB_ERR_FULL, 60);
    note(r, a, 150000, true, YB_ERR_FULL, 70);
    for (size_t i = 0; i < YB_COUNT(cases); i++)
        ck_assert_msg((look(r, a, cases[i].octets, 80) == YB_REFUSED_ASK) == cases[i].refused,
                      "%zu", i);
    ck_assert(yb_refused_look(r, a, &octets, &why, 80) == YB_REFUSED_ASK && octets == 100000);
    ck_assert(why.kind == YB_ERR_FULL && strcmp(why.text, "No") == 0);
    ck_assert(look(r, b, 0, 80) == YB_REFUSED_NOTHING);
    /* It ends by itself, and begins anew. */
    ck_assert(look(r, a, 0, 1269) == YB_REFUSED_ASK && look(r, a, 0, 1270) == YB_REFUSED_NOTHING);
    note(r, a, 300000, false, YB_ERR_FULL, 1270);
    ck_assert(look(r, a, 200000, 1271) == YB_REFUSED_NOTHING);
    ck_assert(look(r, a, 300000, 1271) == YB_REFUSED_ASK);
    /* Another one of its slot takes it over. */
    note(r, b, 5, false, YB_ERR_FULL, 1271);
    ck_assert(look(r, a, 0, 1272) == YB_REFUSED_NOTHING && look(r, b, 5, 1272) == YB_REFUSED_ASK);
    yb_refused_forget(r, a); /* not this one's */
    ck_assert(look(r, b, 5, 1272) == YB_REFUSED_ASK);
    yb_refused_forget(r, b);
    ck_assert(look(r, b, 5, 1272) == YB_REFUSED_NOTHING);
    yb_refused_free(&r);
    yb_refused_free(&r);
}
END_TEST

/* Whatever else it was stands against every size; what cannot be asked about lasts longer each time. */
START_TEST(test_broken)
{
    struct yb_refused *r = yb_refused_new(1200);
    struct yb_account_id a = yb_account_id_new();
    static const int64_t lasts[] = { 200, 400, 800, 1200, 1200 };
    int64_t now = 10;

    note(r, a, 5000, false, YB_ERR_OTHER, now);
    ck_assert(look(r, a, 1, now) == YB_REFUSED_ASK && look(r, a, 0, now + 1199) == YB_REFUSED_ASK);
    now += 1200;
    ck_assert(look(r, a, 1, now) == YB_REFUSED_NOTHING);
    for (size_t i = 0; i < YB_COUNT(lasts); i++) {
        note(r, a, 5000, true, YB_ERR_OTHER, now);
        ck_assert(look(r, a, 1, now + lasts[i] - 1) == YB_REFUSED_STANDS);
        now += lasts[i];
        ck_assert(look(r, a, 1, now) == YB_REFUSED_NOTHING);
        now += 50;
    }
    /* After a quiet time it is another trouble. */
    now += 1200;
    note(r, a, 5000, true, YB_ERR_OTHER, now);
    ck_assert(look(r, a, 1, now + 199) == YB_REFUSED_STANDS);
    ck_assert(look(r, a, 1, now + 200) == YB_REFUSED_NOTHING);
    yb_refused_free(&r);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("receive/refused");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, test_sizes);
    tcase_add_test(tc, test_broken);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
