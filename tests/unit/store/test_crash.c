/*
 * Processes that are killed half-way, and system calls that fail, at every fault point in turn:
 * this binary runs itself as a child that makes one change, the parent (whose store stays open, as
 * another process would have it) looks afterwards. Only builds with --enable-faults have the
 * points.
 */
#include "tests/unit/store/help.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEW 100 /* number of the message that "put" delivers */

/* --- what the child does; 0 or -1 --- */

static int
with_mailbox(struct help *h, const char *name, int (*fn)(struct yb_mailbox *m, struct yb_err *err),
             struct yb_err *err)
{
    struct yb_mailbox *m = NULL;
    int rc = yb_mailbox_open(h->a, yb_str_from(name), &m, err);

    if (rc == 0)
        rc = fn(m, err);
    yb_mailbox_close(&m);
    return rc;
}

static int
child_put(struct help *h, struct yb_err *err)
{
    struct yb_put put = { .id = help_id(NEW) };
    struct yb_put_result out;

    return help_try_put(h->a, &put, NEW, 300, &out, err);
}

static int
child_append(struct help *h, struct yb_err *err)
{
    struct yb_put put = {
        .id = help_id(NEW), .flags = YB_FLAG_SEEN, .has_date = true, .internal_date = 1000000000
    };
    struct yb_put_result out;

    return help_try_put(h->a, &put, NEW, 300, &out, err);
}

static int
do_flags(struct yb_mailbox *m, struct yb_err *err)
{
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .flags = YB_FLAG_FLAGGED };

    return yb_mailbox_store(m, (uint32_t[]){ 1, 2, 3 }, 3, &op, err);
}

static int
child_flags(struct help *h, struct yb_err *err)
{
    return with_mailbox(h, "INBOX", do_flags, err);
}

static int
do_expunge(struct yb_mailbox *m, struct yb_err *err)
{
    return yb_mailbox_expunge(m, (uint32_t[]){ 2, 3 }, 2, false, true, err);
}

static int
child_expunge(struct help *h, struct yb_err *err)
{
    return with_mailbox(h, "INBOX", do_expunge, err);
}

static int
do_select(struct yb_mailbox *m, struct yb_err *err)
{
    struct yb_view v;
    int rc = yb_view_begin(m, false, &v, err);

    if (rc == 0)
        yb_view_end(m, &v);
    return rc;
}

static int
child_select(struct help *h, struct yb_err *err)
{
    return with_mailbox(h, "INBOX", do_select, err);
}

static int
transfer(struct help *h, bool move, struct yb_err *err)
{
    struct yb_mailbox *from = NULL, *to = NULL;
    uint32_t made[3], uids[] = { 1, 2, 4 };
    struct yb_copy out = { .new_uids = made };
    int rc = -1;

    if (yb_mailbox_open(h->a, YB_STR("INBOX"), &from, err) == 0 &&
        yb_mailbox_open(h->a, YB_STR("Other"), &to, err) == 0)
        rc = move ? yb_mailbox_move(from, uids, 3, to, &out, err)
                  : yb_mailbox_copy(from, uids, 3, to, 0, &out, err);
    yb_mailbox_close(&from);
    yb_mailbox_close(&to);
    return rc;
}

static int
child_copy(struct help *h, struct yb_err *err)
{
    return transfer(h, false, err);
}

static int
child_move(struct help *h, struct yb_err *err)
{
    return transfer(h, true, err);
}

static int
child_rename(struct help *h, struct yb_err *err)
{
    return yb_store_rename(h->a, YB_STR("A"), YB_STR("B"), err);
}

static int
child_delete(struct help *h, struct yb_err *err)
{
    return yb_store_delete(h->a, YB_STR("Other"), err);
}

static int
child_create(struct help *h, struct yb_err *err)
{
    return yb_store_create(h->a, YB_STR("C"), err);
}

