/* imapd/utf7, imapd/match, imapd/set: mailbox names, patterns, sets. */
#include "imapd/match.h"
#include "imapd/set.h"
#include "imapd/utf7.h"

#include <check.h>
#include <stdlib.h>

/* clang-format off */
static const struct { const char *wire, *utf8; } names[] = {
    { "INBOX", "INBOX" }, { "", "" }, { "a&-b", "a&b" }, { "&-&-", "&&" },
    { "Entw&APw-rfe", "Entw\xc3\xbcrfe" },
    { "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
      "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" },
    { "&2D3eAA-", "\xf0\x9f\x98\x80" },                 /* a surrogate pair */
    { "&AOkA6A-", "\xc3\xa9\xc3\xa8" }, { "&AAk-", "\t" },
    /* what no encoder writes */
    { "&", NULL }, { "a&b", NULL }, { "&AOk", NULL }, { "&AOk-&AOg-", NULL },
    { "&AGE-", NULL },                                  /* an ASCII letter in a shift */
    { "&2D0-", NULL }, { "&3gA-", NULL }, { "&2D0AYQ-", NULL }, /* lone surrogates */
    { "&AOl-", NULL },                                  /* spare bits */
    { "&AOkA-", NULL }, { "&A-", NULL }, { "&AO/-", NULL }, { "&AOk=-", NULL },
    { "caf\xc3\xa9", NULL }, { "a\tb", NULL }, { "a\x7f", NULL },
};
/* clang-format on */

START_TEST(test_utf7)
{
    struct yb_arena *a = yb_arena_new(1024);
    struct yb_str wire = yb_str_from(names[_i].wire), out = { 0 };
    bool ok = imapd_utf7_decode(wire, a, &out);

    ck_assert_msg(ok == (names[_i].utf8 != NULL), "%s", names[_i].wire);
    if (ok) {
        ck_assert_msg(yb_str_eq(out, yb_str_from(names[_i].utf8)), "%s", names[_i].wire);
        ck_assert(yb_str_eq(imapd_utf7_encode(out, a), wire));
    }
    yb_arena_free(&a);
}
END_TEST

/* clang-format off */
static const struct { const char *pattern, *name; bool matches; } patterns[] = {
    { "*", "INBOX", true }, { "*", "a/b/c", true }, { "%", "a", true }, { "%", "a/b", false },
    { "%/%", "a/b", true }, { "a/%", "a/b", true }, { "a/%", "a", false }, { "a/%", "a/b/c", false },
    { "a*", "a", true }, { "a*c", "a/b/c", true }, { "*b*", "a/b/c", true }, { "*x*", "a/b/c", false },
    { "%c", "abc", true }, { "%b%", "abc", true }, { "a%c", "a/c", false }, { "", "", true },
    { "", "a", false }, { "abc", "ab", false }, { "ab", "abc", false },
    { "inbox", "INBOX", true }, { "InBoX/*", "INBOX/Sub", true }, { "inbox/sub", "INBOX/Sub", false },
    { "inbox2", "INBOX2", false }, { "A", "a", false },
    { "*%*%*%*%*%*%*%*%*%*%*%*%*x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
};
/* clang-format on */

START_TEST(test_match)
{
    ck_assert_msg(imapd_match(yb_str_from(patterns[_i].pattern), yb_str_from(patterns[_i].name)) ==
                      patterns[_i].matches,
                  "%s %s", patterns[_i].pattern, patterns[_i].name);
}
END_TEST

START_TEST(test_set)
{
    struct imapd_range v[] = {
        { 9, IMAPD_STAR }, { 5, 3 }, { 1, 1 }, { 2, 2 }, { 4, 6 }, { 12, 12 }
    };
    struct imapd_set s = { v, YB_COUNT(v) };

    ck_assert_uint_eq(imapd_set_largest(&s), 12);
    imapd_set_resolve(&s, 10);
    ck_assert_uint_eq(s.n, 3); /* 1:6, 9:10, 12 */
    ck_assert_uint_eq(s.v[0].lo, 1);
    ck_assert_uint_eq(s.v[0].hi, 6);
    ck_assert_uint_eq(s.v[1].lo, 9);
    ck_assert_uint_eq(s.v[1].hi, 10);
    for (uint32_t i = 0; i < 15; i++)
        ck_assert_msg(imapd_set_has(&s, i) == ((i >= 1 && i <= 6) || i == 9 || i == 10 || i == 12),
                      "%u", i);
}
END_TEST

/* '*' may be less than what stands beside it (RFC 3501 §9, seq-range). */
START_TEST(test_set_star_low)
{
    struct imapd_range v[] = { { 559, IMAPD_STAR } };
    struct imapd_set s = { v, 1 };

    imapd_set_resolve(&s, 500);
    ck_assert(imapd_set_has(&s, 500) && imapd_set_has(&s, 559) && !imapd_set_has(&s, 499));
}
END_TEST

START_TEST(test_set_writer)
{
    static const uint32_t numbers[] = { 1, 2, 3, 7, 9, 10, UINT32_MAX };
    struct yb_buf *b = yb_buf_new(100);
    struct imapd_set_writer w = { .out = b };

    imapd_set_end(&w);
    ck_assert_uint_eq(yb_buf_size(b), 0);
    for (size_t i = 0; i < YB_COUNT(numbers); i++)
        imapd_set_add(&w, numbers[i]);
    imapd_set_end(&w);
    ck_assert(yb_str_eq(yb_buf_view(b), YB_STR("1:3,7,9:10,4294967295")));
    yb_buf_free(&b);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("imapd/names");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, test_utf7, 0, YB_COUNT(names));
    tcase_add_loop_test(tc, test_match, 0, YB_COUNT(patterns));
    tcase_add_test(tc, test_set);
    tcase_add_test(tc, test_set_star_low);
    tcase_add_test(tc, test_set_writer);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
