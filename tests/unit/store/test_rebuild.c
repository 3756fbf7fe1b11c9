/*
 * The Maildir is the truth: an index that is gone, torn, flipped, filled with garbage, beside files
 * that other programs added, doubled, renamed or removed, gives the same UIDs, flags and keywords.
 */
#include "tests/unit/store/help.h"

#include "lib/store/handles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct help h;

static void
setup(void)
{
    help_root(&h, false);
}

static void
setup_portable(void)
{
    help_root(&h, true);
}

static void
teardown(void)
{
    help_done(&h);
}

/* Twelve messages of every kind: new, seen, flagged, with keywords, with another date. */
static void
fill(const char *mailbox, unsigned first)
{
    struct yb_mailbox *m;
    struct yb_view v;
    struct yb_str words[] = { YB_STR_INIT("$Forwarded"), YB_STR_INIT("later") };

    for (unsigned n = first; n < first + 12; n++) {
        struct yb_put put = { .mailbox = mailbox,
                              .id = help_id(n),
                              .flags = n % 3 == 0 ? YB_FLAG_SEEN | YB_FLAG_ANSWERED : 0,
                              .keywords = words,
                              .n_keywords = n % 4 == 0 ? 2 : 0,
                              .has_date = n % 2 == 0,
                              .internal_date = n == 2 ? 0 : 1000000000 + n,
                              .create_mailbox = true };
        struct yb_put_result out;

        OK(help_try_put(h.a, &put, n, 30 * n, &out, &err));
        if (n == first + 6) { /* half of them were taken by a session */
            m = help_mailbox(&h, mailbox == NULL ? "INBOX" : mailbox);
            OK(yb_view_begin(m, false, &v, &err));
            yb_view_end(m, &v);
            OK(yb_mailbox_expunge(m, (uint32_t[]){ 2 }, 1, false, false, &err));
            yb_mailbox_close(&m);
        }
    }
}

/* The k-th message file of cur/ (or new/ when there are not so many), its path in `out`. */
static bool
message_path(size_t k, char out[700])
{
    static const char *const places[] = { "cur", "new" };

    for (size_t i = 0; i < 2; i++) {
        DIR *dir = opendir(help_path(&h, places[i]));

        ck_assert(dir != NULL);
        for (struct dirent *e; (e = readdir(dir)) != NULL;) {
            if (e->d_name[0] == '.' || k-- > 0)
                continue;
            snprintf(out, 700, "%s/%s", help_path(&h, places[i]), e->d_name);
            closedir(dir);
            return true;
        }
        closedir(dir);
    }
    return false;
}

/* What a later version gives a name, this one keeps: the message is no stranger for it. */
START_TEST(test_email_id_kept)
{
    static const char email[] = ",E=aerukz4jvpg66ajdivtytk6n54";
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .flags = YB_FLAG_FLAGGED };
    struct yb_copy out = { .new_uids = (uint32_t[1]){ 0 } };
    struct yb_mailbox *m, *other;
    char from[700], to[760];
    uint32_t uid = help_put(&h, NULL, 1, 10, YB_FLAG_SEEN);

    ck_assert(message_path(0, from));
    snprintf(to, sizeof(to), "%.*s%s%s", (int)strcspn(from, ":"), from, email, strchr(from, ':'));
    ck_assert_int_eq(rename(from, to), 0);
    m = help_mailbox(&h, "INBOX");
    ck_assert_uint_eq(help_status(m).uidnext, uid + 1);
    OK(yb_mailbox_store(m, &uid, 1, &op, &err));
    ck_assert(message_path(0, from) && strstr(from, email) != NULL);
    yb_mailbox_close(&m);
    help_close(&h);
    ck_assert_int_eq(unlink(help_path(&h, "yubin-index")), 0);
    help_open(&h);
    m = help_mailbox(&h, "INBOX");
    ck_assert(message_path(0, to));
    ck_assert_str_eq(from, to);
    help_put(&h, "Other", 2, 10, 0);
    other = help_mailbox(&h, "Other");
    OK(yb_mailbox_move(other, &uid, 1, m, &out, &err));
    OK(yb_mailbox_move(m, &uid, 1, other, &out, &err));
    uid = out.new_uids[0];
    OK(yb_mailbox_move(other, &uid, 1, m, &out, &err));
    yb_mailbox_close(&other);
    yb_mailbox_close(&m);
    ck_assert(message_path(0, from) && strstr(from, email) != NULL);
}
END_TEST

