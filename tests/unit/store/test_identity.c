/*
 * Files beside a Maildir are lost one after the other while two processes and their sessions go on.
 * Whatever is lost, in whatever order: a mailbox that is opened by name is there, and a UID of a
 * UIDVALIDITY never names another message, nor does what a session kept.
 */
#include "lib/store/uidfile.h"
#include "tests/unit/store/help.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SESSIONS 6
#define STEPS 150
#define SEEDS 10
#define TOLD_MOST 16384

static struct help procs[2];
static struct yb_arena *arena;
static unsigned seed;

static unsigned
chance(unsigned n)
{
    return (unsigned)rand_r(&seed) % n;
}

/* --- losses --- */

enum how { REMOVED, OVERWRITTEN, CUT, SLOT, RECORD };

static void
damage(const char *path, enum how how)
{
    char junk[8192];
    int fd;

    if (how == REMOVED) {
        (void)!unlink(path);
        return;
    }
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) /* lost before, and not yet made again */
        return;
    memset(junk, 0xa5, sizeof(junk));
    if (how == CUT)
        ck_assert_int_eq(ftruncate(fd, 700), 0);
    else if (how == RECORD)
        ck_assert_int_ge(pwrite(fd, junk, 100, 700), 0);
    else
        ck_assert_int_ge(pwrite(fd, junk, how == SLOT ? 512 : sizeof(junk), 0), 0);
    close(fd);
}

static void
copy_file(const char *from, const char *to)
{
    char text[4096];
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof(text));

    ck_assert_int_gt(n, 0);
    close(fd);
    help_write(to, text, (size_t)n);
}

static const struct loss {
    const char *name, *file[3];
    enum how how;
} losses[] = {
    { "index removed", { "yubin-index" }, REMOVED },
    { "index overwritten", { "yubin-index" }, OVERWRITTEN },
    { "index cut", { "yubin-index" }, CUT },
    { "index, a record", { "yubin-index" }, RECORD },
    { "lock removed", { "../lock" }, REMOVED },
    { "lock overwritten", { "../lock" }, OVERWRITTEN },
    { "lock cut", { "../lock" }, CUT },
    { "uid, one slot", { "yubin-uid" }, SLOT },
    { "uid removed", { "yubin-uid" }, REMOVED },
    { "uid overwritten", { "yubin-uid" }, OVERWRITTEN },
    { "cache removed", { "yubin-cache" }, REMOVED },
    { "cache overwritten", { "yubin-cache" }, OVERWRITTEN },
    { "uid and index removed", { "yubin-uid", "yubin-index" }, REMOVED },
    { "uid and index overwritten", { "yubin-uid", "yubin-index" }, OVERWRITTEN },
    { "uid, index and lock removed", { "yubin-uid", "yubin-index", "../lock" }, REMOVED },
    { "lock and uid overwritten", { "../lock", "yubin-uid" }, OVERWRITTEN },
};

static void
lose(const struct loss *l)
{
    for (size_t i = 0; i < YB_COUNT(l->file) && l->file[i] != NULL; i++)
        damage(help_path(&procs[0], l->file[i]), l->how);
    help_settle(&procs[0]);
}

/* --- what was told --- */

struct told {
    uint32_t uidvalidity, uid;
    unsigned n; /* of "Message <n>" */
};

static struct told told[TOLD_MOST];
static size_t n_told;
static unsigned n_messages, n_gone;
static bool flagged[STEPS + 2], gone[STEPS + 2];
static char history[16384]; /* of a run, for who has to look why it failed */

static void
note(const char *what, unsigned who)
{
    size_t n = strlen(history);

    snprintf(history + n, sizeof(history) - n, " %s/%u", what, who);
}

