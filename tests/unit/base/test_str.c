/* lib/base/str: slices, comparisons, searches, numbers, UTF-8. */
#include "lib/base/str.h"

#include <check.h>
#include <stdlib.h>

/* clang-format off */
static const struct { const char *a, *b; int cmp; bool eqi, starts, starts_i, ends_i; } pairs[] = {
    /* a      b       cmp  eqi    starts starts_i ends_i */
    { "",     "",      0,  true,  true,  true,  true },
    { "a",    "",      1,  false, true,  true,  true },
    { "",     "a",    -1,  false, false, false, false },
    { "abc",  "abc",   0,  true,  true,  true,  true },
    { "abc",  "ABC",   1,  true,  false, true,  true },
    { "abc",  "ab",    1,  false, true,  true,  false },
    { "abc",  "AB",    1,  false, false, true,  false },
    { "abc",  "BC",    1,  false, false, false, true },
    { "abc",  "abd",  -1,  false, false, false, false },
    { "[",    "{",    -1,  false, false, false, false },
    { "\xc3\x9c", "\xc3\xbc", -1, false, false, false, false },
};
/* clang-format on */

START_TEST(test_pairs)
{
    struct yb_str a = yb_str_from(pairs[_i].a), b = yb_str_from(pairs[_i].b);
    int c = yb_str_cmp(a, b);

    ck_assert_int_eq((c > 0) - (c < 0), pairs[_i].cmp);
    ck_assert_int_eq(yb_str_eq(a, b), pairs[_i].cmp == 0);
    ck_assert_int_eq(yb_str_eq_secret(a, b), pairs[_i].cmp == 0);
    ck_assert_int_eq(yb_str_eqi(a, b), pairs[_i].eqi);
    ck_assert_int_eq(yb_str_starts(a, b), pairs[_i].starts);
    ck_assert_int_eq(yb_str_starts_i(a, b), pairs[_i].starts_i);
    ck_assert_int_eq(yb_str_ends_i(a, b), pairs[_i].ends_i);
}
END_TEST

START_TEST(test_nothing)
{
    struct yb_str none = yb_str_from(NULL);

    ck_assert_uint_eq(none.n, 0);
    ck_assert(yb_str_eq(none, YB_STR("")));
    ck_assert_uint_eq(yb_str_skip(none, 3).n, 0);
    ck_assert_uint_eq(yb_str_head(none, 3).n, 0);
    ck_assert_uint_eq(yb_str_find(none, 'x'), 0);
    ck_assert_uint_eq(yb_str_rfind(none, 'x'), 0);
    ck_assert_uint_eq(yb_str_find_str(none, YB_STR("x")), 0);
    ck_assert_uint_eq(yb_str_trim(none).n, 0);
    ck_assert_uint_eq(yb_str_word(&none).n, 0);
    ck_assert(yb_str_utf8(none) && yb_str_ascii(none));
    ck_assert_int_eq(yb_str_cmp(none, none), 0);
}
END_TEST

START_TEST(test_parts)
{
    struct yb_str s = YB_STR("abcabc");

    ck_assert(yb_str_eq(yb_str_skip(s, 4), YB_STR("bc")));
    ck_assert_uint_eq(yb_str_skip(s, 6).n, 0);
    ck_assert_uint_eq(yb_str_skip(s, 100).n, 0);
    ck_assert(yb_str_eq(yb_str_head(s, 2), YB_STR("ab")));
    ck_assert(yb_str_eq(yb_str_head(s, 100), s));
    ck_assert_uint_eq(yb_str_find(s, 'c'), 2);
    ck_assert_uint_eq(yb_str_rfind(s, 'c'), 5);
    ck_assert_uint_eq(yb_str_find(s, 'x'), 6);
    ck_assert_uint_eq(yb_str_rfind(s, 'x'), 6);
    ck_assert_uint_eq(yb_str_find_str(s, YB_STR("ca")), 2);
    ck_assert_uint_eq(yb_str_find_str(s, YB_STR("cb")), 6);
    ck_assert_uint_eq(yb_str_find_str(s, YB_STR("")), 0);
    ck_assert_uint_eq(yb_str_find_str(s, YB_STR("abcabcd")), 6);
    ck_assert_uint_eq(yb_str_find(YB_STR("a\0b"), '\0'), 1);
    ck_assert(yb_str_eq(yb_str_trim(YB_STR(" \t a b \t")), YB_STR("a b")));
    ck_assert_uint_eq(yb_str_trim(YB_STR(" \t ")).n, 0);
}
END_TEST