START_TEST(test_deleted_index)
{
    struct help_map *before = yb_alloc(2, sizeof(*before)), *after = before + 1;

    fill(NULL, 1);
    help_map(&h, "INBOX", before);
    ck_assert_uint_eq(before->n, 11);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(unlink(help_path(&h, "yubin-index")), 0);
        if (i == 1)
            help_reopen(&h); /* a process that never saw it; else one that has it open */
        help_map(&h, "INBOX", after);
        help_same(before, after, "deleted");
        ck_assert_uint_gt(after->modseq, before->modseq);
        *before = *after;
    }
    ck_assert_uint_ge(help_put(&h, NULL, 50, 10, 0), before->uidnext);
    yb_free(before);
}
END_TEST

/* A session goes on when the index is made anew under it, and is told what went meanwhile. */
START_TEST(test_session_survives)
{
    struct yb_arena *arena = yb_arena_new(4096);
    struct yb_mailbox *m;
    const struct yb_rows *rows;
    struct yb_view v;
    struct yb_changes c;
    char path[700];

    fill(NULL, 1);
    m = help_mailbox(&h, "INBOX");
    OK(yb_view_begin(m, false, &v, &err));
    OK(yb_view_rows(m, &v, &rows, &err));
    ck_assert_uint_eq(rows->n, 11);
    yb_rows_release(&rows);
    ck_assert(message_path(0, path));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(unlink(help_path(&h, "yubin-index")), 0);
    OK(yb_view_changes(m, &v, true, arena, &c, &err));
    ck_assert(!c.invalid);
    ck_assert_uint_eq(c.n_expunged, 1);
    ck_assert_uint_eq(c.exists, 10);
    yb_view_end(m, &v);
    yb_mailbox_close(&m);
    yb_arena_free(&arena);
}
END_TEST

/* --- foreign programs --- */

START_TEST(test_foreign_added)
{
    struct help_map map;
    struct yb_usage before;

    fill(NULL, 1);
    before = help_usage(&h);
    help_write(help_path(&h, "cur/1700000000.M1P2.other,S=99:2,FSz"), "Message 31\r\n", 12);
    help_write(help_path(&h, "new/strange name"), "Message 32\r\n", 12);
    help_map(&h, "INBOX", &map);
    ck_assert_uint_eq(map.n, 13);
    ck_assert_uint_eq(map.v[11].n, 32); /* no time in its name: it is the older one */
    ck_assert_uint_eq(map.v[11].uid, 13);
    ck_assert_uint_eq(map.v[12].n, 31);
    ck_assert_uint_eq(map.v[12].flags, YB_FLAG_SEEN | YB_FLAG_FLAGGED);
    ck_assert_uint_eq(map.v[12].keywords, 1u << 25);
    ck_assert_uint_eq(map.v[12].size, 12);
    ck_assert_uint_eq(help_usage(&h).bytes, before.bytes + 24);
    ck_assert_uint_eq(help_usage(&h).messages, before.messages + 2);
}
END_TEST

START_TEST(test_foreign_flags_and_removal)
{
    struct help_map *before = yb_alloc(2, sizeof(*before)), *after = before + 1;
    char path[700], to[720];

    fill(NULL, 1);
    help_map(&h, "INBOX", before);
    ck_assert(message_path(0, path));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert(message_path(1, path));
    snprintf(to, sizeof(to), "%.*s:2,TSF", (int)(strstr(path, ":2,") - path), path);
    ck_assert_int_eq(rename(path, to), 0);
    help_map(&h, "INBOX", after);
    ck_assert_uint_eq(after->n, before->n - 1);
    ck_assert_uint_gt(after->modseq, before->modseq);
    for (size_t i = 0, found = 0; i < after->n; i++) {
        found += after->v[i].flags == (YB_FLAG_DELETED | YB_FLAG_SEEN | YB_FLAG_FLAGGED) &&
                 after->v[i].modseq == after->modseq;
        ck_assert(i + 1 < after->n || found == 1);
    }
    yb_free(before);
}
END_TEST