#define MUST(call)                                                                                 \
    do {                                                                                           \
        struct yb_err err = { 0 };                                                                 \
        int rc_ = (call);                                                                          \
        ck_assert_msg(rc_ >= 0, #call ": %s %s;%s", err.status, err.text, history);                \
    } while (0)

static const struct told *
told_find(uint32_t uidvalidity, uint32_t uid)
{
    for (size_t i = 0; i < n_told; i++) {
        if (told[i].uidvalidity == uidvalidity && told[i].uid == uid)
            return &told[i];
    }
    return NULL;
}

static void
tell(uint32_t uidvalidity, uint32_t uid, unsigned n)
{
    const struct told *t = told_find(uidvalidity, uid);

    if (t == NULL) {
        ck_assert_uint_lt(n_told, TOLD_MOST);
        told[n_told++] = (struct told){ uidvalidity, uid, n };
        return;
    }
    ck_assert_msg(t->n == n, "UID %u of %u was message %u and is %u;%s", uid, uidvalidity, t->n, n,
                  history);
}

/* --- sessions --- */

struct session {
    struct help *p;
    struct yb_mailbox *m; /* NULL while it rests */
    struct yb_view v;
    bool selected;
};

static struct session sessions[SESSIONS];

static unsigned
message_number(int fd)
{
    char text[64] = "";
    unsigned n = 0;

    ck_assert_int_ge(read(fd, text, sizeof(text) - 1), 0);
    close(fd);
    ck_assert_int_eq(sscanf(text, "Message %u", &n), 1);
    return n;
}

static void
deselect(struct session *s)
{
    if (s->m != NULL)
        yb_view_end(s->m, &s->v);
    yb_mailbox_close(&s->m);
    s->selected = false;
}

/* SELECT works, and shows what there is. */
static void
do_select(struct session *s)
{
    bool seen[STEPS + 2] = { false };
    const struct yb_rows *rows = NULL;

    deselect(s);
    MUST(yb_mailbox_open(s->p->a, YB_STR("INBOX"), &s->m, &err));
    MUST(yb_view_begin(s->m, chance(2) == 0, &s->v, &err));
    MUST(yb_view_rows(s->m, &s->v, &rows, &err));
    s->selected = true;
    ck_assert_msg(rows->n == n_messages - n_gone, "%zu messages of %u;%s", rows->n,
                  n_messages - n_gone, history);
    for (size_t i = 0; i < rows->n; i++) {
        const struct yb_record *r = &rows->v[i];
        unsigned n;
        int fd;

        MUST(yb_mailbox_message(s->m, r, &fd, &err));
        n = message_number(fd);
        ck_assert_uint_lt(n, n_messages);
        ck_assert_msg(!gone[n] && !seen[n], "message %u is there;%s", n, history);
        seen[n] = true;
        tell(s->v.uidvalidity, r->uid, n);
        ck_assert_msg(((r->flags & YB_FLAG_FLAGGED) != 0) == flagged[n], "flags of message %u;%s",
                      n, history);
    }
    yb_rows_release(&rows);
}

/* The selected mailbox is there, or lost: whatever else is wrong. */
static bool
lost(struct session *s, int rc, const struct yb_err *err)
{
    if (rc == 0)
        return false;
    ck_assert_msg(err->class == YB_PERM, "%s %s;%s", err->status, err->text, history);
    deselect(s);
    return true;
}

/* One message of the view, as imapd finds it; false when the view is lost or empty. */
static bool
pick(struct session *s, struct yb_record *out, unsigned *n)
{
    const struct yb_rows *rows = NULL;
    struct yb_err err = { 0 };
    const struct told *t;
    size_t at;

    if (s->m == NULL && s->selected &&
        lost(s, yb_mailbox_resume(s->p->a, "", s->v.uidvalidity, &s->m, &err), &err))
        return false;
    if (!s->selected || lost(s, yb_view_rows(s->m, &s->v, &rows, &err), &err))
        return false;
    at = rows->n == 0 ? 0 : chance((unsigned)rows->n);
    t = rows->n == 0 ? NULL : told_find(s->v.uidvalidity, rows->v[at].uid);
    if (t != NULL) {
        *out = rows->v[at];
        *n = t->n;
    }
    yb_rows_release(&rows);
    return t != NULL && !out->expunged;
}

static void
do_changes(struct session *s)
{
    struct yb_changes c;
    struct yb_record r;
    unsigned n;

    if (!pick(s, &r, &n))
        return;
    MUST(yb_view_changes(s->m, &s->v, chance(2) == 0, arena, &c, &err));
    if (c.invalid)
        deselect(s);
}

static void
do_fetch(struct session *s)
{
    struct yb_err err = { 0 };
    struct yb_record r;
    unsigned n;
    int fd;

    if (pick(s, &r, &n) && !lost(s, yb_mailbox_message(s->m, &r, &fd, &err), &err))
        ck_assert_msg(message_number(fd) == n, "not message %u;%s", n, history);
}

static void
do_flag(struct session *s)
{
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .flags = YB_FLAG_FLAGGED };
    struct yb_err err = { 0 };
    struct yb_record r;
    unsigned n;

    if (pick(s, &r, &n) && !lost(s, yb_mailbox_store(s->m, &r.uid, 1, &op, &err), &err))
        flagged[n] = true;
}

