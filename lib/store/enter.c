/*
 * A mailbox entered: its head made current and whole. Every change goes
 *
 *   account             mailbox                  then
 *   yb_account_lock()   yb_mailbox_enter()       the head is current, what was half done is mended
 *                       yb_mailbox_reserve()     no UID or MODSEQ above a synced ceiling
 *   yb_account_busy()   yb_mailbox_begin()       busy marks, UIDNEXT and MODSEQ are on disk
 *                       link, rename, unlink     records
 *   yb_account_settle() yb_mailbox_end()         counts, usage; busy marks cleared
 *   yb_account_unlock() yb_mailbox_raise_ahead()
 *
 * and whoever dies between leaves a busy mark, which makes the next one compare.
 */
#include "lib/store/sys.h"
#include "lib/store/truth.h"

#include <errno.h>
#include <sys/stat.h>

#define LOOK_MS 1000
#define LOOK_SHARE 50 /* so much longer than a look takes it is until the next */
#define CHUNK 512     /* records read at once */

/* Is the index that is open the one in the folder, and as long as its head says? 1, 0, or -1 when
 * there was no descriptor to look with. */
static int
index_whole(struct yb_mailbox *m, struct yb_err *err)
{
    struct stat st;

    if (!yb_mailbox_index_stands(m, &st)) {
        yb_mailbox_reopen_index(m);
        if (m->index_fd < 0 && yb_sys_scarce(errno))
            return yb_err_sys(err, YB_TEMP, "4.3.0", "open " YB_INDEX_FILE);
        if (m->index_fd < 0 || fstat(m->index_fd, &st) < 0)
            return 0;
    }
    if (!S_ISREG(st.st_mode) || m->damaged)
        return 0;
    if (!yb_index_read_head(m->index_fd, &m->head)) {
        if (yb_account_may_change(m->account, NULL) < 0)
            return 0; /* comparing is refused, too */
        return yb_index_renew(m, err);
    }
    return st.st_size >= yb_index_size(m->head.slots);
}

/* After another boot: do the records agree with the head, which may be older than they are? */
static bool
records_agree(struct yb_mailbox *m)
{
    struct yb_index_head counted = { .recent_uid = m->head.recent_uid };
    struct yb_index_slot *slots = yb_alloc(CHUNK, sizeof(*slots));
    uint32_t last = 0;
    bool agree = true;

    for (size_t at = 0; agree && at < m->head.slots;) {
        size_t want = m->head.slots - at < CHUNK ? m->head.slots - at : CHUNK;

        agree = yb_index_read_slots(m->index_fd, at, want, slots) == want;
        for (size_t i = 0; agree && i < want; i++) {
            agree = slots[i].uid > last && slots[i].uid < m->head.uidnext &&
                    slots[i].modseq <= m->head.modseq;
            last = slots[i].uid;
            if ((slots[i].state & YB_SLOT_LIVE) != 0)
                yb_index_count(&counted, &slots[i], 1);
        }
        at += want;
    }
    yb_free(slots);
    return agree && counted.messages == m->head.messages && counted.bytes == m->head.bytes &&
           counted.unseen == m->head.unseen && counted.deleted == m->head.deleted &&
           counted.recent == m->head.recent;
}

/*
 * The first look after another boot. What the disk holds of the index may be older than what was
 * told, so UIDNEXT and HIGHESTMODSEQ start at the ceilings; the rest is believed only when it was
 * synced clean and nothing contradicts it.
 */
static int
enter_after_boot(struct yb_mailbox *m, struct yb_err *err)
{
    struct yb_uidfile u;
    int rc;

    if ((m->head.marks & (YB_INDEX_DIRTY | YB_INDEX_BUSY | YB_INDEX_FOREIGN)) != 0 ||
        m->head.cur_mtime != yb_sys_mtime(m->cur_fd) ||
        m->head.new_mtime != yb_sys_mtime(m->new_fd) || !records_agree(m))
        return yb_mailbox_compare(m, false, YB_COMPARE_BOOT, err);
    rc = yb_uidfile_read(m->dir_fd, &u, err);
    if (rc <= 0)
        return rc < 0 ? -1 : yb_mailbox_compare(m, false, YB_COMPARE_BOOT, err);
    m->head.uidnext = u.uid_ceiling;
    m->head.modseq = u.modseq_ceiling;
    m->head.uid_ceiling = 0;
    m->head.modseq_ceiling = 0;
    memcpy(m->head.boot, m->account->store->boot, YB_ID_BYTES);
    if (yb_mailbox_reserve(m, 0, 0, err) < 0)
        return -1;
    return yb_mailbox_write_head(m, err);
}