/* Two foreign files lie in INBOX: looking adopts them. */
static int
child_adopt(struct help *h, struct yb_err *err)
{
    return child_select(h, err);
}

/* The index is gone: opening makes it anew. */
static int
child_rebuild(struct help *h, struct yb_err *err)
{
    return child_select(h, err);
}

/* So many deliveries that the ceilings are raised. */
static int
child_raise(struct help *h, struct yb_err *err)
{
    for (unsigned i = 0; i < 920; i++) {
        struct yb_put put = { .id = help_id(1000 + i) };
        struct yb_put_result out;

        if (help_try_put(h->a, &put, 1000 + i, 20, &out, err) < 0)
            return -1;
    }
    return 0;
}

static const struct scenario {
    const char *name;
    int (*run)(struct help *h, struct yb_err *err);
    const char *must_reach[6]; /* points that this has to pass */
} scenarios[] = {
    { "put", child_put, { "store.L1", "store.L2", "store.L3", "store.L4", "store.L5" } },
    { "append", child_append, { "store.L1", "store.L2", "store.L3", "store.L4", "store.L5" } },
    { "flags",
      child_flags,
      { "store.flags.begun", "store.flags.renamed", "store.flags.recorded" } },
    { "expunge",
      child_expunge,
      { "store.expunge.begun", "store.expunge.unlinked", "store.expunge.recorded" } },
    { "select", child_select, { "store.take.renamed" } },
    { "copy",
      child_copy,
      { "store.copy.begun", "store.copy.linked", "store.copy.recorded", "store.copy.synced" } },
    { "move",
      child_move,
      { "store.copy.begun", "store.move.renamed", "store.copy.recorded", "store.copy.synced" } },
    { "rename", child_rename, { "store.folder.begun", "store.folder.renamed" } },
    { "delete", child_delete, { "store.folder.gone", "store.folder.trashed" } },
    { "create", child_create, { "store.create" } },
    { "adopt", child_adopt, { "store.compare", "store.adopt" } },
    { "rebuild", child_rebuild, { "store.compare", "store.ceiling" } },
};

static int
child_main(const char *name)
{
    struct yb_err err = { 0 };
    struct help h;
    int rc = -1;

    help_child_open(&h);
    for (size_t i = 0; i < YB_COUNT(scenarios); i++) {
        if (strcmp(scenarios[i].name, name) == 0)
            rc = scenarios[i].run(&h, &err);
    }
    if (strcmp(name, "raise") == 0)
        rc = child_raise(&h, &err);
    help_close(&h);
    return rc == 0 ? 0 : err.class == YB_TEMP ? 1 : 3;
}

#ifdef YB_FAULTS

static const char *const folders[] = { "INBOX", "Other", "A", "A/x", "B", "B/x", "C" };

/* --- what the parent knows --- */

struct known {
    bool exists[YB_COUNT(folders)];
    struct help_map map[YB_COUNT(folders)];
};

static bool
has_folder(struct help *h, const char *name)
{
    struct yb_mailbox *m = NULL;
    struct yb_err err = { 0 };
    int rc = yb_mailbox_open(h->a, yb_str_from(name), &m, &err);

    ck_assert_msg(rc == 0 || err.class == YB_PERM, "%s: %s", name, err.text);
    yb_mailbox_close(&m);
    return rc == 0;
}

static void
know(struct help *h, struct known *k)
{
    for (size_t i = 0; i < YB_COUNT(folders); i++) {
        k->exists[i] = has_folder(h, folders[i]);
        k->map[i].n = 0;
        if (k->exists[i])
            help_map(h, folders[i], &k->map[i]);
    }
}