START_TEST(test_word_and_split)
{
    struct yb_str s = YB_STR("RCPT  TO:<a b>"), part;

    ck_assert(yb_str_eq(yb_str_word(&s), YB_STR("RCPT")));
    ck_assert(yb_str_eq(yb_str_word(&s), YB_STR("TO:<a")));
    ck_assert(yb_str_eq(yb_str_word(&s), YB_STR("b>")));
    ck_assert(yb_str_word(&s).n == 0 && s.n == 0);
    s = YB_STR("a,,b");
    ck_assert(yb_str_split(&s, ',', &part) && yb_str_eq(part, YB_STR("a")));
    ck_assert(yb_str_split(&s, ',', &part) && part.n == 0);
    ck_assert(yb_str_split(&s, ',', &part) && yb_str_eq(part, YB_STR("b")));
    ck_assert(!yb_str_split(&s, ',', &part) && part.p == NULL);
    s = YB_STR("");
    ck_assert(yb_str_split(&s, ',', &part) && part.n == 0 && part.p != NULL);
    ck_assert(!yb_str_split(&s, ',', &part));
    s = YB_STR("a,");
    ck_assert(yb_str_split(&s, ',', &part) && yb_str_split(&s, ',', &part) && part.n == 0);
    ck_assert(!yb_str_split(&s, ',', &part));
}
END_TEST

