/* lib/mime/date: RFC 5322 dates, IMAP's internal and search dates. */
#include "lib/mime/date.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

#define BAD INT64_MIN

/* clang-format off */
static const struct { const char *in; int64_t utc; int32_t offset; } dates[] = {
    { "Sun, 22 Nov 2026 02:44:25 +0000", 1795315465, 0 },
    { "22 Nov 2026 02:44:25 +0000", 1795315465, 0 },
    { "Sun, 22 Nov 2026 03:44:25 +0100", 1795315465, 60 },
    { "Sat, 21 Nov 2026 18:44:25 -0800", 1795315465, -480 },
    { "Sun,22 Nov 2026 02:44:25 +0000", 1795315465, 0 },
    { " Sun , 22 Nov\r\n 2026 02 : 44 : 25 +0000 (UTC) ", 1795315465, 0 },
    { "(a(b)\\)) Sun (x), 22 (y) Nov 2026 02:44:25 (z) +0000", 1795315465, 0 },
    { "sun, 22 NOV 2026 02:44:25 gmt", 1795315465, 0 },
    { "Mon, 22 Nov 2026 02:44:25 UT", 1795315465, 0 },             /* the name of the day is not asked */
    { "22 Nov 2026 02:44 +0000", 1795315440, 0 },
    { "1 Jan 1970 00:00:00 -0000", 0, 0 },
    { "31 Dec 1969 23:59:59 GMT", -1, 0 },
    { "29 Feb 2000 12:00:00 +0000", 951825600, 0 },
    { "31 Dec 2016 23:59:60 +0000", 1483228800, 0 },
    { "1 Jan 1900 00:00:00 +0000", -2208988800, 0 },
    { "31 Dec 9999 23:59:59 +0000", 253402300799, 0 },
    /* obsolete years and zones */
    { "1 Jan 70 00:00 EST", 18000, -300 },
    { "1 Jan 49 00:00 +0000", 2493072000, 0 },
    { "1 Jan 50 00:00 +0000", -631152000, 0 },
    { "1 Jan 100 00:00 +0000", 946684800, 0 },
    { "1 Jan 1970 00:00 EDT", 14400, -240 }, { "1 Jan 1970 00:00 CST", 21600, -360 },
    { "1 Jan 1970 00:00 CDT", 18000, -300 }, { "1 Jan 1970 00:00 MST", 25200, -420 },
    { "1 Jan 1970 00:00 MDT", 21600, -360 }, { "1 Jan 1970 00:00 PST", 28800, -480 },
    { "1 Jan 1970 00:00 PDT", 25200, -420 }, { "1 Jan 1970 00:00 A", 0, 0 },
    { "1 Jan 1970 00:00 CEST", 0, 0 },       { "1 Jan 1970 00:00", 0, 0 },
    { "1 Jan 1970 00:00:00 +2359", -86340, 1439 },
    /* no dates */
    { "", BAD, 0 }, { "yesterday", BAD, 0 }, { "Sun 22 Nov 2026 02:44:25 +0000", BAD, 0 },
    { "Sun Nov 22 02:44:25 2026", BAD, 0 }, { "Son, 22 Nov 2026 02:44:25 +0000", BAD, 0 },
    { "32 Jan 2024 00:00:00 +0000", BAD, 0 }, { "0 Jan 2024 00:00:00 +0000", BAD, 0 },
    { "29 Feb 2023 00:00:00 +0000", BAD, 0 }, { "29 Feb 1900 00:00:00 +0000", BAD, 0 },
    { "1 Foo 2024 00:00:00 +0000", BAD, 0 }, { "001 Jan 2024 00:00:00 +0000", BAD, 0 },
    { "1 Jan 1899 00:00:00 +0000", BAD, 0 }, { "1 Jan 10000 00:00:00 +0000", BAD, 0 },
    { "1 Jan 2024 24:00:00 +0000", BAD, 0 }, { "1 Jan 2024 00:60:00 +0000", BAD, 0 },
    { "1 Jan 2024 00:00:61 +0000", BAD, 0 }, { "1 Jan 2024 00:00:00 +2400", BAD, 0 },
    { "1 Jan 2024 00:00:00 +0060", BAD, 0 }, { "1 Jan 2024 00:00:00 +000", BAD, 0 },
    { "1 Jan 2024 00:00:00 +0000 x", BAD, 0 }, { "1 Jan 2024 00:00:00 5", BAD, 0 },
    { "1 Jan 2024 00:00:00 +0000 (open", BAD, 0 }, { "1 Jan 2024 00 +0000", BAD, 0 },
    { "(open 1 Jan 2024 00:00:00 +0000", BAD, 0 }, { "1 Jan 2024 00:00:00 GMT+1", BAD, 0 },
    { "1 Jan 2 00:00:00 +0000", BAD, 0 },
};
/* clang-format on */

