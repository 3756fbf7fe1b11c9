/* The mailboxes that a new account begins with. */
#include "lib/store/first.h"
#include "tests/unit/store/help.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct help h;

/* The account that help.c opens has no such mailboxes: another is used. */
static void
setup(void)
{
    help_root(&h, false);
    h.id.v[0] = 0xb2;
}

static void
teardown(void)
{
    help_done(&h);
}

static void
open_with(const char *first)
{
    struct yb_store_conf conf = { .root = h.root, .first_mailboxes = first };

    help_close(&h);
    OK(yb_store_root_open(&conf, NULL, &h.s, &err));
    OK(yb_store_open(h.s, h.id, true, &h.a, &err));
}

/* "name[ \Use][ +];" of each mailbox, + for one that is subscribed. */
static void
check_list(const char *want)
{
    struct yb_arena *arena = yb_arena_new(4096);
    struct yb_folder *v;
    char got[1000] = "";
    size_t n, at = 0;

    OK(yb_store_list(h.a, arena, &v, &n, &err));
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(got + at, sizeof(got) - at, "%.*s%s%s%s;", YB_STR_ARG(v[i].name),
                               v[i].special[0] == '\0' ? "" : " ", v[i].special,
                               v[i].subscribed ? " +" : "");
    ck_assert_str_eq(got, want);
    yb_arena_free(&arena);
}

/* "..": above the Maildir. */
static void
make_folder(const char *below)
{
    char path[600];
    size_t n;

    snprintf(path, sizeof(path), "%s", help_path(&h, ""));
    n = strlen(path) - 1;
    path[n] = '\0';
    for (; strncmp(below, "..", 2) == 0; below += strlen(below) > 2 ? 3 : 2)
        *strrchr(path, '/') = '\0';
    if (*below != '\0')
        snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%s", below);
    ck_assert_int_eq(mkdir(path, 0700), 0);
}

START_TEST(test_made_once)
{
    struct yb_mailbox *m;
    uint32_t uidvalidity;

    open_with(" \\sent = Sent items ,Mail/Post, \\Trash=e\xcc\x81,");
    check_list("INBOX;Mail;Mail/Post +;Sent items \\Sent +;\xc3\xa9 \\Trash +;");
    help_put(&h, "Sent items", 1, 100, 0);
    m = help_mailbox(&h, "Sent items");
    uidvalidity = yb_mailbox_uidvalidity(m);
    yb_mailbox_close(&m);
    OK(yb_store_delete(h.a, YB_STR("Mail/Post"), &err));
    OK(yb_store_rename(h.a, YB_STR("\xc3\xa9"), YB_STR("Bin"), &err));
    /* Whatever is configured later, an account that is there is left alone. */
    open_with("\\Drafts=Drafts, \\Trash=Trash");
    check_list("INBOX;Bin \\Trash +;Mail/Post +;Sent items \\Sent +;");
    m = help_mailbox(&h, "Sent items");
    ck_assert_uint_eq(yb_mailbox_uidvalidity(m), uidvalidity);
    ck_assert_uint_eq(help_status(m).messages, 1);
    yb_mailbox_close(&m);
}
END_TEST

START_TEST(test_none)
{
    open_with(_i == 0 ? "" : _i == 1 ? NULL : " , ");
    check_list("INBOX;");
}
END_TEST

/* An account that was begun, and whose maker died, or a Maildir that was brought here: what it has it
 * keeps. */
START_TEST(test_begun)
{
    static const char *const folders[] = { "../..", "..", "", ".Sent", ".Own" };

    for (size_t i = 0; i < YB_COUNT(folders); i++)
        make_folder(folders[i]);
    help_write(help_path(&h, "yubin-subscriptions"), "Own\n", 4);
    open_with("\\Sent=Sent, \\Junk=Junk");
    check_list("INBOX;Junk \\Junk;Own +;Sent \\Sent;");
}
END_TEST

/* clang-format off */
static const struct { const char *text, *why; } wrong[] = {
    { "INBOX", "every account has it" }, { "\\Sent=inbox", "every account has it" }, { "a, b, a", "named twice" }, { "e\xcc\x81,\xc3\xa9", "named twice" },
    { "\\All=All", "uses are" }, { "\\Sent", "uses are" }, { "\\Sent=", "not empty" }, { "\\Sent=a, \\SENT=b", "another has this use" },
    { "a//b", "empty level" }, { "a\tb", "control" }, { "\xff", "UTF-8" },
};
/* clang-format on */

START_TEST(test_wrong)
{
    struct yb_err err = { 0 };

    ck_assert_ptr_null(yb_first_parse(wrong[_i].text, &err));
    ck_assert_msg(err.class == YB_PERM && strstr(err.text, wrong[_i].why) != NULL, "%s: %s",
                  wrong[_i].text, err.text);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("first");
    TCase *tc = tcase_create("first");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_made_once);
    tcase_add_loop_test(tc, test_none, 0, 3);
    tcase_add_test(tc, test_begun);
    tcase_add_loop_test(tc, test_wrong, 0, YB_COUNT(wrong));
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
