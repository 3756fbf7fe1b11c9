/*
 * Looking after mailboxes: the full compare of `yubin store check`, and compaction, which drops old
 * tombstones by writing the index anew as another generation.
 */
#include "lib/store/cache.h"
#include "lib/store/dirty.h"
#include "lib/store/life.h"
#include "lib/store/sys.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TMP_AGE 129600 /* 36 hours, as Maildir has it */
#define COMPACT_LEAST 256

/* --- check --- */

struct names {
    struct yb_folder_dir *v;
    size_t n, room;
};

static int
collect(void *arg, const struct yb_folder_dir *dir, struct yb_err *err)
{
    struct names *names = arg;

    (void)err;
    if (names->n == names->room) {
        names->room = names->room * 2 + 16;
        names->v = yb_realloc(names->v, names->room, sizeof(*names->v));
    }
    names->v[names->n++] = *dir;
    return 0;
}

/* What deliveries that died left in tmp/. */
static void
sweep_tmp(int dir_fd)
{
    int fd = yb_sys_open(dir_fd, "tmp", O_RDONLY | O_DIRECTORY);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    struct stat st;

    if (list == NULL) {
        yb_sys_close(&fd);
        return;
    }
    for (struct dirent *e; (e = readdir(list)) != NULL;) {
        if (e->d_name[0] != '.' && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && st.st_mtime + TMP_AGE < yb_clock_now())
            (void)!unlinkat(fd, e->d_name, 0);
    }
    closedir(list);
}

/* Under the lock. A mailbox that cannot be mended is logged and the others go on. */
static void
check_folder(struct yb_store_account *a, const struct yb_folder_dir *dir,
             struct yb_store_check *out)
{
    struct yb_mailbox *m = NULL;
    struct yb_err err = { 0 };

    if (yb_mailbox_find_entered(a, dir, false, &m, &err) < 0 && m == NULL)
        return; /* deleted meanwhile */
    if (err.class != YB_OK || yb_mailbox_compare(m, true, YB_COMPARE_FOREIGN, &err) < 0) {
        yb_mailbox_log(m, "store.mailbox.trouble", &err);
    } else {
        out->mailboxes++;
        out->messages += m->head.messages;
        sweep_tmp(m->dir_fd);
    }
    yb_mailbox_close(&m);
}

int
yb_store_check_account(struct yb_store_account *a, struct yb_store_check *out, struct yb_err *err)
{
    struct names names = { 0 };
    int rc;

    *out = (struct yb_store_check){ 0 };
    if (yb_account_lock(a, err) < 0)
        return -1;
    rc = yb_account_folders(a, collect, &names, err);
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        a->check = out;
        check_folder(a, &names.v[i], out);
        a->check = NULL;
        if (yb_account_breathe(a, err) < 0) {
            yb_free(names.v);
            return -1;
        }
    }
    if (rc == 0) {
        rc = yb_account_busy(a, err);
        a->usage_unknown = true;
        if (rc == 0)
            rc = yb_account_settle(a, err);
    }
    if (rc == 0)
        yb_folder_empty_trash(a);
    yb_account_unlock(a);
    yb_free(names.v);
    return rc;
}

/* --- compaction --- */

/* Are there enough tombstones to be worth it, old or not? */
static bool
many_dead(const struct yb_index_head *head)
{
    return head->dead >= COMPACT_LEAST && head->dead >= head->messages / 4;
}

/* Under the lock: leaves out tombstones older than `before`, when they are worth it. */
static int
compact_locked(struct yb_mailbox *m, int64_t before, struct yb_err *err)
{
    size_t n = m->head.slots, kept = 0;
    struct yb_index_slot *slots;
    uint64_t floor = m->head.compacted_modseq;
    int rc = 0;

    if (!many_dead(&m->head))
        return 0;
    slots = yb_alloc(n, sizeof(*slots));
    if (yb_index_read_slots(m->index_fd, 0, n, slots) != n) {
        m->damaged = true;
        yb_free(slots);
        return yb_mailbox_enter(m, err);
    }
    for (size_t i = 0; i < n; i++) {
        if ((slots[i].state & YB_SLOT_LIVE) != 0 || slots[i].died >= before)
            slots[kept++] = slots[i];
        else if (slots[i].modseq > floor)
            floor = slots[i].modseq;
    }
    if (n - kept >= COMPACT_LEAST) {
        m->head.dead -= (uint32_t)(n - kept);
        m->head.compacted_modseq = floor;
        m->head.generation++;
        m->head.marks |= YB_INDEX_DIRTY;
        yb_cache_compact(m, slots, kept); /* whoever reads by the old index finds nothing there */
        rc = yb_index_replace(m, slots, kept, err);
        yb_tidy_note(m);
    }
    yb_free(slots);
    return rc;
}

int
yb_mailbox_compact(struct yb_mailbox *m, int64_t keep_seconds, struct yb_err *err)
{
    struct yb_index_head head;
    int rc;

    if (yb_mailbox_peek(m, &head) && !many_dead(&head))
        return 0;
    if (yb_account_lock(m->account, err) < 0)
        return -1;
    rc = yb_mailbox_enter(m, err);
    if (rc == 0)
        rc = compact_locked(m, yb_clock_now() - keep_seconds, err);
    yb_account_unlock(m->account);
    return rc;
}