START_TEST(test_foreign_copies)
{
    struct help_map *before = yb_alloc(2, sizeof(*before)), *after = before + 1;
    char path[700], to[720], text[64];

    fill(NULL, 1);
    help_map(&h, "INBOX", before);
    /* A copy of a file is another message; a second name of one is not. */
    ck_assert(message_path(0, path));
    snprintf(to, sizeof(to), "%s/%s", help_path(&h, "new"), strrchr(path, '/') + 1);
    ck_assert_int_eq(link(path, to), 0);
    ck_assert(message_path(1, path));
    snprintf(to, sizeof(to), "%.*s:2,T", (int)(strstr(path, ":2,") - path), path);
    snprintf(text, sizeof(text), "Message 77\r\n");
    help_write(to, text, 12);
    help_map(&h, "INBOX", after);
    ck_assert_uint_eq(after->n, before->n + 1);
    ck_assert_uint_eq(after->v[after->n - 1].uid, 13);
    ck_assert_uint_eq(help_files(&h, ""), after->n);
    help_map(&h, "INBOX", before);
    help_same(after, before, "looked again");
    yb_free(before);
}
END_TEST

/* A file that was expunged and is put back (from a backup) gets a new UID. */
START_TEST(test_resurrected)
{
    struct help_map map;
    struct yb_mailbox *m;
    char path[700], aside[720];
    unsigned uid = 0;

    fill(NULL, 1);
    ck_assert(message_path(0, path));
    ck_assert_int_eq(sscanf(strstr(path, ",I="), ",I=%*u.%u", &uid), 1);
    snprintf(aside, sizeof(aside), "%s/aside", h.root);
    ck_assert_int_eq(link(path, aside), 0);
    m = help_mailbox(&h, "INBOX");
    OK(yb_mailbox_expunge(m, &uid, 1, false, false, &err));
    yb_mailbox_close(&m);
    ck_assert_int_eq(link(aside, path), 0);
    help_map(&h, "INBOX", &map);
    ck_assert_uint_eq(map.n, 11);
    for (size_t i = 0; i < map.n; i++)
        ck_assert_uint_ne(map.v[i].uid, uid);
    ck_assert_uint_eq(map.v[10].uid, 13);
}
END_TEST

/* On kernels that stamp folders by the tick a change in the same tick as our own does not show:
 * such a time is not trusted, and STATUS looks. */
START_TEST(test_same_tick)
{
    struct yb_mailbox *m;
    struct timespec times[2];
    struct stat st;

    fill(NULL, 1);
    m = help_mailbox(&h, "INBOX");
    ck_assert_int_eq(stat(help_path(&h, "new"), &st), 0);
    help_write(help_path(&h, "new/foreign"), "Message 40\r\n", 12);
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    ck_assert_int_eq(utimensat(AT_FDCWD, help_path(&h, "new"), times, 0), 0);
    ck_assert_uint_eq(help_status(m).messages, 12);
    yb_mailbox_close(&m);
}
END_TEST

/* --- unclean stops --- */

/* Makes the account and its mailboxes look as another boot left them. */
static void
other_boot(void)
{
    static const char *const files[] = { "../lock", "yubin-index", ".Other/yubin-index" };

    help_close(&h);
    for (size_t i = 0; i < YB_COUNT(files); i++) {
        int fd = open(help_path(&h, files[i]), O_RDWR);

        if (fd < 0)
            continue;
        if (i == 0) {
            struct yb_lock_head head;

            ck_assert(yb_lockfile_read(fd, &head));
            head.boot[0] ^= 1;
            ck_assert_int_eq(yb_lockfile_write(fd, &head), 0);
        } else {
            struct yb_index_head head;

            ck_assert(yb_index_read_head(fd, &head));
            head.boot[0] ^= 1;
            ck_assert_int_eq(yb_index_write_head(fd, &head), 0);
        }
        close(fd);
    }
}