/* Was it deleted, or its folders taken away? */
static bool
is_gone(const struct yb_mailbox *m, bool whole)
{
    return !yb_mailbox_stands(m) || (!whole && !yb_mailbox_in_place(m));
}

/* `stands`: its folders were looked at just now. */
static int
enter(struct yb_mailbox *m, bool stands, struct yb_err *err)
{
    int whole = m->over ? 0 : index_whole(m, err);

    m->fresh = false;
    if (whole < 0)
        return -1;
    if (m->over || (!stands && is_gone(m, whole != 0)) ||
        (whole && (m->head.marks & YB_INDEX_GONE) != 0))
        return yb_mailbox_err_gone(err);
    /* The index of another UIDVALIDITY: another process made a new one, or the index is a stranger.
     * Where it is lost, yubin-uid may be lost with it. */
    if (atomic_load(&m->uidvalidity) == 0 || !whole || m->head.uidvalidity != m->uidvalidity) {
        if (yb_mailbox_identify(m, whole ? &m->head : NULL, err) < 0)
            return -1;
    }
    if (!whole || m->head.uidvalidity != m->uidvalidity)
        return yb_mailbox_compare(m, false, YB_COMPARE_DAMAGE, err);
    if (memcmp(m->head.boot, m->account->store->boot, YB_ID_BYTES) != 0)
        return enter_after_boot(m, err);
    if ((m->head.marks & YB_INDEX_BUSY) != 0)
        return yb_mailbox_compare(m, true, YB_COMPARE_BUSY, err);
    return m->replaced ? yb_mailbox_compare(m, true, YB_COMPARE_FOREIGN, err) : 0;
}

int
yb_mailbox_enter(struct yb_mailbox *m, struct yb_err *err)
{
    return enter(m, false, err);
}

int
yb_mailbox_find_entered(struct yb_store_account *a, const struct yb_folder_dir *dir, bool create,
                        struct yb_mailbox **out, struct yb_err *err)
{
    struct yb_err why;

    *out = NULL;
    do {
        yb_mailbox_close(out); /* if it is over it is not listed any more: the next is a new one */
        why = (struct yb_err){ 0 };
        if (yb_mailbox_find(a, dir, create, out, &why) == 0 && enter(*out, true, &why) == 0)
            return 0;
    } while (*out != NULL && (*out)->over);
    if (err != NULL)
        *err = why;
    return -1;
}

int
yb_mailbox_look(struct yb_mailbox *m, struct yb_err *err)
{
    /* What is being moved away is read as it is known. */
    if (yb_mailbox_untouched(m, &m->head) || m->account->state == YB_ACCOUNT_MOVING)
        return 0;
    return yb_mailbox_compare(m, true, YB_COMPARE_FOREIGN, err);
}

static int
look_folder(void *arg, const struct yb_folder_dir *dir, struct yb_err *err YB_UNUSED)
{
    struct yb_mailbox *m = NULL;
    struct yb_err why = { 0 };

    if (yb_mailbox_find_entered(arg, dir, false, &m, &why) == 0 && yb_mailbox_look(m, &why) < 0)
        yb_mailbox_log(m, "store.mailbox.trouble", &why);
    yb_mailbox_close(&m);
    return 0;
}

void
yb_account_look_around(struct yb_store_account *a)
{
    int64_t from = yb_clock_ms(), took;

    if (from < a->look_again_ms)
        return;
    (void)!yb_account_folders(a, look_folder, a, NULL);
    took = yb_clock_ms() - from;
    a->look_again_ms = from + took + (took * LOOK_SHARE > LOOK_MS ? took * LOOK_SHARE : LOOK_MS);
}

void
yb_mailbox_mend(struct yb_mailbox *m)
{
    struct yb_err err = { 0 };
    struct yb_lock_head before;

    /* What is in memory may be ahead of the disk: begin again from the disk. */
    if (yb_lockfile_read(m->account->lock_fd, &before)) {
        m->account->head = before;
        if (before.busy == 0) /* it failed before it began */
            return;
    }
    m->account->usage_unknown = true;
    if (yb_mailbox_enter(m, &err) < 0 || yb_account_settle(m->account, &err) < 0)
        yb_mailbox_log(m, "store.mend.failed", &err);
}