static void
prepare(struct help *h, const char *scenario, bool portable)
{
    help_root(h, portable);
    for (unsigned n = 1; n <= 5; n++)
        help_put(h, NULL, n, 100 * n, n == 5 ? YB_FLAG_SEEN : 0);
    help_put(h, "Other", 11, 50, 0);
    help_put(h, "A", 21, 60, 0);
    help_put(h, "A/x", 22, 70, 0);
    if (strcmp(scenario, "adopt") == 0) {
        help_write(help_path(h, "cur/1700000000.M1P2.other:2,F"), "Message 31\r\n", 12);
        help_write(help_path(h, "new/1700000001.M1P2.other"), "Message 32\r\n", 12);
    }
    if (strcmp(scenario, "rebuild") == 0) {
        help_reopen(h); /* an orderly stop looks at what it changed: before the damage */
        ck_assert_int_eq(unlink(help_path(h, "yubin-index")), 0);
    }
}

static void
folder_dir(const char *name, char out[64])
{
    size_t n = 0;

    if (strcmp(name, "INBOX") != 0) {
        n = (size_t)snprintf(out, 64, ".%s/", name);
        for (size_t i = 1; i + 1 < n; i++)
            out[i] = out[i] == '/' ? '.' : out[i];
    }
    out[n] = '\0';
}

/* What always holds: index and folders agree, usage is exact, no UID means another message. */
static void
look(struct help *h, const struct known *before, const char *what)
{
    struct known *after = yb_alloc(1, sizeof(*after));
    struct yb_usage sum = { 0 }, usage;
    char dir[64];

    know(h, after);
    for (size_t i = 0; i < YB_COUNT(folders); i++) {
        const struct help_map *a = &before->map[i], *b = &after->map[i];

        folder_dir(folders[i], dir);
        ck_assert_msg(b->n == help_files(h, dir), "%s: %s has %zu records, %zu files", what,
                      folders[i], b->n, help_files(h, dir));
        for (size_t k = 0; k < b->n; k++) {
            sum.bytes += b->v[k].size;
            sum.messages++;
            ck_assert_msg(b->v[k].n != 0, "%s: an empty message in %s", what, folders[i]);
            ck_assert_msg(k == 0 || b->v[k].uid > b->v[k - 1].uid, "%s: UIDs out of order", what);
            for (size_t j = 0; j < a->n && a->uidvalidity == b->uidvalidity; j++)
                ck_assert_msg(a->v[j].uid != b->v[k].uid || a->v[j].n == b->v[k].n,
                              "%s: UID %u of %s was another message", what, b->v[k].uid,
                              folders[i]);
        }
        ck_assert_msg(a->uidvalidity != b->uidvalidity || b->uidnext >= a->uidnext,
                      "%s: UIDNEXT of %s fell", what, folders[i]);
        ck_assert_msg(a->uidvalidity != b->uidvalidity || b->modseq >= a->modseq,
                      "%s: HIGHESTMODSEQ of %s fell", what, folders[i]);
    }
    usage = help_usage(h);
    ck_assert_msg(usage.bytes == sum.bytes && usage.messages == sum.messages,
                  "%s: usage is %llu bytes in %llu, should be %llu in %llu", what,
                  (unsigned long long)usage.bytes, (unsigned long long)usage.messages,
                  (unsigned long long)sum.bytes, (unsigned long long)sum.messages);
    yb_free(after);
}

/* How often message `n` is in the account. */
static unsigned
copies(struct help *h, unsigned n)
{
    struct known *k = yb_alloc(1, sizeof(*k));
    unsigned found = 0;

    know(h, k);
    for (size_t i = 0; i < YB_COUNT(folders); i++) {
        for (size_t j = 0; j < k->map[i].n; j++)
            found += k->map[i].v[j].n == n;
    }
    yb_free(k);
    return found;
}