START_TEST(test_other_boot)
{
    struct help_map *before = yb_alloc(2, sizeof(*before)), *after = before + 1;
    struct yb_usage usage;
    struct yb_put put = { .id = help_id(5), .repeat = true };
    struct yb_put_result out;

    fill(NULL, 1);
    fill("Other", 101);
    help_map(&h, "INBOX", before);
    usage = help_usage(&h);
    other_boot();
    help_open(&h);
    ck_assert_uint_eq(help_usage(&h).bytes, usage.bytes);
    ck_assert_uint_eq(help_usage(&h).messages, usage.messages);
    help_map(&h, "INBOX", after);
    help_same(before, after, "another boot");
    ck_assert_uint_gt(after->uidnext, before->uidnext);
    ck_assert_uint_gt(after->modseq, before->modseq);
    /* The list of ids came back from the names. */
    OK(help_try_put(h.a, &put, 5, 10, &out, &err));
    ck_assert(out.duplicate);
    yb_free(before);
}
END_TEST

/* What was dirty, torn or without all its bytes when the power went. */
START_TEST(test_power_cut)
{
    struct help_map *before = yb_alloc(2, sizeof(*before)), *after = before + 1;
    struct yb_index_head head;
    char path[700];
    int fd;

    fill(NULL, 1);
    help_map(&h, "INBOX", before);
    help_close(&h);
    fd = open(help_path(&h, "yubin-index"), O_RDWR);
    ck_assert(yb_index_read_head(fd, &head));
    head.marks |= YB_INDEX_DIRTY;
    head.boot[0] ^= 1;
    head.uidnext -= 3; /* older than what was given */
    head.slots -= 3;
    head.messages -= 3;
    ck_assert_int_eq(yb_index_write_head(fd, &head), 0);
    close(fd);
    ck_assert(message_path(2, path));
    ck_assert_int_eq(truncate(path, 0), 0);
    ck_assert_int_eq(unlink(help_path(&h, "../lock")), 0);
    help_open(&h);
    help_settle(&h);
    help_map(&h, "INBOX", after);
    ck_assert_uint_eq(after->n, before->n - 1);
    ck_assert_uint_ge(after->uidnext, before->uidnext);
    ck_assert_uint_gt(after->modseq, before->modseq);
    for (size_t i = 0; i < after->n; i++)
        ck_assert_uint_eq(after->v[i].modseq, after->modseq);
    for (size_t i = 0, k = 0; i < after->n; i++, k++) {
        while (before->v[k].uid != after->v[i].uid)
            k++;
        ck_assert_uint_eq(before->v[k].n, after->v[i].n);
    }
    snprintf(path, sizeof(path), "%s", help_path(&h, "yubin-lost"));
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert_uint_eq(help_usage(&h).messages, after->n);
    yb_free(before);
}
END_TEST

/* A clean index whose records are newer than its head: pages reach the disk in any order. */
START_TEST(test_torn_order)
{
    struct help_map *before = yb_alloc(2, sizeof(*before)), *after = before + 1;
    struct yb_index_head head;
    struct yb_index_slot slot;
    int fd;

    fill(NULL, 1);
    help_map(&h, "INBOX", before);
    other_boot();
    fd = open(help_path(&h, "yubin-index"), O_RDWR);
    ck_assert(yb_index_read_head(fd, &head));
    ck_assert_uint_eq(head.marks & YB_INDEX_DIRTY, 0); /* the orderly stop */
    ck_assert_uint_eq(yb_index_read_slots(fd, 3, 1, &slot), 1);
    slot.flags ^= YB_FLAG_DRAFT;
    slot.modseq = head.modseq + 1;
    ck_assert_int_eq(yb_index_write_slots(fd, 3, 1, &slot), 0);
    close(fd);
    help_open(&h);
    help_map(&h, "INBOX", after);
    help_same(before, after, "records newer than the head");
    yb_free(before);
}
END_TEST

