/* Words that a name is found by. */
#include "lib/mime/terms.h"

#include <check.h>
#include <stdlib.h>

static struct yb_arena *arena;

static void
setup(void)
{
    arena = yb_arena_new(4096);
}

static void
teardown(void)
{
    yb_arena_free(&arena);
}

static struct yb_str
joined(const struct yb_terms *t)
{
    struct yb_str all = { "", 0 };

    for (size_t i = 0; i < t->n; i++)
        all = yb_arena_printf(arena, "%.*s%s%.*s", YB_STR_ARG(all), i == 0 ? "" : "|",
                              YB_STR_ARG(t->v[i]));
    return all;
}

static const struct {
    const char *text, *words, *wanted; /* wanted NULL: as words */
} cases[] = {
    { "", "", NULL },
    { "Jane Doe", "jane|doe", NULL },
    { "jane.van-der_doe+lists", "jane|van|der|doe|lists", NULL },
    { "O'Brien (Sales)", "o|brien|sales", NULL },
    { "doe DOE Doe", "doe", NULL },
    { "Straße", "strasse", NULL },
    { "\xef\xac\x81n Ⅳ", "fin|iv", NULL }, /* a ligature, a numeral of one character */
    { "e\xcc\x81t\xc3\xa9", "\xc3\xa9t\xc3\xa9", NULL }, /* composed and not */
    { "山田 太郎", "山田|田|太郎|郎", "山田|太郎" },
    { "ヤマダ", "やまだ|まだ|だ", "やまだ" },
    { "ﾔﾏﾀﾞ", "やまだ|まだ|だ", "やまだ" }, /* half-width */
    { "Studio青山2", "studio|青山|山|2", "studio|青山|2" },
    { "김철수", "김철수|철수|수", "김철수" },
    { "漢漢漢漢漢漢漢漢漢漢漢漢字", /* a word has 12 characters of a run */
      "漢漢漢漢漢漢漢漢漢漢漢漢|漢漢漢漢漢漢漢漢漢漢漢字|漢漢漢漢漢漢漢漢漢漢字|"
      "漢漢漢漢漢漢漢漢漢字|"
      "漢漢漢漢漢漢漢漢字|漢漢漢漢漢漢漢字|漢漢漢漢漢漢字|漢漢漢漢漢字|漢漢漢漢字|漢漢漢字|漢漢字|"
      "漢字|字",
      "漢漢漢漢漢漢漢漢漢漢漢漢" },
    { "\xff jane", "", NULL },
    { "🙂 jane 🙂", "jane", NULL },
};

START_TEST(test_words)
{
    struct yb_terms t = { .n = 0 }, w = { .n = 0 };

    yb_terms_add(&t, yb_str_from(cases[_i].text), arena);
    ck_assert_str_eq(joined(&t).p, cases[_i].words);
    yb_terms_wanted(&w, yb_str_from(cases[_i].text), arena);
    ck_assert_str_eq(joined(&w).p, cases[_i].wanted == NULL ? cases[_i].words : cases[_i].wanted);
}
END_TEST

/* What strangers write is bounded: words, their octets, and how much is looked at. */
START_TEST(test_bounds)
{
    struct yb_terms t = { .n = 0 };
    char text[5000];

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 4 == 3 ? ' ' : (char)('a' + (i % 4 == 1 ? i / 104 : i / 4) % 26);
    yb_terms_add(&t, yb_str(text, sizeof(text)), arena);
    ck_assert_uint_eq(t.n, YB_TERMS_MOST);
    t.n = 0;
    memset(text, 'x', sizeof(text));
    yb_terms_add(&t, yb_str(text, sizeof(text)), arena);
    ck_assert_uint_eq(t.n, 1);
    ck_assert_uint_eq(t.v[0].n, YB_TERM_OCTETS);
    t.n = 0;
    for (size_t i = 0; i + 3 <= sizeof(text);
         i += 3) /* é and x: cut inside é neither here nor there */
        memcpy(text + i, "\xc3\xa9x", 3);
    yb_terms_add(&t, yb_str(text, sizeof(text) - 2), arena);
    ck_assert_uint_eq(t.n, 1);
    ck_assert(yb_str_utf8(t.v[0]) && t.v[0].n <= YB_TERM_OCTETS);
}
END_TEST

START_TEST(test_behind)
{
    static const char *const within[] = { "ann", "anna", "ann\xc3\xa9", "ann\xf4\x8f\xbf\xbe" };
    struct yb_str behind = yb_terms_behind(YB_STR("ann"), arena);

    for (size_t i = 0; i < YB_COUNT(within); i++)
        ck_assert_int_lt(yb_str_cmp(yb_str_from(within[i]), behind), 0);
    ck_assert_int_gt(yb_str_cmp(YB_STR("ano"), behind), 0);
    ck_assert(yb_str_utf8(behind));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("terms");
    TCase *tc = tcase_create("terms");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_words, 0, YB_COUNT(cases));
    tcase_add_test(tc, test_bounds);
    tcase_add_test(tc, test_behind);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