START_TEST(test_parse)
{
    struct yb_date d = { BAD, 0 };
    bool ok = yb_date_parse(yb_str_from(dates[_i].in), &d);

    ck_assert_msg(ok == (dates[_i].utc != BAD) && d.utc == dates[_i].utc &&
                      d.offset == dates[_i].offset,
                  "'%s': %d, %lld %d", dates[_i].in, ok, (long long)d.utc, d.offset);
}
END_TEST

/* clang-format off */
static const struct { struct yb_date date; const char *mail, *internal; } texts[] = {
    { { 1795315465, 0 },    "Sun, 22 Nov 2026 02:44:25 +0000", "22-Nov-2026 02:44:25 +0000" },
    { { 1795315465, -480 }, "Sat, 21 Nov 2026 18:44:25 -0800", "21-Nov-2026 18:44:25 -0800" },
    { { 1795315465, 345 },  "Sun, 22 Nov 2026 08:29:25 +0545", "22-Nov-2026 08:29:25 +0545" },
    { { 837596665, -420 },  "Wed, 17 Jul 1996 02:44:25 -0700", "17-Jul-1996 02:44:25 -0700" },
    { { 0, 0 },             "Thu, 01 Jan 1970 00:00:00 +0000", "01-Jan-1970 00:00:00 +0000" },
    { { -1, 0 },            "Wed, 31 Dec 1969 23:59:59 +0000", "31-Dec-1969 23:59:59 +0000" },
    { { 951825600, 0 },     "Tue, 29 Feb 2000 12:00:00 +0000", "29-Feb-2000 12:00:00 +0000" },
    { { INT64_MAX, 60 },    "Fri, 31 Dec 9999 23:59:59 +0000", "31-Dec-9999 23:59:59 +0000" },
    { { INT64_MIN, -60 },   "Sat, 01 Jan 0000 00:00:00 +0000", "01-Jan-0000 00:00:00 +0000" },
    { { 0, 100000 },        "Thu, 01 Jan 1970 23:59:00 +2359", "01-Jan-1970 23:59:00 +2359" },
};
/* clang-format on */

START_TEST(test_format)
{
    char mail[YB_DATE_TEXT], internal[YB_INTERNAL_DATE_TEXT];

    ck_assert_str_eq(yb_date_format(texts[_i].date, mail), texts[_i].mail);
    ck_assert_str_eq(yb_internal_date_format(texts[_i].date, internal), texts[_i].internal);
    ck_assert_uint_eq(strlen(internal), 26);
}
END_TEST