/* Both slots of yubin-uid unreadable: another UIDVALIDITY, never a guess. */
START_TEST(test_uid_file)
{
    struct help_map *before = yb_alloc(2, sizeof(*before)), *after = before + 1;
    char junk[512];
    int fd;

    fill(NULL, 1);
    help_map(&h, "INBOX", before);
    help_close(&h);
    memset(junk, 0x5a, sizeof(junk));
    for (int i = 0; i < 2; i++) { /* one slot is enough */
        fd = open(help_path(&h, "yubin-uid"), O_RDWR);
        ck_assert_int_eq(pwrite(fd, junk, sizeof(junk), 512), sizeof(junk));
        close(fd);
        ck_assert_int_eq(unlink(help_path(&h, "yubin-index")), 0);
        help_open(&h);
        help_map(&h, "INBOX", after);
        help_same(before, after, "one slot");
        *before = *after;
        help_close(&h);
    }
    help_write(help_path(&h, "yubin-uid"), junk, sizeof(junk));
    help_open(&h);
    help_map(&h, "INBOX", after);
    ck_assert_uint_gt(after->uidvalidity, before->uidvalidity);
    ck_assert_uint_eq(after->n, before->n);
    ck_assert_uint_eq(after->v[0].uid, 1);
    help_map(&h, "INBOX", before);
    help_same(after, before, "again");
    yb_free(before);
}
END_TEST

/* --- a hundred corruptions --- */

static uint32_t
chance(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 8) % below;
}

static void
flip(const char *path, uint32_t *seed)
{
    int fd = open(path, O_RDWR);
    struct stat st;
    uint8_t c;

    if (fd < 0)
        return;
    ck_assert_int_eq(fstat(fd, &st), 0);
    for (uint32_t n = 1 + chance(seed, 20); n > 0 && st.st_size > 0; n--) {
        off_t at = chance(seed, (uint32_t)st.st_size);

        ck_assert_int_eq(pread(fd, &c, 1, at), 1);
        c ^= (uint8_t)(1u << chance(seed, 8));
        ck_assert_int_eq(pwrite(fd, &c, 1, at), 1);
    }
    close(fd);
}

static void
garbage(const char *path, uint32_t *seed)
{
    char junk[3000];

    for (size_t i = 0; i < sizeof(junk); i++)
        junk[i] = (char)chance(seed, 256);
    help_write(path, junk, 1 + chance(seed, sizeof(junk)));
}

/* One corruption of the index, the cache or the lock file, or a second name of a message. */
static const char *
corrupt(uint32_t *seed)
{
    static const char *const files[] = { "yubin-index", "yubin-index", "yubin-cache", "../lock" };
    static char what[200];
    const char *file = files[chance(seed, YB_COUNT(files))];
    char path[700], to[720];
    struct stat st;

    snprintf(path, sizeof(path), "%s", help_path(&h, file));
    switch (chance(seed, 6)) {
    case 0:
        snprintf(what, sizeof(what), "%s truncated", file);
        if (stat(path, &st) == 0)
            ck_assert_int_eq(truncate(path, chance(seed, (uint32_t)st.st_size + 1)), 0);
        break;
    case 1:
        snprintf(what, sizeof(what), "%s flipped", file);
        flip(path, seed);
        break;
    case 2:
        snprintf(what, sizeof(what), "%s overwritten", file);
        garbage(path, seed);
        break;
    case 3:
        snprintf(what, sizeof(what), "%s removed", file);
        (void)!unlink(path);
        break;
    case 4:
        snprintf(what, sizeof(what), "a second name");
        if (message_path(chance(seed, 5), path) && strstr(path, ":2,") != NULL) {
            snprintf(to, sizeof(to), "%.*s:2,T", (int)(strstr(path, ":2,") - path), path);
            ck_assert(link(path, to) == 0 || errno == EEXIST);
        }
        break;
    default:
        snprintf(what, sizeof(what), "an index of another mailbox");
        (void)!unlink(help_path(&h, "yubin-index"));
        snprintf(path, sizeof(path), "%s", help_path(&h, ".Other/yubin-index"));
        ck_assert_int_eq(link(path, help_path(&h, "yubin-index")), 0);
        break;
    }
    return what;
}