/* Message 0 stays: its name tells which UIDVALIDITY was given last. */
static void
do_expunge(struct session *s)
{
    struct yb_err err = { 0 };
    struct yb_record r;
    unsigned n;

    if (!pick(s, &r, &n) || n == 0 ||
        lost(s, yb_mailbox_expunge(s->m, &r.uid, 1, false, false, &err), &err))
        return;
    n_gone += !gone[n];
    gone[n] = true;
}

/* What was parsed of a message is never another's. */
static void
do_parse(struct session *s)
{
    struct yb_str got, want;
    struct yb_record r;
    unsigned n;

    if (!pick(s, &r, &n))
        return;
    want = yb_arena_printf(arena, "parsed %u", n);
    if (yb_mailbox_cache_get(s->m, &r, arena, &got))
        ck_assert_msg(yb_str_eq(got, want), "%.*s, not %s;%s", YB_STR_ARG(got), want.p, history);
    else
        yb_mailbox_cache_put(s->m, &r, want);
}

static void
do_rest(struct session *s)
{
    yb_mailbox_close(&s->m);
}

static void
do_status(struct session *s)
{
    struct yb_mailbox *m = NULL;
    struct yb_mailbox_status st;

    MUST(yb_mailbox_open(s->p->a, YB_STR("INBOX"), &m, &err));
    MUST(yb_mailbox_status_read(m, &st, &err));
    ck_assert_msg(st.messages == n_messages - n_gone, "STATUS;%s", history);
    yb_mailbox_close(&m);
}

static void
do_put(struct session *s)
{
    struct yb_put put = { .id = help_id(n_messages) };
    struct yb_put_result out;

    MUST(help_try_put(s->p->a, &put, n_messages, 100, &out, &err));
    tell(out.uidvalidity, out.uid, n_messages++);
}

static const struct {
    const char *name;
    void (*run)(struct session *s);
} doings[] = {
    { "select", do_select },   { "select", do_select }, { "put", do_put },
    { "changes", do_changes }, { "fetch", do_fetch },   { "flag", do_flag },
    { "expunge", do_expunge }, { "parse", do_parse },   { "rest", do_rest },
    { "status", do_status },
};

static void
begin(void)
{
    help_root(&procs[0], true);
    procs[1] = procs[0];
    help_open(&procs[1]);
    arena = yb_arena_new(4096);
    for (unsigned i = 0; i < SESSIONS; i++)
        sessions[i].p = &procs[i % 2];
    do_put(&sessions[0]);
}

static void
end(void)
{
    for (unsigned i = 0; i < SESSIONS; i++)
        deselect(&sessions[i]);
    yb_arena_free(&arena);
    help_close(&procs[1]);
    help_done(&procs[0]);
}

