/* Views, flags, copies, keywords, cache and folders, with two sessions looking at each other. */
#include "tests/unit/store/help.h"

#include "lib/store/handles.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct help h;
static struct yb_arena *arena;

static void
setup(void)
{
    help_root(&h, false);
    arena = yb_arena_new(65536);
}

static void
setup_portable(void)
{
    help_root(&h, true);
    arena = yb_arena_new(65536);
}

static void
teardown(void)
{
    yb_arena_free(&arena);
    help_done(&h);
}

static void
put_many(unsigned n)
{
    for (unsigned i = 1; i <= n; i++)
        ck_assert_uint_eq(help_put(&h, NULL, i, 100 + i, 0), i);
}

START_TEST(test_delivery)
{
    struct yb_mailbox *m;
    struct yb_mailbox_status st;
    struct help_map map;
    struct yb_view v;

    put_many(3);
    help_put(&h, NULL, 4, 50, YB_FLAG_SEEN | YB_FLAG_FLAGGED);
    m = help_mailbox(&h, "inbox");
    st = help_status(m);
    ck_assert_uint_eq(st.messages, 4);
    ck_assert_uint_eq(st.uidnext, 5);
    ck_assert_uint_eq(st.unseen, 3);
    ck_assert_uint_eq(st.recent, 4);
    ck_assert_uint_eq(st.bytes, 101 + 102 + 103 + 50);
    ck_assert_uint_eq(help_usage(&h).bytes, st.bytes);
    ck_assert_uint_eq(help_usage(&h).messages, 4);
    /* EXAMINE takes nothing, SELECT moves new/ to cur/ and takes \Recent. */
    OK(yb_view_begin(m, true, &v, &err));
    ck_assert(v.n_recent == 1 && v.recent[0].from == 1 && v.recent[0].to == 5);
    yb_view_end(m, &v);
    ck_assert_uint_eq(help_status(m).recent, 4);
    OK(yb_view_begin(m, false, &v, &err));
    ck_assert(v.n_recent == 1 && v.recent[0].from == 1 && v.recent[0].to == 5);
    ck_assert_uint_eq(help_status(m).recent, 0);
    yb_view_end(m, &v);
    OK(yb_view_begin(m, false, &v, &err));
    ck_assert_uint_eq(v.n_recent, 0);
    yb_view_end(m, &v);
    yb_mailbox_close(&m);
    help_map(&h, "INBOX", &map);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_eq(map.v[i].n, i + 1);
    ck_assert_uint_eq(map.v[3].flags, YB_FLAG_SEEN | YB_FLAG_FLAGGED);
}
END_TEST