/* Nothing that was there and was not to be removed is gone, or there twice. */
static void
look_at_messages(struct help *h, const char *scenario, const char *what)
{
    static const unsigned all[] = { 1, 2, 3, 4, 5, 11, 21, 22 };

    for (size_t i = 0; i < YB_COUNT(all); i++) {
        unsigned n = copies(h, all[i]);
        bool may_vanish = (strcmp(scenario, "expunge") == 0 && (all[i] == 2 || all[i] == 3)) ||
                          (strcmp(scenario, "delete") == 0 && all[i] == 11);
        bool may_double = strcmp(scenario, "copy") == 0;

        ck_assert_msg(n >= 1 || may_vanish, "%s: message %u is lost", what, all[i]);
        ck_assert_msg(n <= 1 || may_double, "%s: message %u is there %u times", what, all[i], n);
    }
}

/* A repeated hand-over after a kill at L1 or L2 stores; from L3 on it finds the first one. */
static void
look_at_put(struct help *h, const char *point, const char *what)
{
    struct yb_put put = { .id = help_id(NEW), .repeat = true };
    struct yb_put_result out;
    bool stored = strcmp(point, "store.L1") != 0 && strcmp(point, "store.L2") != 0;

    if (strncmp(point, "store.L", 7) == 0) {
        ck_assert_msg(copies(h, NEW) == (stored ? 1 : 0), "%s: %u copies", what, copies(h, NEW));
        OK(help_try_put(h->a, &put, NEW, 300, &out, &err));
        ck_assert_msg(out.duplicate == stored, "%s: duplicate %d", what, out.duplicate);
    }
    OK(help_try_put(h->a, &put, NEW, 300, &out, &err));
    ck_assert_msg(copies(h, NEW) == 1, "%s: %u copies after the repeat", what, copies(h, NEW));
}

static void
crash_at(const struct scenario *s, const char *point, unsigned visit, bool portable)
{
    struct known *before = yb_alloc(1, sizeof(*before));
    char fault[80], what[120];
    struct help h;
    int status;

    prepare(&h, s->name, portable);
    if (strcmp(s->name, "adopt") == 0 || strcmp(s->name, "rebuild") == 0) {
        for (size_t i = 1; i < YB_COUNT(folders); i++) { /* INBOX is the child's to find */
            before->exists[i] = has_folder(&h, folders[i]);
            if (before->exists[i])
                help_map(&h, folders[i], &before->map[i]);
        }
    } else {
        know(&h, before);
    }
    snprintf(fault, sizeof(fault), "%s:kill:%u", point, visit);
    snprintf(what, sizeof(what), "%s killed at %s, visit %u%s", s->name, point, visit,
             portable ? ", portable" : "");
    status = help_child(&h, s->name, fault);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s: status %x", what,
                  status);
    look(&h, before, what);
    look_at_messages(&h, s->name, what);
    if (s->run == child_put || s->run == child_append)
        look_at_put(&h, point, what);
    /* As nothing: the next process finishes the same change, or finds it done. */
    status = help_child(&h, s->name, "");
    ck_assert_msg(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3),
                  "%s: the next one: status %x", what, status);
    look(&h, before, what);
    help_reopen(&h);
    look(&h, before, what);
    ck_assert_uint_ge(help_put(&h, NULL, 55, 10, 0), before->map[0].uidnext);
    help_done(&h);
    yb_free(before);
}

/* How often a scenario passes a point. */
static unsigned
visits(const struct scenario *s, bool portable, const char *point)
{
    char path[] = "/tmp/yb-store-points-XXXXXX", line[64];
    int fd = mkstemp(path);
    unsigned found = 0;
    struct help h;
    FILE *f;

    close(fd);
    prepare(&h, s->name, portable);
    help_close(&h); /* so that its own work is not in the list */
    setenv("YB_FAULT_LOG", path, 1);
    ck_assert_int_eq(help_child(&h, s->name, ""), 0);
    unsetenv("YB_FAULT_LOG");
    help_open(&h);
    help_done(&h);
    f = fopen(path, "r");
    while (fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        found += strcmp(line, point) == 0;
    }
    fclose(f);
    unlink(path);
    return found;
}