/* The seed is the number of the loop. */
START_TEST(test_losses)
{
    seed = (unsigned)_i;
    begin();
    for (unsigned i = 0; i < STEPS; i++) {
        unsigned k = chance(SESSIONS), what = chance(YB_COUNT(doings));

        if (chance(4) == 0) {
            const struct loss *l = &losses[chance(YB_COUNT(losses))];

            note(l->name, 0);
            lose(l);
        }
        note(doings[what].name, k);
        doings[what].run(&sessions[k]);
        yb_arena_reset(arena);
    }
    for (unsigned i = 0; i < SESSIONS; i++)
        do_select(&sessions[i]);
    end();
}
END_TEST

/* Selected anew as imapd does it; the first time after a loss may find trouble, the second may not. */
static void
select_again(struct session *s)
{
    struct yb_mailbox *m = NULL;

    if (yb_mailbox_open(s->p->a, YB_STR("INBOX"), &m, NULL) == 0)
        yb_mailbox_close(&m);
    do_select(s);
}

/* A session goes on in the process all the while, so what it was told stays in memory. */
START_TEST(test_one_after_the_other)
{
    static const char *const names[] = {
        "index removed",         "index overwritten", "index cut",
        "lock removed",          "lock overwritten",  "uid, one slot",
        "uid and index removed", "uid overwritten",   "index removed"
    };

    begin();
    do_select(&sessions[0]);
    do_put(&sessions[0]);
    for (size_t i = 0; i < YB_COUNT(names); i++) {
        for (size_t k = 0; k < YB_COUNT(losses); k++) {
            if (strcmp(losses[k].name, names[i]) == 0)
                lose(&losses[k]);
        }
        note(names[i], 0);
        select_again(&sessions[2]);
        do_changes(&sessions[0]);
        select_again(&sessions[1]);
        do_put(&sessions[1]);
        do_select(&sessions[4]);
    }
    end();
}
END_TEST

/* An older yubin-uid, put back when the index is lost, too: nothing tells that more was given. Views
 * of before are over, new ones are not. */
START_TEST(test_put_back)
{
    char aside[680], uid[640];
    struct yb_changes c;

    begin();
    snprintf(uid, sizeof(uid), "%s", help_path(&procs[0], "yubin-uid"));
    snprintf(aside, sizeof(aside), "%s.aside", uid);
    copy_file(uid, aside);
    do_select(&sessions[0]);
    for (unsigned i = 0; i < 2; i++) {
        damage(help_path(&procs[0], "yubin-index"), REMOVED);
        do_select(&sessions[2]);
    }
    damage(help_path(&procs[0], "yubin-index"), REMOVED);
    ck_assert_int_eq(rename(aside, uid), 0);
    for (unsigned i = 0; i < 2; i++)
        do_select(&sessions[4]);
    MUST(yb_view_changes(sessions[2].m, &sessions[2].v, true, arena, &c, &err));
    ck_assert(c.invalid);
    end();
}
END_TEST

/* An index that is whole goes on until its ceiling; then it shows that yubin-uid is gone. */
START_TEST(test_ceiling_lost)
{
    struct yb_put put = { .mailbox = NULL };
    struct yb_put_result first, last;

    begin();
    MUST(help_try_put(procs[0].a, &put, 0, 40, &first, &err));
    damage(help_path(&procs[0], "yubin-uid"), REMOVED);
    for (unsigned i = 0; i < YB_UID_AHEAD + 10; i++)
        MUST(help_try_put(procs[0].a, &put, i, 40, &last, &err));
    ck_assert_uint_gt(last.uidvalidity, first.uidvalidity);
    end();
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("identity");
    TCase *tc = tcase_create("identity");
    SRunner *r;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_one_after_the_other);
    tcase_add_test(tc, test_put_back);
    tcase_add_test(tc, test_ceiling_lost);
    tcase_add_loop_test(tc, test_losses, 1, 1 + SEEDS);
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
