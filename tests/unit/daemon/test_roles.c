/* The table of daemons. */
#include "lib/daemon/common_conf.h"

#include <check.h>
#include <stdlib.h>

START_TEST(test_rows)
{
    const struct yb_role *r = &yb_roles[_i];
    bool section = false;

    ck_assert_ptr_eq(yb_role_find(yb_str_from(r->name)), r);
    for (size_t i = 0; yb_conf_sections[i] != NULL; i++)
        section = section || strcmp(yb_conf_sections[i], r->name) == 0;
    ck_assert_msg(section, "%s has no section", r->name);
    ck_assert(yb_str_starts(yb_str_from(r->user), YB_STR("yubin-")));
    ck_assert(r->summary[0] != '\0');
    /* Only members of that group reach lmtpd's socket. */
    ck_assert(!r->hands_over || strstr(r->groups, YB_ROLE_LMTP_GROUP) != NULL);
    for (size_t i = 0; i < YB_ROLES; i++) {
        const struct yb_role *other = &yb_roles[i];

        ck_assert(other == r || strcmp(other->name, r->name) != 0);
        /* Each has a role of its own, so that it may what it needs; groups are a user's. */
        ck_assert(other == r || strcmp(other->database, r->database) != 0);
        ck_assert(strcmp(other->user, r->user) != 0 || strcmp(other->groups, r->groups) == 0);
    }
}
END_TEST

START_TEST(test_find)
{
    ck_assert_ptr_null(yb_role_find(YB_STR("admin-api")));
    ck_assert_ptr_null(yb_role_find(YB_STR("smtp")));
    ck_assert_ptr_null(yb_role_find(YB_STR("")));
    ck_assert_str_eq(YB_ROLE_USER(SMTPD), yb_role_find(YB_STR("smtpd"))->user);
    ck_assert_str_eq(YB_ROLE_USER(RELAYD), yb_role_find(YB_STR("relayd"))->user);
    ck_assert_str_eq(YB_ROLE_DATABASE(POP3D), yb_role_find(YB_STR("pop3d"))->database);
    ck_assert_str_eq(YB_ROLE_SUMMARY(LMTPD), yb_role_find(YB_STR("lmtpd"))->summary);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("roles");
    TCase *tc = tcase_create("roles");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(tc, test_rows, 0, YB_ROLES);
    tcase_add_test(tc, test_find);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
