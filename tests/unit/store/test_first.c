/* The mailboxes that a new account begins with. */
#include "lib/store/first.h"
#include "tests/unit/store/help.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
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

/* Names in the account's folder that begin with `what`. */
static size_t
count_names(const char *what)
{
    char path[600];
    struct dirent *e;
    size_t n = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "%s..", help_path(&h, ""));
    dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    while ((e = readdir(dir)) != NULL)
        n += strncmp(e->d_name, what, strlen(what)) == 0;
    closedir(dir);
    return n;
}

/* Who has no room to make an account leaves nothing behind, however often he tries. */
START_TEST(test_no_room)
{
    struct yb_store_conf conf = { .root = h.root };
    struct rlimit kept, none;

    help_close(&h);
    OK(yb_store_root_open(&conf, NULL, &h.s, &err));
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &kept), 0);
    none = kept;
    none.rlim_cur = 100; /* less than a lock file */
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    for (int i = 0; i < 3; i++)
        FAILS(yb_store_open(h.s, h.id, true, &h.a, &err), YB_TEMP, YB_ERR_OTHER);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &kept), 0);
    ck_assert_uint_eq(count_names("lock"), 0);
    OK(yb_store_open(h.s, h.id, true, &h.a, &err));
    ck_assert_uint_eq(count_names("lock"), 1);
    help_put(&h, NULL, 1, 100, 0);
}
END_TEST

/* What a maker who died had begun goes: a piece of a lock file, or a second name of the whole one. */
START_TEST(test_died)
{
    static const char *const folders[] = { "../..", "..", "" };
    char lock[600], begun[600], account[600];

    for (size_t i = 0; i < YB_COUNT(folders); i++)
        make_folder(folders[i]);
    snprintf(lock, sizeof(lock), "%s../lock", help_path(&h, ""));
    snprintf(begun, sizeof(begun), "%s../lock.new", help_path(&h, ""));
    snprintf(account, sizeof(account), "%s../account", help_path(&h, ""));
    help_write(begun, "YBL", 3);
    open_with(NULL);
    ck_assert_uint_eq(count_names("lock"), 1);
    ck_assert_int_eq(unlink(account), 0);
    ck_assert_int_eq(link(lock, begun), 0);
    open_with(NULL);
    ck_assert_uint_eq(count_names("lock"), 1);
    help_put(&h, NULL, 1, 100, 0);
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
    tcase_add_test(tc, test_no_room);
    tcase_add_test(tc, test_died);
    tcase_add_loop_test(tc, test_wrong, 0, YB_COUNT(wrong));
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
