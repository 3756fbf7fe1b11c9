/* lib/base/zone: against libc's own reading of the same files, and files that are none. */
#include "lib/base/zone.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

#define DAY 86400

/* North and south, half hours, a negative saving time, changes of the date line, rules of Saturdays
 * before midnight. */
static const char *const zones[] = {
    "Asia/Tokyo",        "Europe/Berlin",
    "America/New_York",  "Australia/Sydney",
    "America/Santiago",  "Asia/Kathmandu",
    "Africa/Casablanca", "America/Nuuk",
    "Pacific/Apia",      "Europe/Dublin",
    "Asia/Jerusalem",    "Australia/Lord_Howe",
    "Africa/Monrovia",   "America/Argentina/Buenos_Aires",
    "Etc/GMT+5",         "Asia/Tehran",
};

START_TEST(test_zone)
{
    struct yb_err err = { 0 };
    struct yb_zone *zone;

    ck_assert_msg(yb_zone_open(yb_str_from(zones[_i]), &zone, &err) == 0, "%s", err.text);
    setenv("TZ", zones[_i], 1);
    tzset();
    for (time_t t = -3786825600; t < 7258118400; t += DAY * 5 + 12345) { /* 1850 to 2200 */
        struct tm local;
        long minutes;

        localtime_r(&t, &local);
        minutes = local.tm_gmtoff / 60 - (local.tm_gmtoff % 60 < 0);
        ck_assert_msg(yb_zone_offset(zone, t) == minutes, "%s at %lld: %d for %ld", zones[_i],
                      (long long)t, yb_zone_offset(zone, t), minutes);
    }
    /* Around each change of some years, to the second. */
    for (time_t t = 1704067200; t < 1735689600; t += 3600) {
        for (int k = -1; k < 1; k++) {
            time_t at = t + k;
            struct tm local;

            localtime_r(&at, &local);
            ck_assert_int_eq(yb_zone_offset(zone, at), local.tm_gmtoff / 60);
            ck_assert_int_eq(yb_zone_day(zone, at) * DAY, (at + local.tm_gmtoff) / DAY * DAY);
        }
    }
    yb_zone_free(&zone);
    ck_assert_ptr_null(zone);
}
END_TEST

START_TEST(test_utc)
{
    struct yb_err err = { 0 };
    struct yb_zone *zone;

    ck_assert_int_eq(yb_zone_open(YB_STR("utc"), &zone, &err), 0);
    ck_assert_ptr_null(zone);
    ck_assert_int_eq(yb_zone_offset(zone, 1577806200), 0);
    ck_assert_int_eq(yb_zone_day(zone, -1), -1);
    ck_assert_int_eq(yb_zone_day(zone, INT64_MAX), INT64_MAX / DAY);
    yb_zone_free(&zone);
}
END_TEST

START_TEST(test_names)
{
    static const char *const none[] = {
        "",
        "Asia/Nowhere",
        "../../../etc/passwd",
        "/etc/passwd",
        "Asia",
        "zone.tab",
        "tzdata.zi",
        "JST-9",
        ":Asia/Tokyo",
        "Asia/Tokyo ",
        "right/Asia/Tokyo",
        "posix/Asia/Tokyo",
        "posix/UTC",
        "posixrules",
        "leapseconds",
        "localtime",
        "Factory",
        "Asia/Tokyo/",
        "Asia/A_name_that_is_longer_than_any_zone_that_there_is_in_the_world"
    };

    for (size_t i = 0; i < YB_COUNT(none); i++) {
        struct yb_err err = { 0 };
        struct yb_zone *zone;

        ck_assert_msg(yb_zone_open(yb_str_from(none[i]), &zone, &err) < 0, "%s", none[i]);
        ck_assert_ptr_null(zone);
        ck_assert_int_eq(err.class, YB_PERM);
    }
}
END_TEST

/* --- files made here --- */

#define TIMES(n)                                                                                   \
    "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"                                  \
    "\0\0\0" n "\0\0\0\1\0\0\0\0"
#define NO_TIMES                                                                                   \
    "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define HOUR "\0\0\x0e\x10\0\0" /* a type: one hour east */
#define AT(s) "\0\0\0\0\0\0\0" s

#define FILE_OF(octets)                                                                            \
    {                                                                                              \
        octets, sizeof(octets) - 1                                                                 \
    }
/* clang-format off */
static const struct { struct { const char *p; size_t n; } file; int at; int want; } files[] = {
    { FILE_OF(NO_TIMES TIMES("\0") HOUR "\n\n"), 0, 60 },
    { FILE_OF(NO_TIMES TIMES("\0") HOUR "\n<-0330>3:30\n"), 0, -210 },
    { FILE_OF(NO_TIMES TIMES("\0") HOUR "\nLMT0:0:30\n"), 0, -1 },
    { FILE_OF(NO_TIMES TIMES("\0") HOUR "\nEST5EDT,0/0,J365/25\n"), 1704067200, -240 },   /* all year */
    { FILE_OF(NO_TIMES TIMES("\0") HOUR "\nA0\n"), 0, -1000 },                             /* no abbreviation */
    { FILE_OF(NO_TIMES TIMES("\0") HOUR "\nABC0ABD\n"), 0, -1000 },                        /* no rules */
    { FILE_OF(NO_TIMES TIMES("\0") HOUR "\nABC0ABD,M0.1.0,M2.1.0\n"), 0, -1000 },
    { FILE_OF(NO_TIMES TIMES("\0") HOUR "\nABC0ABD,M1.1.0,M2.1.0x\n"), 0, -1000 },
    { FILE_OF(NO_TIMES TIMES("\0") HOUR "\nABC0ABD,M1.1.0/169,M2.1.0\n"), 0, -1000 },
    { FILE_OF(NO_TIMES TIMES("\0") HOUR "\nABC27\n"), 0, -1000 },
    { FILE_OF(NO_TIMES TIMES("\0") HOUR "\nABC0"), 0, -1000 },                             /* cut */
    { FILE_OF(NO_TIMES TIMES("\0") "\0\2\0\0\0\0\n\n"), 0, -1000 },                        /* too far */
    { FILE_OF(NO_TIMES TIMES("\2") AT("\1") AT("\1") "\0\0" HOUR "\n\n"), 0, -1000 },      /* not in order */
    { FILE_OF(NO_TIMES TIMES("\1") AT("\1") "\1" HOUR "\n\n"), 0, -1000 },                 /* no such type */
    { FILE_OF(NO_TIMES TIMES("\1") AT("\1") "\0" HOUR "\n\n"), 5, 60 },
    { FILE_OF("TZif1"), 0, -1000 }, { FILE_OF("") , 0, -1000 },
};
/* clang-format on */

START_TEST(test_files)
{
    struct yb_zone *zone = yb_zone_parse(yb_str(files[_i].file.p, files[_i].file.n));

    ck_assert_int_eq(zone != NULL, files[_i].want != -1000);
    if (zone != NULL)
        ck_assert_int_eq(yb_zone_offset(zone, files[_i].at), files[_i].want);
    yb_zone_free(&zone);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("base/zone");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, test_zone, 0, YB_COUNT(zones));
    tcase_add_test(tc, test_utc);
    tcase_add_test(tc, test_names);
    tcase_add_loop_test(tc, test_files, 0, YB_COUNT(files));
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
