/*
 * A store that commit 4b3effc made (store-1.tar.gz), opened by this one: everything that store-1.txt
 * lists is found, and what was written in the first form is in this one afterwards.
 */
#include "lib/store/index.h"
#include "lib/store/lockfile.h"
#include "lib/store/sum.h"
#include "lib/store/sys.h"
#include "tests/unit/store/help.h"
#include "tests/upgrade/listing.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct help h;

static const char *
data_path(const char *name)
{
    const char *top = getenv("YB_SRCDIR");
    static char path[500];

    snprintf(path, sizeof(path), "%s/tests/upgrade/%s", top == NULL ? "." : top, name);
    return path;
}

static void
extract(void)
{
    const char *archive = data_path("store-1.tar.gz");
    int status;
    pid_t pid;

    pid = fork();
    if (pid == 0) {
        execlp("tar", "tar", "-xzf", archive, "-C", h.root, (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "tar -xzf %s", archive);
}

static void
setup(void)
{
    const char *tmp = getenv("TMPDIR");

    h = (struct help){ .id = LISTING_ACCOUNT };
    snprintf(h.root, sizeof(h.root), "%s/yb-upgrade-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    ck_assert(mkdtemp(h.root) != NULL);
    snprintf(h.notify, sizeof(h.notify), "%s/.notify", h.root);
    extract();
}

static void
teardown(void)
{
    help_done(&h);
}

/* --- the listing --- */

static char *
listing(void)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    listing_write(h.a, f);
    fclose(f);
    return text;
}

static char *
listing_of_before(void)
{
    int fd = open(data_path(""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char *text = NULL;
    size_t n = 0;

    ck_assert_int_eq(yb_sys_read_file(fd, "store-1.txt", 1 << 20, &text, &n), 0);
    close(fd);
    text[n] = '\0';
    return text;
}

/* Takes what stands behind a word out of each line. */
static void
leave_out(char *text, const char *word)
{
    char *at = text;

    while ((at = strstr(at, word)) != NULL) {
        char *end = at + strlen(word);

        end += strcspn(end, " \n");
        memmove(at, end, strlen(end) + 1);
    }
}

/* --- what the store went through --- */

static int
patch_file(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    const char *name = path + walk->base;
    char boot[YB_ID_BYTES];
    int fd;

    (void)st;
    if (flag != FTW_F || (strcmp(name, "lock") != 0 && strcmp(name, YB_INDEX_FILE) != 0))
        return 0;
    ck_assert(yb_sys_boot_id(YB_BOOT_FILE, (uint8_t *)boot));
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (strcmp(name, "lock") == 0) {
        struct yb_lock_head head;

        ck_assert_int_eq(pread(fd, &head, sizeof(head), 0), sizeof(head));
        memcpy(head.boot, boot, sizeof(boot));
        head.sum = 0;
        head.sum = yb_sum_old(&head, sizeof(head));
        ck_assert_int_eq(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
    } else {
        struct yb_index_head head;

        ck_assert(yb_index_old_head(fd, &head));
        ck_assert_int_eq(pread(fd, &head, sizeof(head), 0), sizeof(head));
        memcpy(head.boot, boot, sizeof(boot));
        head.sum = yb_sum_old(&head, sizeof(head) - 16);
        ck_assert_int_eq(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
    }
    close(fd);
    return 0;
}

static void
same_boot(void)
{
    ck_assert_int_eq(nftw(h.root, patch_file, 16, FTW_PHYS), 0);
}

static int
remove_index(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st;
    (void)flag;
    return strcmp(path + walk->base, YB_INDEX_FILE) == 0 ? unlink(path) : 0;
}

static void
index_lost(void)
{
    ck_assert_int_eq(nftw(h.root, remove_index, 16, FTW_PHYS), 0);
}

static void
nothing(void)
{
}

static const struct {
    const char *name;
    void (*before)(void);
    const char *may_differ[6];
} ways[] = {
    { "no reboot", same_boot, { NULL } },
    { "another boot", nothing, { " uidnext=", " highest=" } },
    { "without an index",
      index_lost,
      { " uidnext=", " highest=", " modseq=", " parsed=", " vanished=" } },
};

/* Of a first form nothing is left. */
static int
look_at_form(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    static const char *const names[] = { "lock", "yubin-uid", "yubin-index", "yubin-cache" };
    char head[9] = "";
    int fd;

    (void)st;
    for (size_t i = 0; flag == FTW_F && i < YB_COUNT(names); i++) {
        if (strcmp(path + walk->base, names[i]) != 0)
            continue;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(read(fd, head, 8), 8);
        close(fd);
        ck_assert_msg(strchr(head, '2') != NULL && strchr(head, '1') == NULL, "%s begins %s", path,
                      head);
    }
    return 0;
}

static void
compare(size_t way, const char *what)
{
    char *want = listing_of_before(), *got = listing();

    for (size_t i = 0; ways[way].may_differ[i] != NULL; i++) {
        leave_out(want, ways[way].may_differ[i]);
        leave_out(got, ways[way].may_differ[i]);
    }
    if (strcmp(want, got) != 0)
        fprintf(stderr, "before:\n%s\nnow:\n%s", want, got);
    ck_assert_msg(strcmp(want, got) == 0, "%s, %s", ways[way].name, what);
    yb_free(want);
    free(got);
}

START_TEST(test_upgrade)
{
    struct yb_put put = { .id = { { 0xde, 0x11, 18 } }, .mailbox = "Sent", .repeat = true };
    struct yb_put_result out;
    struct yb_usage u;
    uint64_t change;

    ways[_i].before();
    help_open(&h);
    compare((size_t)_i, "opened");
    help_reopen(&h);
    compare((size_t)_i, "opened again");
    ck_assert_int_eq(nftw(h.root, look_at_form, 16, FTW_PHYS), 0);
    u = help_usage(&h);
    change = u.change;
    ck_assert_uint_gt(change, 0);
    /* The last ids are known, and it goes on. */
    OK(help_try_put(h.a, &put, 18, 10, &out, &err));
    ck_assert(out.duplicate);
    put.id = help_id(1);
    OK(help_try_put(h.a, &put, 1, 10, &out, &err));
    ck_assert(!out.duplicate);
    ck_assert_uint_ge(out.uid, 8);
    ck_assert_uint_gt(help_usage(&h).change, change);
}
END_TEST

/* 26 letters were all there were: the next keyword is a set, and the first ones stay what they are. */
START_TEST(test_more_keywords)
{
    struct yb_str name = YB_STR("one more");
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .keywords = &name, .n_keywords = 1 };
    char *text, head[17] = "";
    struct yb_mailbox *m;
    uint32_t uid = 2;
    int fd;

    same_boot();
    help_open(&h);
    m = help_mailbox(&h, "Archive/2019");
    FAILS(yb_mailbox_store(m, &uid, 1, &op, &err), YB_PERM, YB_ERR_CANNOT);
    name = YB_STR("27th");
    OK(yb_mailbox_store(m, &uid, 1, &op, &err));
    yb_mailbox_close(&m);
    text = listing();
    ck_assert_ptr_nonnull(strstr(text, "keywords=(a26)(27th)"));
    ck_assert_ptr_nonnull(strstr(text,
                                 "keywords=(a1)(a2)(a3)(a4)(a5)(a6)(a7)(a8)(a9)(a10)(a11)(a12)"
                                 "(a13)(a14)(a15)(a16)(a17)(a18)(a19)(a20)(a21)(a22)(a23)"
                                 "(a24)(a25)(a26) "));
    free(text);
    fd = open(help_path(&h, ".Archive.2019/yubin-keywords"), O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(read(fd, head, 16), 16);
    close(fd);
    ck_assert_str_eq(head, "yubin-keywords 2");
}
END_TEST

/* Both forms at once: whoever died while it was written anew left this. */
START_TEST(test_half_way)
{
    struct yb_mailbox *m;

    same_boot();
    help_open(&h);
    m = help_mailbox(&h, "Sent");
    yb_mailbox_close(&m);
    help_reopen(&h);
    compare(0, "after one mailbox");
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("upgrade");
    TCase *tc = tcase_create("4b3effc");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_upgrade, 0, (int)YB_COUNT(ways));
    tcase_add_test(tc, test_more_keywords);
    tcase_add_test(tc, test_half_way);
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