/* clang-format off */
static const struct { const char *in; uint64_t max; bool ok; uint64_t want; } numbers[] = {
    { "0", 10, true, 0 }, { "10", 10, true, 10 }, { "11", 10, false, 0 }, { "007", 10, true, 7 },
    { "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
    { "18446744073709551616", UINT64_MAX, false, 0 },
    { "99999999999999999999999", UINT64_MAX, false, 0 },
    { "", 10, false, 0 }, { "-1", 10, false, 0 }, { "+1", 10, false, 0 }, { " 1", 10, false, 0 },
    { "1 ", 10, false, 0 }, { "0x1", 10, false, 0 }, { "1.0", 10, false, 0 },
};
/* clang-format on */

START_TEST(test_numbers)
{
    uint64_t v = 42;

    ck_assert_int_eq(yb_str_u64(yb_str_from(numbers[_i].in), numbers[_i].max, &v), numbers[_i].ok);
    ck_assert_uint_eq(v, numbers[_i].ok ? numbers[_i].want : 42);
}
END_TEST

START_TEST(test_ascii)
{
    static const struct {
        const char *in, *want;
    } cases[] = {
        { "", "" },
        { "plain ~\t", "plain ~\t" },
        { "f\xc3\xbcr \xe5\xb1\xb1\xe7\x94\xb0 \xf0\x9f\x98\x80!", "f?r ?? ?!" },
        { "\xbc\xbc"
          "a\xc3",
          "?a?" }, /* what is no UTF-8 */
    };

    for (size_t i = 0; i < YB_COUNT(cases); i++) {
        char out[40];
        size_t n = yb_str_put_ascii(yb_str_from(cases[i].in), out);

        ck_assert(yb_str_eq(yb_str(out, n), yb_str_from(cases[i].want)));
    }
}
END_TEST

START_TEST(test_copy)
{
    char to[4];

    ck_assert(yb_str_copy(YB_STR("abc"), to, sizeof(to)));
    ck_assert_str_eq(to, "abc");
    ck_assert(!yb_str_copy(YB_STR("abcd"), to, sizeof(to)));
    ck_assert(!yb_str_copy(YB_STR("a\0b"), to, sizeof(to)));
    ck_assert(yb_str_copy(yb_str(NULL, 0), to, 1));
    ck_assert_str_eq(to, "");
}
END_TEST

/* clang-format off */
static const struct { const char *in; size_t size; bool utf8, ascii; } texts[] = {
    { "a",                1, true,  true },
    { "\x7f",             1, true,  true },
    { "\x80",             0, false, false },
    { "\xbf",             0, false, false },
    { "\xc0\x80",         0, false, false },                         /* overlong */
    { "\xc1\xbf",         0, false, false },
    { "\xc2\x80",         2, true,  false },
    { "\xdf\xbf",         2, true,  false },
    { "\xc3",             2, false, false },                         /* cut short */
    { "\xc3" "a",         0, false, false },
    { "\xe0\x9f\xbf",     0, false, false },
    { "\xe0\xa0\x80",     3, true,  false },
    { "\xe6\x97",         3, false, false },
    { "\xe6",             3, false, false },
    { "\xed\x9f\xbf",     3, true,  false },
    { "\xed\xa0\x80",     0, false, false },                         /* surrogate */
    { "\xed\xa0",         0, false, false },
    { "\xef\xbf\xbf",     3, true,  false },
    { "\xf0\x8f\xbf\xbf", 0, false, false },
    { "\xf0\x90\x80\x80", 4, true,  false },
    { "\xf4\x8f\xbf\xbf", 4, true,  false },
    { "\xf4\x90\x80\x80", 0, false, false },                         /* beyond U+10FFFF */
    { "\xf5\x80\x80\x80", 0, false, false },
    { "\xff",             0, false, false },
    { "a\xc3\xbcz",       1, true,  false },
    { "a\xc3",            1, false, false },
};
/* clang-format on */

START_TEST(test_utf8)
{
    struct yb_str s = yb_str_from(texts[_i].in);

    ck_assert_uint_eq(yb_utf8_size(s), texts[_i].size);
    ck_assert_int_eq(yb_str_utf8(s), texts[_i].utf8);
    ck_assert_int_eq(yb_str_ascii(s), texts[_i].ascii);
}
END_TEST

START_TEST(test_characters)
{
    for (int c = -128; c < 128; c++) {
        char ch = (char)c;
        bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';

        ck_assert_int_eq(yb_is_alpha(ch), upper || lower);
        ck_assert_int_eq(yb_is_digit(ch), c >= '0' && c <= '9');
        ck_assert_int_eq(yb_lower(ch), upper ? c + 32 : c);
        ck_assert_int_eq(yb_upper(ch), lower ? c - 32 : c);
    }
    ck_assert(!yb_str_ascii(YB_STR("a\0b"))); /* NUL is no ASCII text */
    ck_assert(yb_str_utf8(YB_STR("a\0b")));
}
END_TEST

/* Eight at a time says the same as one at a time, wherever the pieces begin and end. */
START_TEST(test_eight)
{
    char all[256 + 16], lower[sizeof(all)];

    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (char)(unsigned char)i;
    for (size_t at = 0; at < 256; at++) {
        for (size_t n = 0; n <= 16; n++) {
            size_t run = 0;

            memset(lower, '#', sizeof(lower));
            yb_lower_bytes(lower, all + at, n);
            for (size_t i = 0; i < n; i++)
                ck_assert_int_eq(lower[i], yb_lower(all[at + i]));
            ck_assert_int_eq(lower[n], '#');
            while (run < n && (all[at + run] & 0x80) == 0)
                run++;
            ck_assert_uint_eq(yb_ascii_run(yb_str(all + at, n)), run);
        }
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("base/str");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, test_pairs, 0, YB_COUNT(pairs));
    tcase_add_test(tc, test_nothing);
    tcase_add_test(tc, test_parts);
    tcase_add_test(tc, test_word_and_split);
    tcase_add_loop_test(tc, test_numbers, 0, YB_COUNT(numbers));
    tcase_add_test(tc, test_ascii);
    tcase_add_test(tc, test_copy);
    tcase_add_loop_test(tc, test_utf8, 0, YB_COUNT(texts));
    tcase_add_test(tc, test_characters);
    tcase_add_test(tc, test_eight);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