static size_t
in_new(void)
{
    DIR *dir = opendir(help_path(&h, "new"));
    size_t n = 0;

    ck_assert_ptr_nonnull(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void
look(struct yb_mailbox *m, struct yb_view *v, uint32_t exists, uint32_t recent)
{
    struct yb_arena *a = yb_arena_new(1024);
    struct yb_changes changes;

    OK(yb_view_changes(m, v, true, a, &changes, &err));
    ck_assert_uint_eq(changes.exists, exists);
    ck_assert_uint_eq(changes.recent, recent);
    yb_arena_free(&a);
}

/* A message is \Recent to the first read-write session that is told of it, and to no other. */
START_TEST(test_recent_once)
{
    struct yb_mailbox *m = help_mailbox(&h, "inbox");
    struct yb_view v[2], ex;
    uint32_t uid;

    OK(yb_view_begin(m, false, &v[0], &err));
    OK(yb_view_begin(m, false, &v[1], &err));
    OK(yb_view_begin(m, true, &ex, &err));
    for (uid = 1; uid <= 2 * YB_RECENT_RANGES; uid++) {
        unsigned first = uid % 2;

        help_put(&h, NULL, uid, 100, 0);
        look(m, &ex, uid, uid); /* which takes nothing away */
        ck_assert_uint_eq(help_status(m).recent, 1);
        look(m, &v[first], uid, (uid + 1) / 2);
        ck_assert_uint_eq(help_status(m).recent, 0);
        look(m, &v[!first], uid, uid / 2);
        ck_assert(yb_view_is_recent(&v[first], uid) && !yb_view_is_recent(&v[!first], uid));
    }
    yb_view_end(m, &ex);
    yb_view_end(m, &v[0]);
    /* Who has taken turns so often goes without: what nobody has is for who comes next. */
    help_put(&h, NULL, uid, 100, 0);
    look(m, &v[1], uid, YB_RECENT_RANGES);
    ck_assert_uint_eq(help_status(m).recent, 1);
    ck_assert_uint_eq(in_new(), uid);
    yb_view_end(m, &v[1]);
    OK(yb_view_begin(m, false, &v[0], &err));
    ck_assert(v[0].n_recent == 1 && v[0].recent[0].from == uid && v[0].recent[0].to == uid + 1);
    yb_view_end(m, &v[0]);
    ck_assert_uint_eq(help_status(m).recent, 0);
    ck_assert_uint_eq(in_new(), 0);
    yb_mailbox_close(&m);
}
END_TEST

START_TEST(test_modes)
{
    struct stat st;

    put_many(1);
    ck_assert_int_eq(stat(help_path(&h, ""), &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    ck_assert_int_eq(stat(help_path(&h, "yubin-index"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(stat(help_path(&h, "../lock"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

/* A symbolic link in the way is not followed, whoever put it there. */
START_TEST(test_no_symlinks)
{
    struct yb_mailbox *m = NULL;
    char target[700];

    put_many(1);
    snprintf(target, sizeof(target), "%s/elsewhere", h.root);
    ck_assert_int_eq(mkdir(target, 0700), 0);
    ck_assert_int_eq(symlink(target, help_path(&h, ".Out")), 0);
    FAILS(yb_mailbox_open(h.a, YB_STR("Out"), &m, &err), YB_TEMP, YB_ERR_OTHER);
    ck_assert_int_eq(unlink(help_path(&h, ".Out")), 0);
    ck_assert_int_eq(rmdir(target), 0); /* nothing was made in it */
}
END_TEST

/* Two sessions: one expunges and flags, the other is told, in the order and numbers of RFC 3501. */
START_TEST(test_changes)
{
    struct yb_mailbox *m;
    struct yb_view a, b;
    struct yb_changes c;
    const struct yb_rows *rows;
    uint32_t gone[] = { 2, 4, 5 }, flagged[] = { 6, 7 };
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .flags = YB_FLAG_FLAGGED };

    put_many(8);
    m = help_mailbox(&h, "INBOX");
    OK(yb_view_begin(m, false, &a, &err));
    OK(yb_view_begin(m, false, &b, &err));
    OK(yb_mailbox_expunge(m, gone, 3, false, false, &err));
    OK(yb_mailbox_store(m, flagged, 2, &op, &err));
    help_put(&h, NULL, 9, 10, 0);

    /* Without expunges (during FETCH): the dead keep their numbers, flags are told by them. */
    OK(yb_view_changes(m, &b, false, arena, &c, &err));
    ck_assert_uint_eq(c.n_expunged, 0);
    ck_assert_uint_eq(c.exists, 9);
    ck_assert(c.more);
    ck_assert_uint_eq(c.n_flags, 2);
    ck_assert_uint_eq(c.flags[0].seq, 6);
    ck_assert_uint_eq(c.flags[0].record.uid, 6);
    OK(yb_view_rows(m, &b, &rows, &err));
    ck_assert_uint_eq(rows->n, 9);
    ck_assert(rows->v[1].expunged && rows->v[1].uid == 2);
    ck_assert_uint_eq(yb_rows_find(rows, 4), 3);
    yb_rows_release(&rows);

    /* Then with them. */
    OK(yb_view_changes(m, &b, true, arena, &c, &err));
    ck_assert_uint_eq(c.n_expunged, 3);
    ck_assert_uint_eq(c.expunged[0], 2);
    ck_assert_uint_eq(c.expunged[1], 3);
    ck_assert_uint_eq(c.expunged[2], 3);
    ck_assert_uint_eq(c.expunged_uids[2], 5);
    ck_assert_uint_eq(c.n_flags, 0);
    ck_assert_uint_eq(c.exists, 6);
    ck_assert(!c.more);

    /* The first session, all at once: numbers of flags count after the expunges. */
    OK(yb_view_changes(m, &a, true, arena, &c, &err));
    ck_assert_uint_eq(c.n_expunged, 3);
    ck_assert_uint_eq(c.n_flags, 2);
    ck_assert_uint_eq(c.flags[0].seq, 3);
    ck_assert_uint_eq(c.flags[1].seq, 4);
    ck_assert_uint_eq(c.exists, 6);
    OK(yb_view_changes(m, &a, true, arena, &c, &err));
    ck_assert_uint_eq(c.n_expunged + c.n_flags, 0);
    yb_view_end(m, &a);
    yb_view_end(m, &b);
    yb_mailbox_close(&m);
}
END_TEST

/* Many changes are told some at a time, each once, in numbers that fit what was told before. */
START_TEST(test_changes_in_pieces)
{
    struct yb_store_conf conf = { .root = h.root, .changes_at_once = 3 };
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .flags = YB_FLAG_FLAGGED };
    const struct yb_rows *rows;
    struct yb_mailbox *m;
    struct yb_store_account *a;
    struct yb_changes c;
    struct yb_view v;
    struct yb_store *s;
    uint32_t shown[20], n_shown = 20, uid;
    bool flagged[21] = { false };
    size_t pieces = 0;

    put_many(20);
    for (uint32_t i = 0; i < 20; i++)
        shown[i] = i + 1;
    OK(yb_store_root_open(&conf, NULL, &s, &err));
    OK(yb_store_open(s, h.id, false, &a, &err));
    OK(yb_mailbox_open(a, YB_STR("INBOX"), &m, &err));
    OK(yb_view_begin(m, false, &v, &err));
    for (uid = 20; uid >= 1; uid--) {
        if (uid % 3 == 0)
            OK(yb_mailbox_expunge(m, &uid, 1, false, false, &err));
        else if (uid % 2 == 0)
            OK(yb_mailbox_store(m, &uid, 1, &op, &err));
    }
    do {
        OK(yb_view_changes(m, &v, true, arena, &c, &err));
        ck_assert(!c.invalid);
        ck_assert_uint_le(c.n_expunged, 3);
        ck_assert_uint_le(c.n_flags, 3);
        for (size_t i = 0; i < c.n_expunged; i++) {
            ck_assert_uint_eq(shown[c.expunged[i] - 1], c.expunged_uids[i]);
            ck_assert_uint_eq(c.expunged_uids[i] % 3, 0);
            n_shown--;
            memmove(shown + c.expunged[i] - 1, shown + c.expunged[i],
                    (n_shown - c.expunged[i] + 1) * sizeof(shown[0]));
        }
        for (size_t i = 0; i < c.n_flags; i++) {
            uid = c.flags[i].record.uid;
            ck_assert_uint_eq(shown[c.flags[i].seq - 1], uid);
            ck_assert(!flagged[uid]);
            flagged[uid] = true;
        }
        ck_assert_uint_eq(c.exists, n_shown);
        OK(yb_view_rows(m, &v, &rows, &err));
        ck_assert_uint_eq(rows->n, n_shown);
        for (size_t i = 0; i < rows->n; i++)
            ck_assert_uint_eq(rows->v[i].uid, shown[i]);
        yb_rows_release(&rows);
        pieces++;
    } while (c.unfinished);
    ck_assert_uint_ge(pieces, 3);
    ck_assert_uint_eq(n_shown, 14);
    for (uid = 1; uid <= 20; uid++)
        ck_assert(flagged[uid] == (uid % 2 == 0 && uid % 3 != 0));
    OK(yb_view_changes(m, &v, true, arena, &c, &err));
    ck_assert_uint_eq(c.n_expunged + c.n_flags, 0);
    yb_view_end(m, &v);
    yb_mailbox_close(&m);
    yb_store_close(&a);
    yb_store_root_close(&s);
}
END_TEST

START_TEST(test_expunged_message)
{
    struct yb_mailbox *m;
    struct yb_view v;
    const struct yb_rows *rows;
    uint32_t uid = 2;
    int fd;

    put_many(3);
    m = help_mailbox(&h, "INBOX");
    OK(yb_view_begin(m, false, &v, &err));
    OK(yb_view_rows(m, &v, &rows, &err));
    OK(yb_mailbox_expunge(m, &uid, 1, false, true, &err));
    FAILS(yb_mailbox_message(m, &rows->v[1], &fd, &err), YB_PERM, YB_ERR_GONE);
    OK(yb_mailbox_message(m, &rows->v[2], &fd, &err));
    close(fd);
    yb_rows_release(&rows);
    yb_view_end(m, &v);
    yb_mailbox_close(&m);
    ck_assert_uint_eq(help_files(&h, ""), 2);
}
END_TEST

START_TEST(test_only_deleted)
{
    struct yb_mailbox *m;
    uint32_t uids[] = { 1, 2, 3 }, one[] = { 2 };
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .flags = YB_FLAG_DELETED };

    put_many(3);
    m = help_mailbox(&h, "INBOX");
    OK(yb_mailbox_store(m, one, 1, &op, &err));
    ck_assert_uint_eq(help_status(m).deleted, 1);
    ck_assert_uint_eq(help_status(m).deleted_bytes, 102);
    OK(yb_mailbox_expunge(m, uids, 3, true, false, &err));
    ck_assert_uint_eq(help_status(m).messages, 2);
    ck_assert_uint_eq(help_status(m).deleted, 0);
    ck_assert_uint_eq(help_usage(&h).bytes, 204);
    yb_mailbox_close(&m);
}
END_TEST

/* No change, no new MODSEQ; UNCHANGEDSINCE keeps its hands off what changed. */
START_TEST(test_store_flags)
{
    struct yb_mailbox *m;
    uint32_t uids[] = { 1, 2, 3 }, failed[3];
    struct yb_store_flags add = { .op = YB_FLAGS_ADD, .flags = YB_FLAG_SEEN };
    struct yb_store_flags cond = { .op = YB_FLAGS_SET,
                                   .flags = YB_FLAG_ANSWERED,
                                   .failed = failed };
    uint64_t modseq;
    struct help_map map;

    put_many(3);
    m = help_mailbox(&h, "INBOX");
    OK(yb_mailbox_store(m, uids, 2, &add, &err));
    modseq = help_status(m).highest_modseq;
    OK(yb_mailbox_store(m, uids, 2, &add, &err));
    ck_assert_uint_eq(help_status(m).highest_modseq, modseq);
    cond.unchanged_since = modseq - 1;
    OK(yb_mailbox_store(m, uids, 3, &cond, &err));
    ck_assert_uint_eq(cond.n_failed, 2);
    ck_assert_uint_eq(failed[0], 1);
    ck_assert_uint_eq(failed[1], 2);
    ck_assert_uint_eq(help_status(m).highest_modseq, modseq + 1);
    ck_assert_uint_eq(help_status(m).unseen, 1);
    yb_mailbox_close(&m);
    help_map(&h, "INBOX", &map);
    ck_assert_uint_eq(map.v[0].flags, YB_FLAG_SEEN);
    ck_assert_uint_eq(map.v[2].flags, YB_FLAG_ANSWERED);
    ck_assert_uint_eq(map.v[2].modseq, modseq + 1);
}
END_TEST

/* Deleted by another session: gone, and not a trouble of the disk. */
START_TEST(test_keyword_gone)
{
    struct yb_str name = YB_STR("$Label1");
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .keywords = &name, .n_keywords = 1 };
    struct yb_mailbox *m;
    uint32_t uid = 1;

    OK(yb_store_create(h.a, YB_STR("Gone"), &err));
    m = help_mailbox(&h, "Gone");
    OK(yb_store_delete(h.a, YB_STR("Gone"), &err));
    FAILS(yb_mailbox_store(m, &uid, 1, &op, &err), YB_PERM, YB_ERR_NOT_FOUND);
    yb_mailbox_close(&m);
}
END_TEST

START_TEST(test_copy)
{
    struct yb_mailbox *from, *to;
    uint32_t uids[] = { 1, 3, 4, 9 }, made[4], again[4];
    struct yb_copy out = { .new_uids = made };
    struct yb_str words[] = { YB_STR_INIT("one"), YB_STR_INIT("two"), YB_STR_INIT("other") };
    struct yb_store_flags op = {
        .op = YB_FLAGS_SET, .flags = YB_FLAG_SEEN, .keywords = words, .n_keywords = 2
    };
    struct help_map a, b;

    put_many(4);
    OK(yb_store_create(h.a, YB_STR("Sent"), &err));
    from = help_mailbox(&h, "INBOX");
    to = help_mailbox(&h, "Sent");
    OK(yb_mailbox_store(from, uids + 1, 1, &op, &err));
    op.keywords = words + 1;
    OK(yb_mailbox_store(from, uids + 1, 1, &op, &err));
    OK(yb_mailbox_copy(from, uids, 4, to, 0, &out, &err));
    ck_assert_uint_eq(out.n_done, 3);
    ck_assert_uint_eq(made[0], 1);
    ck_assert_uint_eq(made[2], 3);
    ck_assert_uint_eq(made[3], 0);
    ck_assert_uint_eq(out.uidvalidity, yb_mailbox_uidvalidity(to));
    ck_assert_uint_eq(help_usage(&h).messages, 7);
    help_map(&h, "INBOX", &a);
    help_map(&h, "Sent", &b);
    ck_assert_uint_eq(a.n, 4);
    ck_assert_uint_eq(b.n, 3);
    ck_assert_uint_eq(b.v[1].n, 3);
    ck_assert_uint_eq(b.v[1].flags, YB_FLAG_SEEN);
    ck_assert_uint_eq(a.v[2].keywords, 2 | 4); /* one, two, other */
    ck_assert_uint_eq(b.v[1].keywords, 1 | 2); /* two, other */
    ck_assert(!yb_delivery_id_eq(a.v[2].id, b.v[1].id));
    ck_assert_int_eq(b.v[0].internal_date, a.v[0].internal_date);
    /* Over quota nothing is copied. */
    FAILS(yb_mailbox_copy(from, uids, 3, to, help_usage(&h).bytes + 200, &out, &err), YB_PERM,
          YB_ERR_FULL);
    ck_assert_uint_eq(help_usage(&h).messages, 7);
    ck_assert_uint_eq(help_files(&h, ".Sent/"), 3);
    /* Into itself. */
    out.new_uids = again;
    OK(yb_mailbox_copy(to, (uint32_t[]){ 1, 2, 3 }, 3, to, 0, &out, &err));
    ck_assert_uint_eq(help_status(to).messages, 6);
    yb_mailbox_close(&from);
    yb_mailbox_close(&to);
}
END_TEST

START_TEST(test_move)
{
    struct yb_mailbox *from, *to;
    uint32_t uids[250], made[250];
    struct yb_copy out = { .new_uids = made };
    struct yb_usage before;
    struct help_map map;
    struct yb_view v;
    struct yb_changes c;

    for (unsigned i = 0; i < 250; i++)
        uids[i] = help_put(&h, NULL, i + 1, 20, i % 3 == 0 ? YB_FLAG_SEEN : 0);
    OK(yb_store_create(h.a, YB_STR("Archive/2026"), &err));
    from = help_mailbox(&h, "INBOX");
    to = help_mailbox(&h, "Archive/2026");
    before = help_usage(&h);
    OK(yb_view_begin(from, false, &v, &err));
    OK(yb_mailbox_move(from, uids, 249, to, &out, &err));
    ck_assert_uint_eq(out.n_done, 249);
    ck_assert_uint_eq(help_usage(&h).bytes, before.bytes);
    ck_assert_uint_eq(help_usage(&h).messages, 250);
    OK(yb_view_changes(from, &v, true, arena, &c, &err));
    ck_assert_uint_eq(c.n_expunged, 249);
    ck_assert_uint_eq(c.expunged[248], 1);
    ck_assert_uint_eq(c.exists, 1);
    yb_view_end(from, &v);
    help_map(&h, "Archive/2026", &map);
    ck_assert_uint_eq(map.n, 249);
    for (unsigned i = 0; i < 249; i++) {
        ck_assert_uint_eq(map.v[i].uid, i + 1);
        ck_assert_uint_eq(map.v[i].n, i + 1);
        ck_assert(yb_delivery_id_eq(map.v[i].id, help_id(i + 1)));
    }
    /* Within one mailbox a MOVE gives new UIDs. */
    OK(yb_mailbox_move(to, (uint32_t[]){ 1, 2 }, 2, to, &out, &err));
    ck_assert_uint_eq(made[0], 250);
    ck_assert_uint_eq(help_status(to).messages, 249);
    yb_mailbox_close(&from);
    yb_mailbox_close(&to);
}
END_TEST

/* A session's handle is from before the folders changed, the target's is new: one mailbox still. */
START_TEST(test_copy_two_handles)
{
    uint32_t uids[5] = { 1, 2, 3, 4, 5 }, moved[5], made[5];
    struct yb_copy out = { .new_uids = moved };
    struct yb_store_check sums;
    struct yb_mailbox *from, *to;

    for (unsigned i = 0; i < 5; i++)
        help_put(&h, NULL, i + 1, 20, 0);
    from = help_mailbox(&h, "INBOX");
    OK(yb_store_create(h.a, YB_STR("Other"), &err));
    to = help_mailbox(&h, "INBOX");
    ck_assert_ptr_ne(from, to);
    OK(yb_mailbox_move(from, uids, 5, to, &out, &err));
    ck_assert_uint_eq(moved[4], 10);
    ck_assert_uint_eq(help_status(from).messages, 5);
    out.new_uids = made;
    OK(yb_mailbox_copy(from, moved, 5, to, 0, &out, &err));
    ck_assert_uint_eq(help_status(to).messages, 10);
    yb_mailbox_close(&from);
    yb_mailbox_close(&to);
    OK(yb_store_check_account(h.a, &sums, &err));
    ck_assert_uint_eq(sums.rebuilt, 0);
    ck_assert_uint_eq(help_usage(&h).messages, 10);
}
END_TEST

START_TEST(test_cache)
{
    struct yb_mailbox *m;
    struct yb_view v;
    const struct yb_rows *rows;
    struct yb_str got;
    char text[40], large[5000];

    put_many(100);
    memset(large, 'L', sizeof(large));
    m = help_mailbox(&h, "INBOX");
    OK(yb_view_begin(m, false, &v, &err));
    OK(yb_view_rows(m, &v, &rows, &err));
    for (size_t i = 0; i < rows->n; i++) {
        ck_assert(!yb_mailbox_cache_get(m, &rows->v[i], arena, &got));
        snprintf(text, sizeof(text), "parsed %zu", i);
        yb_mailbox_cache_put(m, &rows->v[i],
                             i == 50 ? yb_str(large, sizeof(large)) : yb_str_from(text));
    }
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < rows->n; i++) {
            snprintf(text, sizeof(text), "parsed %zu", i);
            ck_assert(yb_mailbox_cache_get(m, &rows->v[i], arena, &got));
            ck_assert(i == 50 ? got.n == sizeof(large) : yb_str_eq(got, yb_str_from(text)));
        }
        if (round == 0) { /* and in another process */
            yb_rows_release(&rows);
            yb_view_end(m, &v);
            yb_mailbox_close(&m);
            help_reopen(&h);
            m = help_mailbox(&h, "INBOX");
            OK(yb_view_begin(m, false, &v, &err));
            OK(yb_view_rows(m, &v, &rows, &err));
        }
    }
    /* One entry stays, whatever comes, until it is said to be of no use. */
    yb_mailbox_cache_put(m, &rows->v[10], YB_STR("ignored"));
    ck_assert(yb_mailbox_cache_get(m, &rows->v[10], arena, &got));
    ck_assert(yb_str_eq(got, YB_STR("parsed 10")));
    yb_mailbox_cache_forget(m, &rows->v[10]);
    ck_assert(!yb_mailbox_cache_get(m, &rows->v[10], arena, &got));
    yb_mailbox_cache_put(m, &rows->v[10], YB_STR("anew"));
    ck_assert(yb_mailbox_cache_get(m, &rows->v[10], arena, &got));
    ck_assert(yb_str_eq(got, YB_STR("anew")));
    yb_rows_release(&rows);
    yb_view_end(m, &v);
    yb_mailbox_close(&m);
    help_reopen(&h);
    m = help_mailbox(&h, "INBOX");
    OK(yb_view_begin(m, false, &v, &err));
    OK(yb_view_rows(m, &v, &rows, &err));
    ck_assert(yb_mailbox_cache_get(m, &rows->v[10], arena, &got));
    ck_assert(yb_str_eq(got, YB_STR("anew")));
    ck_assert(yb_mailbox_cache_get(m, &rows->v[11], arena, &got));
    ck_assert(yb_str_eq(got, YB_STR("parsed 11")));
    /* A damaged cache is no cache. */
    ck_assert_int_eq(truncate(help_path(&h, "yubin-cache"), 100), 0);
    ck_assert(!yb_mailbox_cache_get(m, &rows->v[99], arena, &got));
    yb_rows_release(&rows);
    yb_view_end(m, &v);
    yb_mailbox_close(&m);
}
END_TEST

/* Puts a parsed form of every message, or finds the one of each that lives. */
static void
cache_all(struct yb_mailbox *m, bool put)
{
    const struct yb_rows *rows;
    struct yb_view v;
    char text[60];
    struct yb_str got;

    OK(yb_view_begin(m, true, &v, &err));
    OK(yb_view_rows(m, &v, &rows, &err));
    for (size_t i = 0; i < rows->n; i++) {
        snprintf(text, sizeof(text), "the parsed form of message %u", rows->v[i].uid);
        if (put)
            yb_mailbox_cache_put(m, &rows->v[i], yb_str_from(text));
        else
            ck_assert(yb_mailbox_cache_get(m, &rows->v[i], arena, &got) &&
                      yb_str_eq(got, yb_str_from(text)));
    }
    yb_rows_release(&rows);
    yb_view_end(m, &v); /* writes what waits */
}

/* Old tombstones go, and what is cached of them; UIDs, tables and views of others stay right. */
START_TEST(test_compact)
{
    struct yb_mailbox *m;
    uint32_t uids[300];
    struct help_map before, after;
    struct yb_changes changes;
    struct yb_view v;
    struct stat st;

    for (unsigned i = 0; i < 310; i++)
        help_put(&h, NULL, i + 1, 20, 0);
    for (unsigned i = 0; i < 300; i++)
        uids[i] = i + 1;
    m = help_mailbox(&h, "INBOX");
    cache_all(m, true);
    OK(yb_mailbox_expunge(m, uids, 300, false, false, &err));
    help_map(&h, "INBOX", &before);
    OK(yb_mailbox_compact(m, 1000, &err)); /* too young */
    ck_assert_int_eq(stat(help_path(&h, "yubin-cache"), &st), 0);
    ck_assert_int_gt(st.st_size, 310 * 50);
    ck_assert_int_eq(stat(help_path(&h, "yubin-index"), &st), 0);
    ck_assert_int_eq(st.st_size, yb_index_size(310));
    OK(yb_view_begin(m, true, &v, &err)); /* what it was told, nobody forgets */
    OK(yb_mailbox_compact(m, -10, &err));
    ck_assert_int_eq(stat(help_path(&h, "yubin-index"), &st), 0);
    ck_assert_int_eq(st.st_size, yb_index_size(10));
    ck_assert_int_eq(stat(help_path(&h, "yubin-cache"), &st), 0);
    ck_assert_int_lt(st.st_size, 10 * 100);
    OK(yb_view_changes(m, &v, true, arena, &changes, &err));
    ck_assert(!changes.invalid);
    ck_assert_uint_eq(changes.exists, 10);
    yb_view_end(m, &v);
    help_map(&h, "INBOX", &after);
    help_same(&before, &after, "compacted");
    cache_all(m, false);
    ck_assert_uint_eq(help_put(&h, NULL, 400, 20, 0), 311);
    yb_mailbox_close(&m);
}
END_TEST

/* A session at rest finds its mailbox again: open, closed meanwhile, renamed; never another one. */
START_TEST(test_resume)
{
    struct yb_mailbox *m, *again = NULL;
    uint32_t inbox, box;

    help_put(&h, NULL, 1, 20, 0);
    OK(yb_store_create(h.a, YB_STR("Box"), &err));
    m = help_mailbox(&h, "INBOX");
    inbox = yb_mailbox_uidvalidity(m);
    ck_assert_str_eq(yb_mailbox_folder(m), "");
    OK(yb_mailbox_resume(h.a, "", inbox, &again, &err));
    ck_assert_ptr_eq(m, again);
    yb_mailbox_close(&again);
    yb_mailbox_close(&m);
    m = help_mailbox(&h, "Box");
    box = yb_mailbox_uidvalidity(m);
    ck_assert_str_eq(yb_mailbox_folder(m), ".Box");
    yb_mailbox_close(&m);
    OK(yb_store_rename(h.a, YB_STR("Box"), YB_STR("Elsewhere"), &err));
    OK(yb_store_create(h.a, YB_STR("Box"), &err));
    OK(yb_mailbox_resume(h.a, ".Box", box, &m, &err));
    ck_assert_str_eq(yb_mailbox_folder(m), ".Elsewhere");
    ck_assert_uint_eq(yb_mailbox_uidvalidity(m), box);
    yb_mailbox_close(&m);
    help_close(&h);
    help_open(&h);
    OK(yb_mailbox_resume(h.a, ".Box", box, &m, &err));
    ck_assert_str_eq(yb_mailbox_folder(m), ".Elsewhere");
    yb_mailbox_close(&m);
    OK(yb_store_delete(h.a, YB_STR("Elsewhere"), &err));
    FAILS(yb_mailbox_resume(h.a, ".Box", box, &m, &err), YB_PERM, YB_ERR_NOT_FOUND);
    ck_assert_ptr_null(m);
    OK(yb_mailbox_resume(h.a, "", inbox, &m, &err));
    yb_mailbox_close(&m);
}
END_TEST

static unsigned
open_files(void)
{
    DIR *list = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(list) != NULL)
        n++;
    closedir(list);
    return n;
}

/* What nobody uses is closed when it holds too many descriptors, by their number, not the accounts'. */
START_TEST(test_idle_files)
{
    struct yb_store_conf conf = { .root = h.root, .max_open_accounts = 16 };
    struct yb_store_account *a;
    struct yb_store *s;
    struct yb_mailbox *m;
    unsigned before = open_files(), most = 0;

    OK(yb_store_root_open(&conf, NULL, &s, &err));
    for (unsigned i = 0; i < 100; i++) {
        struct yb_account_id id = { { (uint8_t)i, 7 } };

        OK(yb_store_open(s, id, true, &a, &err));
        for (unsigned k = 0; k < 8; k++) {
            char name[8];

            snprintf(name, sizeof(name), "Box%u", k);
            OK(yb_store_create(a, yb_str_from(name), &err));
            OK(yb_mailbox_open(a, yb_str_from(name), &m, &err));
            yb_mailbox_close(&m);
        }
        yb_store_close(&a);
        most = open_files() > most ? open_files() : most;
    }
    /* The root, the store's threads, and what a walk opens meanwhile come on top. */
    ck_assert_uint_le(most - before, 16 * YB_STORE_FILES + 16);
    yb_store_root_close(&s);
    ck_assert_uint_eq(open_files(), before);
}
END_TEST

/* Records over the budget go, but not those of the mailbox used last: they are read once. */
START_TEST(test_table_budget)
{
    struct yb_store_conf conf = { .root = h.root, .table_budget = 1 };
    const struct yb_rows *first, *second, *third;
    struct yb_mailbox *inbox, *other;
    struct yb_store_account *a;
    struct yb_view v, w;
    struct yb_store *s;

    put_many(3);
    OK(yb_store_create(h.a, YB_STR("Other"), &err));
    OK(yb_store_root_open(&conf, NULL, &s, &err));
    OK(yb_store_open(s, h.id, false, &a, &err));
    OK(yb_mailbox_open(a, YB_STR("INBOX"), &inbox, &err));
    OK(yb_mailbox_open(a, YB_STR("Other"), &other, &err));
    OK(yb_view_begin(inbox, true, &v, &err));
    OK(yb_view_rows(inbox, &v, &first, &err));
    OK(yb_view_rows(inbox, &v, &second, &err));
    ck_assert_ptr_eq(first->v, second->v);
    OK(yb_view_begin(other, true, &w, &err));
    OK(yb_view_rows(inbox, &v, &third, &err));
    ck_assert_ptr_ne(first->v, third->v);
    ck_assert_uint_eq(first->n, 3);
    ck_assert_uint_eq(third->n, 3);
    yb_rows_release(&first);
    yb_rows_release(&second);
    yb_rows_release(&third);
    yb_mailbox_close(&inbox);
    yb_mailbox_close(&other);
    yb_store_close(&a);
    yb_store_root_close(&s);
}
END_TEST

/* --- folders --- */

static const struct yb_folder *
folder(const struct yb_folder *v, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (yb_str_eq(v[i].name, yb_str_from(name)))
            return &v[i];
    }
    return NULL;
}

START_TEST(test_folders)
{
    struct yb_folder *v;
    size_t n;

    OK(yb_store_create(h.a, YB_STR("Lists/yubin.dev/"), &err));
    OK(yb_store_create(h.a, YB_STR("\xe9\x83\xb5\xe4\xbe\xbf"), &err));
    FAILS(yb_store_create(h.a, YB_STR("Lists/yubin.dev"), &err), YB_PERM, YB_ERR_EXISTS);
    FAILS(yb_store_create(h.a, YB_STR("Inbox"), &err), YB_PERM, YB_ERR_EXISTS);
    FAILS(yb_store_delete(h.a, YB_STR("INBOX"), &err), YB_PERM, YB_ERR_CANNOT);
    FAILS(yb_store_delete(h.a, YB_STR("none"), &err), YB_PERM, YB_ERR_NOT_FOUND);
    OK(yb_store_create(h.a, YB_STR("Sent"), &err));
    OK(yb_store_set_special(h.a, YB_STR("Sent"), "\\Sent", &err));
    FAILS(yb_store_set_special(h.a, YB_STR("Sent"), "\\Nothing", &err), YB_PERM, YB_ERR_CANNOT);
    OK(yb_store_subscribe(h.a, YB_STR("Sent"), true, &err));
    OK(yb_store_subscribe(h.a, YB_STR("Sent"), true, &err));
    OK(yb_store_subscribe(h.a, YB_STR("gone"), true, &err));
    OK(yb_store_list(h.a, arena, &v, &n, &err));
    ck_assert_uint_eq(n, 6);
    ck_assert(yb_str_eq(v[0].name, YB_STR("INBOX")));
    ck_assert(folder(v, n, "Lists")->children && !folder(v, n, "Lists")->exists);
    ck_assert(folder(v, n, "Lists/yubin.dev")->exists);
    ck_assert(folder(v, n, "\xe9\x83\xb5\xe4\xbe\xbf")->exists);
    ck_assert_str_eq(folder(v, n, "Sent")->special, "\\Sent");
    ck_assert(folder(v, n, "Sent")->subscribed);
    ck_assert(folder(v, n, "gone")->subscribed && !folder(v, n, "gone")->exists);
    OK(yb_store_rename(h.a, YB_STR("Sent"), YB_STR("Old/Sent"), &err));
    OK(yb_store_subscribe(h.a, YB_STR("gone"), false, &err));
    OK(yb_store_list(h.a, arena, &v, &n, &err));
    ck_assert_str_eq(folder(v, n, "Old/Sent")->special, "\\Sent");
    ck_assert(folder(v, n, "gone") == NULL);
}
END_TEST

/* A mailbox of an old name has nothing to do with the next one of that name. */
/* Each name has children if and only if a mailbox exists below it. */
/* One folder more does not cost a look at all the others; what is stored in it counts. */
START_TEST(test_create_alone)
{
    help_put(&h, NULL, 1, 100, 0);
    OK(yb_store_create(h.a, YB_STR("A"), &err));
    ck_assert_int_eq(unlink(help_path(&h, ".A/yubin-index")), 0);
    OK(yb_store_create(h.a, YB_STR("B"), &err));
    help_put(&h, "C", 2, 100, 0);
    ck_assert_int_ne(access(help_path(&h, ".A/yubin-index"), F_OK), 0);
    ck_assert_uint_eq(help_usage(&h).messages, 2);
    ck_assert_uint_eq(help_usage(&h).bytes, 200);
}
END_TEST

START_TEST(test_children)
{
    static const char *const names[] = { "INBOX/x/y", "a",       "a b", "a-b/c",     "a/b",
                                         "a/b/c/d/e", "a/b0/c",  "b",   "A/b",       "INBOXES/x",
                                         "INBOX/z",   "a/b/c/d", "z/z", "\xc3\xa4/x" };
    struct yb_folder *v;
    size_t n;

    for (size_t i = 0; i < YB_COUNT(names); i++)
        OK(yb_store_create(h.a, yb_str_from(names[i]), &err));
    OK(yb_store_subscribe(h.a, YB_STR("b/only/subscribed"), true, &err));
    OK(yb_store_list(h.a, arena, &v, &n, &err));
    for (size_t i = 0; i < n; i++) {
        bool below = false;

        for (size_t k = 0; k < n; k++)
            below |= v[k].exists && v[k].name.n > v[i].name.n && v[k].name.p[v[i].name.n] == '/' &&
                     yb_str_starts(v[k].name, v[i].name);
        ck_assert_msg(v[i].children == below, "%.*s", YB_STR_ARG(v[i].name));
    }
}
END_TEST

START_TEST(test_delete_create)
{
    struct yb_mailbox *old, *m;
    struct yb_view v;
    struct yb_changes c;
    struct yb_mailbox_status st;
    uint32_t validity;

    help_put(&h, "Temp", 1, 1000, 0);
    help_put(&h, "Temp/below", 2, 10, 0);
    old = help_mailbox(&h, "Temp");
    OK(yb_view_begin(old, false, &v, &err));
    validity = yb_mailbox_uidvalidity(old);
    OK(yb_store_delete(h.a, YB_STR("Temp"), &err));
    ck_assert_uint_eq(help_usage(&h).bytes, 11);
    OK(yb_view_changes(old, &v, true, arena, &c, &err));
    ck_assert(c.invalid);
    FAILS(yb_mailbox_status_read(old, &st, &err), YB_PERM, YB_ERR_NOT_FOUND);
    help_put(&h, "Temp", 3, 10, 0);
    m = help_mailbox(&h, "Temp");
    ck_assert_uint_gt(yb_mailbox_uidvalidity(m), validity);
    ck_assert_uint_eq(help_status(m).messages, 1);
    yb_mailbox_close(&m);
    yb_view_end(old, &v);
    yb_mailbox_close(&old);
    ck_assert_uint_eq(help_files(&h, ".Temp.below/"), 1);
}
END_TEST

/* RENAME takes children along and keeps UIDVALIDITY; a session goes on in the renamed mailbox. */
START_TEST(test_rename)
{
    struct yb_mailbox *m, *again = NULL;
    struct help_map before, after;

    help_put(&h, "A", 1, 10, 0);
    help_put(&h, "A/b", 2, 10, 0);
    help_put(&h, "A/b/c", 3, 10, 0);
    help_put(&h, "Ab", 4, 10, 0);
    m = help_mailbox(&h, "A/b");
    help_map(&h, "A/b/c", &before);
    FAILS(yb_store_rename(h.a, YB_STR("A"), YB_STR("A/x"), &err), YB_PERM, YB_ERR_CANNOT);
    FAILS(yb_store_rename(h.a, YB_STR("A"), YB_STR("Ab"), &err), YB_PERM, YB_ERR_EXISTS);
    FAILS(yb_store_rename(h.a, YB_STR("Z"), YB_STR("Y"), &err), YB_PERM, YB_ERR_NOT_FOUND);
    OK(yb_store_rename(h.a, YB_STR("A"), YB_STR("Z/new"), &err));
    help_map(&h, "Z/new/b/c", &after);
    help_same(&before, &after, "renamed");
    FAILS(yb_mailbox_open(h.a, YB_STR("A/b"), &again, &err), YB_PERM, YB_ERR_NOT_FOUND);
    ck_assert_uint_eq(help_put(&h, "Z/new/b", 5, 10, 0), 2);
    ck_assert_uint_eq(help_status(m).messages, 2);
    ck_assert_uint_eq(help_files(&h, ".Ab/"), 1);
    yb_mailbox_close(&m);
    /* INBOX: its messages move, it stays. */
    put_many(3);
    OK(yb_store_rename(h.a, YB_STR("INBOX"), YB_STR("Saved"), &err));
    help_map(&h, "INBOX", &after);
    ck_assert_uint_eq(after.n, 0);
    help_map(&h, "Saved", &after);
    ck_assert_uint_eq(after.n, 3);
    ck_assert_uint_eq(help_put(&h, NULL, 9, 10, 0), 4);
}
END_TEST

/* Another process renames and deletes: names are looked up again, never trusted. */
START_TEST(test_names_across_processes)
{
    struct help other = h;
    struct yb_mailbox *m;
    struct yb_put put = { .mailbox = "A", .id = help_id(77) };
    struct yb_put_result out;

    help_put(&h, "A", 1, 10, 0);
    help_open(&other);
    OK(yb_store_rename(other.a, YB_STR("A"), YB_STR("B"), &err));
    FAILS(help_try_put(h.a, &put, 77, 10, &out, &err), YB_PERM, YB_ERR_TRY_CREATE);
    help_put(&h, "B", 2, 10, 0);
    m = help_mailbox(&other, "B");
    ck_assert_uint_eq(help_status(m).messages, 2);
    OK(yb_store_delete(h.a, YB_STR("B"), &err));
    yb_mailbox_close(&m);
    put.mailbox = "B";
    FAILS(help_try_put(other.a, &put, 77, 10, &out, &err), YB_PERM, YB_ERR_TRY_CREATE);
    help_close(&other);
}
END_TEST

static Suite *
suite(void)
{
    const struct {
        const TTest *test;
        bool both;
    } tests[] = {
        { test_delivery, true },
        { test_recent_once, true },
        { test_modes, false },
        { test_no_symlinks, false },
        { test_changes, true },
        { test_changes_in_pieces, false },
        { test_expunged_message, true },
        { test_only_deleted, false },
        { test_store_flags, true },
        { test_keyword_gone, false },
        { test_copy, true },
        { test_move, true },
        { test_copy_two_handles, false },
        { test_cache, false },
        { test_compact, true },
        { test_resume, false },
        { test_idle_files, false },
        { test_table_budget, false },
        { test_folders, true },
        { test_create_alone, true },
        { test_children, true },
        { test_delete_create, true },
        { test_rename, true },
        { test_names_across_processes, false },
    };
    Suite *s = suite_create("mailbox");
    TCase *one = tcase_create("one sync"), *portable = tcase_create("portable");

    tcase_add_checked_fixture(one, setup, teardown);
    tcase_add_checked_fixture(portable, setup_portable, teardown);
    tcase_set_timeout(one, 60);
    tcase_set_timeout(portable, 60);
    for (size_t i = 0; i < YB_COUNT(tests); i++) {
        tcase_add_test(one, tests[i].test);
        if (tests[i].both)
            tcase_add_test(portable, tests[i].test);
    }
    suite_add_tcase(s, one);
    suite_add_tcase(s, portable);
    return s;
}

int
main(void)
{
    SRunner *r = srunner_create(suite());
    int failed;

    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
