/* imapd/reply: what a client hears of an error. */
#include "imapd/reply.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static void
check_answer(const struct yb_err *err, const char *want)
{
    struct yb_buf *b = yb_buf_new(1000);
    struct yb_str got;

    imapd_put_err(b, YB_STR("t"), err);
    got = yb_buf_view(b);
    ck_assert_msg(yb_str_eq(got, yb_str_from(want)), "kind %d: %.*s, want %s", (int)err->kind,
                  YB_STR_ARG(got), want);
    yb_buf_free(&b);
}

/* clang-format off */
static const struct { enum yb_err_kind kind; const char *want; } kinds[] = {
    { YB_ERR_OTHER,       "t NO [CANNOT] Text\r\n" },
    { YB_ERR_SYNTAX,      "t BAD Text\r\n" },
    { YB_ERR_SEQUENCE,    "t BAD Text\r\n" },
    { YB_ERR_TOO_LONG,    "t BAD [TOOBIG] Text\r\n" },
    { YB_ERR_UNSUPPORTED, "t NO [CANNOT] Text\r\n" },
    { YB_ERR_CANCELLED,   "t BAD Text\r\n" },
    { YB_ERR_CREDENTIALS, "t NO [AUTHENTICATIONFAILED] Text\r\n" },
    { YB_ERR_BLOCKED,     "t NO [AUTHENTICATIONFAILED] Text\r\n" },
    { YB_ERR_DISABLED,    "t NO [AUTHORIZATIONFAILED] Text\r\n" },
    { YB_ERR_NEED_TLS,    "t NO [PRIVACYREQUIRED] Text\r\n" },
    { YB_ERR_DENIED,      "t NO [NOPERM] Text\r\n" },
    { YB_ERR_NOT_FOUND,   "t NO [NONEXISTENT] Text\r\n" },
    { YB_ERR_TRY_CREATE,  "t NO [TRYCREATE] Text\r\n" },
    { YB_ERR_EXISTS,      "t NO [ALREADYEXISTS] Text\r\n" },
    { YB_ERR_GONE,        "t NO [EXPUNGEISSUED] Text\r\n" },
    { YB_ERR_READ_ONLY,   "t NO [READ-ONLY] Text\r\n" },
    { YB_ERR_IN_USE,      "t NO [INUSE] Text\r\n" },
    { YB_ERR_FULL,        "t NO [OVERQUOTA] Text\r\n" },
    { YB_ERR_LIMIT,       "t NO [LIMIT] Text\r\n" },
    { YB_ERR_TOO_BIG,     "t NO [TOOBIG] Text\r\n" },
    { YB_ERR_CANNOT,      "t NO [CANNOT] Text\r\n" },
    { YB_ERR_CONTENT,     "t NO [CANNOT] Text\r\n" },
    { YB_ERR_USE,         "t NO [USEATTR] Text\r\n" },
    { YB_ERR_CHARSET,     "t NO [BADCHARSET (US-ASCII UTF-8)] Text\r\n" },
    { YB_ERR_DOMAIN,      "t NO [CANNOT] Text\r\n" },
    { YB_ERR_VALUE,       "t NO [CANNOT] Text\r\n" },
    { YB_ERR_REFERENCE,   "t NO [CANNOT] Text\r\n" },
    { YB_ERR_CONFLICT,    "t NO [UNAVAILABLE] Text\r\n" },
    { YB_ERR_AWAY,        "t NO [UNAVAILABLE] Text\r\n" },
    { YB_ERR_CONFIG,      "t NO [UNAVAILABLE] Text\r\n" },
    { YB_ERR_MOVING,      "t NO [UNAVAILABLE] Text\r\n" },
    { YB_ERR_HELD,        "t NO [UNAVAILABLE] Text\r\n" },
};
/* clang-format on */

/* A new kind is noticed here: the table above is in the order of the enum, and as long. */
START_TEST(test_kinds)
{
    struct yb_err err = { 0 };

    ck_assert_uint_eq(YB_COUNT(kinds), YB_ERR_KINDS);
    for (size_t i = 0; i < YB_COUNT(kinds); i++) {
        ck_assert_uint_eq(kinds[i].kind, i);
        yb_err_as(&err, kinds[i].kind, YB_PERM, "5.0.0", "Text");
        check_answer(&err, kinds[i].want);
    }
}
END_TEST

/* What has no kind goes by its class, whatever its status and text look like. */
START_TEST(test_class)
{
    struct yb_err err = { 0 };

    yb_err_set(&err, YB_PERM, "5.7.8", "So not");
    check_answer(&err, "t NO [CANNOT] So not\r\n");
    yb_err_set(&err, YB_TEMP, "4.2.2", "[TRYCREATE] Away");
    check_answer(&err, "t NO [UNAVAILABLE] [TRYCREATE] Away\r\n");
    yb_err_set(&err, YB_BUG, "4.3.0", "Oops");
    check_answer(&err, "t NO [SERVERBUG] Oops\r\n");
    errno = ENOSPC;
    yb_err_sys(&err, YB_PERM, "5.3.0", "write");
    check_answer(&err, "t NO [UNAVAILABLE] Insufficient system storage, try again later\r\n");
    /* What is inside stays inside. */
    yb_err_inside(&err, YB_TEMP, "4.3.0", "[secret] /var/lib/x");
    check_answer(&err, "t NO [UNAVAILABLE] Temporary local problem, try again later\r\n");
    yb_err_set(&err, YB_PERM, "5.0.0", "caf\xc3\xa9");
    check_answer(&err, "t NO [CANNOT] caf?\r\n");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("imapd/reply");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, test_kinds);
    tcase_add_test(tc, test_class);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