START_TEST(test_corruptions)
{
    struct help_map *before = yb_alloc(4, sizeof(*before)), *after = before + 1;
    struct help_map *other = before + 2, *other_after = before + 3;
    struct yb_usage usage;
    uint32_t seed = 20261122;

    fill(NULL, 1);
    fill("Other", 101);
    help_map(&h, "INBOX", before);
    help_map(&h, "Other", other);
    usage = help_usage(&h);
    for (int i = 0; i < 100; i++) {
        const char *what = corrupt(&seed);
        char text[240];

        snprintf(text, sizeof(text), "corruption %d, %s", i, what);
        if (i % 2 == 0)
            help_reopen(&h);
        help_settle(&h);
        help_map(&h, "INBOX", after);
        help_same(before, after, text);
        ck_assert_msg(help_usage(&h).bytes == usage.bytes, "%s: usage", text);
        ck_assert_msg(help_files(&h, "") == after->n, "%s: files", text);
        help_map(&h, "Other", other_after);
        help_same(other, other_after, text);
        *before = *after;
        *other = *other_after;
    }
    yb_free(before);
}
END_TEST

/* A record that is flipped while processes have the mailbox open is found when it is read. */
START_TEST(test_flipped_while_open)
{
    struct help_map *before = yb_alloc(2, sizeof(*before)), *after = before + 1;
    struct help other = h;
    uint32_t seed = 7;

    fill(NULL, 1);
    help_map(&h, "INBOX", before);
    help_open(&other);
    for (int i = 0; i < 20; i++) {
        int fd = open(help_path(&h, "yubin-index"), O_RDWR);
        struct yb_store_flags op = { .op = YB_FLAGS_ADD };
        off_t at = 512 + chance(&seed, 11 * 128 - 16);
        struct yb_mailbox *m;
        char c;

        ck_assert_int_eq(pread(fd, &c, 1, at), 1);
        c = (char)(c ^ 4);
        ck_assert_int_eq(pwrite(fd, &c, 1, at), 1);
        close(fd);
        m = help_mailbox(&h, "INBOX"); /* whose table is current: it searches the records */
        OK(yb_mailbox_store(m, (uint32_t[]){ 1, 5, 7, 12 }, 4, &op, &err));
        yb_mailbox_close(&m);
        help_map(&other, "INBOX", after);
        help_same(before, after, "flipped, the other process");
        help_map(&h, "INBOX", after);
        help_same(before, after, "flipped, this process");
        *before = *after;
        help_close(&other); /* the next time it reads everything */
        help_open(&other);
    }
    help_close(&other);
    yb_free(before);
}
END_TEST

START_TEST(test_check)
{
    struct yb_store_check sums;

    fill(NULL, 1);
    fill("Other", 101);
    help_write(help_path(&h, "new/foreign"), "Message 40\r\n", 12);
    OK(yb_store_check_account(h.a, &sums, &err));
    ck_assert_uint_eq(sums.mailboxes, 2);
    ck_assert_uint_eq(sums.messages, 23);
    ck_assert_uint_eq(sums.foreign, 1);
    ck_assert_uint_eq(sums.rebuilt, 0);
    ck_assert_uint_eq(sums.lost, 0);
}
END_TEST

static void
add_all(TCase *tc)
{
    tcase_add_test(tc, test_deleted_index);
    tcase_add_test(tc, test_email_id_kept);
    tcase_add_test(tc, test_session_survives);
    tcase_add_test(tc, test_foreign_added);
    tcase_add_test(tc, test_foreign_flags_and_removal);
    tcase_add_test(tc, test_foreign_copies);
    tcase_add_test(tc, test_resurrected);
    tcase_add_test(tc, test_other_boot);
    tcase_add_test(tc, test_power_cut);
    tcase_add_test(tc, test_torn_order);
    tcase_add_test(tc, test_uid_file);
    tcase_add_test(tc, test_corruptions);
    tcase_add_test(tc, test_check);
    tcase_add_test(tc, test_flipped_while_open);
    tcase_set_timeout(tc, 120);
}

int
main(void)
{
    Suite *s = suite_create("rebuild");
    TCase *one = tcase_create("one sync"), *portable = tcase_create("portable");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(one, setup, teardown);
    tcase_add_checked_fixture(portable, setup_portable, teardown);
    add_all(one);
    add_all(portable);
    tcase_add_test(portable, test_same_tick);
    suite_add_tcase(s, one);
    suite_add_tcase(s, portable);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