START_TEST(test_kill)
{
    const struct scenario *s = &scenarios[_i / 2];
    bool portable = _i % 2 != 0;

    for (size_t i = 0; i < YB_COUNT(s->must_reach) && s->must_reach[i] != NULL; i++) {
        unsigned n = visits(s, portable, s->must_reach[i]);

        ck_assert_msg(n > 0, "%s does not pass %s", s->name, s->must_reach[i]);
        for (unsigned k = 1; k <= n && k <= 3; k++)
            crash_at(s, s->must_reach[i], k, portable);
    }
}
END_TEST

/* A system call that fails: either it does not matter, or the caller is told and nothing is half
 * done. */
static void
fail_at(const struct scenario *s, const char *point, unsigned visit, bool portable)
{
    struct known *before = yb_alloc(1, sizeof(*before));
    char fault[80], what[120];
    struct help h;
    int status;

    prepare(&h, s->name, portable);
    if (strcmp(s->name, "adopt") != 0 && strcmp(s->name, "rebuild") != 0)
        know(&h, before);
    snprintf(fault, sizeof(fault), "%s:fail:%u", point, visit);
    snprintf(what, sizeof(what), "%s with a failed %s, number %u%s", s->name, point, visit,
             portable ? ", portable" : "");
    status = help_child(&h, s->name, fault);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) <= 1, "%s: status %x", what, status);
    look(&h, before, what);
    look_at_messages(&h, WEXITSTATUS(status) == 1 && s->run == child_copy ? "" : s->name, what);
    if (s->run == child_put || s->run == child_append) {
        struct yb_put put = { .id = help_id(NEW), .repeat = true };
        struct yb_put_result out;

        ck_assert_msg(copies(&h, NEW) == (WEXITSTATUS(status) == 0 ? 1 : 0),
                      "%s: status %d and %u copies", what, WEXITSTATUS(status), copies(&h, NEW));
        OK(help_try_put(h.a, &put, NEW, 300, &out, &err));
        ck_assert_msg(copies(&h, NEW) == 1, "%s: the next try: %u", what, copies(&h, NEW));
    }
    help_done(&h);
    yb_free(before);
}

START_TEST(test_fail)
{
    static const char *const points[] = { "store.write", "store.fsync", "store.link",
                                          "store.rename", "store.unlink" };
    const struct scenario *s = &scenarios[_i / 2];
    bool portable = _i % 2 != 0;

    for (size_t i = 0; i < YB_COUNT(points); i++) {
        unsigned n = visits(s, portable, points[i]);

        for (unsigned k = 1; k <= n; k++)
            fail_at(s, points[i], k, portable);
    }
}
END_TEST

/* Killed while a ceiling is raised: what was given stays given. */
START_TEST(test_kill_at_ceiling)
{
    struct help_map *before = yb_alloc(1, sizeof(*before));
    struct help h;
    int status;

    help_root(&h, false);
    help_put(&h, NULL, 1, 20, 0);
    help_map(&h, "INBOX", before);
    status = help_child(&h, "raise", "store.ceiling:kill:1");
    ck_assert_msg(WIFSIGNALED(status), "status %x", status);
    /* The child had given UIDs up to its place in the index; the next one is above all of them. */
    ck_assert_uint_eq(help_put(&h, NULL, 2, 20, 0), help_files(&h, ""));
    help_done(&h);
    yb_free(before);
}
END_TEST
#endif

int
main(void)
{
    const char *child = getenv("YB_TEST_CHILD");
    Suite *s;
    TCase *tc;
    SRunner *r;
    int failed;

    if (child != NULL)
        return child_main(child);
    s = suite_create("crash");
    tc = tcase_create("crash");
    tcase_set_timeout(tc, 600);
#ifdef YB_FAULTS
    tcase_add_loop_test(tc, test_kill, 0, 2 * (int)YB_COUNT(scenarios));
    tcase_add_loop_test(tc, test_fail, 0, 2 * (int)YB_COUNT(scenarios));
    tcase_add_test(tc, test_kill_at_ceiling);
#endif
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