/* clang-format off */
static const struct { const char *in; int64_t utc; int32_t offset; } internals[] = {
    { "17-Jul-1996 02:44:25 -0700", 837596665, -420 },
    { " 7-Jul-1996 02:44:25 -0700", 836732665, -420 },
    { "07-jul-1996 02:44:25 -0700", 836732665, -420 },
    { "7-Jul-1996 02:44:25 -0700", 836732665, -420 },
    { "0-Jul-1996 02:44:25 -0700", BAD, 0 },
    { "-Jul-1996 02:44:25 -0700", BAD, 0 },
    { " 17-Jul-1996 02:44:25 -0700", BAD, 0 },
    { "7-Jul-1996 2:44:25 -0700", BAD, 0 },
    { "7-Jul-1996  2:44:25 -0700", BAD, 0 },
    { "  -Jul-1996 02:44:25 -0700", BAD, 0 },
    { "17-Jul-1996 02:44:25 -07000", BAD, 0 },
    { "17-Jul-1996 02:44:25 0700 ", BAD, 0 },
    { "17 Jul 1996 02:44:25 -0700", BAD, 0 },
    { "17-Jul-1996 02:44-25 -0700", BAD, 0 },
    { "17-Jul-1996 02.44:25 -0700", BAD, 0 },
    { "17-Jul-1996T02:44:25 -0700", BAD, 0 },
    { "17-Jul-1996 02:44:25Z-0700", BAD, 0 },
    { "17-Jul+1996 02:44:25 -0700", BAD, 0 },
    { "31-Jun-1996 02:44:25 -0700", BAD, 0 },
    { "17-Jul-19x6 02:44:25 -0700", BAD, 0 },
    { "17-Jul-1996 25:44:25 -0700", BAD, 0 },
    { "17-Jul-1996 02:44:2x -0700", BAD, 0 },
    { "17-Jul-1996 02:4x:25 -0700", BAD, 0 },
    { "17-Jul-1996 x2:44:25 -0700", BAD, 0 },
    { "", BAD, 0 },
};
/* clang-format on */

START_TEST(test_internal)
{
    struct yb_date d = { BAD, 0 };
    bool ok = yb_internal_date_parse(yb_str_from(internals[_i].in), &d);

    ck_assert_msg(ok == (internals[_i].utc != BAD) && d.utc == internals[_i].utc &&
                      d.offset == internals[_i].offset,
                  "'%s': %d, %lld %d", internals[_i].in, ok, (long long)d.utc, d.offset);
}
END_TEST

START_TEST(test_search)
{
    int64_t day;

    ck_assert(yb_search_date_parse(YB_STR("1-Feb-1994"), &day) && day == 8797);
    ck_assert(yb_search_date_parse(YB_STR("01-Feb-1994"), &day) && day == 8797);
    ck_assert(!yb_search_date_parse(YB_STR("30-Feb-1994"), &day));
    ck_assert(!yb_search_date_parse(YB_STR("1-Feb-94"), &day));
    ck_assert(!yb_search_date_parse(YB_STR("001-Feb-1994"), &day));
    ck_assert(!yb_search_date_parse(YB_STR("1-Feb-19 4"), &day));
    ck_assert(!yb_search_date_parse(YB_STR("1-Feb1-994"), &day));
    ck_assert_int_eq(yb_date_day((struct yb_date){ 0, -60 }), -1);
    ck_assert_int_eq(yb_date_day((struct yb_date){ 86399, 60 }), 1);
}
END_TEST

/* Every day of 800 years against the C library, and back. */
START_TEST(test_calendar)
{
    for (int64_t day = -135140; day < 157000; day++) {
        time_t t = day * 86400 + 3723;
        struct yb_date d = { t, 0 }, back;
        char got[YB_DATE_TEXT], want[YB_DATE_TEXT], internal[YB_INTERNAL_DATE_TEXT];
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S +0000", &tm);
        yb_date_format(d, got);
        if (strcmp(got, want) != 0)
            ck_abort_msg("%lld: %s, want %s", (long long)day, got, want);
        yb_internal_date_format(d, internal);
        if (!yb_internal_date_parse(yb_str_from(internal), &back) || back.utc != t)
            ck_abort_msg("%s does not come back", internal);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("mime/date");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, test_parse, 0, YB_COUNT(dates));
    tcase_add_loop_test(tc, test_format, 0, YB_COUNT(texts));
    tcase_add_loop_test(tc, test_internal, 0, YB_COUNT(internals));
    tcase_add_test(tc, test_search);
    tcase_add_test(tc, test_calendar);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
