/*
 * A message on its way in (delivery, APPEND).
 *
 *   state  on disk                                        call         then
 *   -      nothing, or a file in tmp/                     put_begin
 *   L1     the bytes, in a file without a name here       put_place    account lock
 *   L2     busy marks, UIDNEXT                                         link
 *   L3     linked into new/ (cur/ when it has flags)                   record, counts, usage, id
 *   L4     recorded, marks cleared, lock released         put_commit   sync
 *   L5     synced                                         returns 0    somebody is told 250
 *
 * On ext4 and XFS the file is unnamed (O_TMPFILE), written out before its name is made, and one
 * fsync() of it keeps data and name. Elsewhere it is a file in Maildir/tmp that is synced before
 * the link; then the folder is synced.
 */
#include "lib/base/fault.h"
#include "lib/base/io.h"
#include "lib/store/deeds.h"
#include "lib/store/notify.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define COPY_BLOCK 65536

struct yb_incoming {
    struct yb_store_account *account;
    int fd;
    bool one_sync;
    char tmp[64];         /* portable form: its name in Maildir/ */
    uint64_t size, room;  /* written; made room for ahead */
    struct yb_mailbox *m; /* placed */
    struct yb_delivery_id id;
    uint32_t uid;
    bool duplicate, in_new;
    char name[YB_NAME_MAX];    /* as it was linked */
    struct yb_index_head head; /* as placing left it */
};

static int
open_portable(struct yb_incoming *i)
{
    struct yb_message_id id = yb_message_id_new();
    char text[YB_ID_TEXT];

    snprintf(i->tmp, sizeof(i->tmp), "tmp/%s", yb_message_id_text(id, text));
    i->fd = yb_sys_open(i->account->maildir_fd, i->tmp, O_RDWR | O_CREAT | O_EXCL);
    if (i->fd < 0 && errno == ENOENT && yb_sys_mkdir(i->account->maildir_fd, "tmp") == 0)
        i->fd = yb_sys_open(i->account->maildir_fd, i->tmp, O_RDWR | O_CREAT | O_EXCL);
    return i->fd;
}

/* Flags, moves and the index need some room, too: mail from outside does not take the last of it. */
static bool
room_left(const struct yb_incoming *i, uint64_t size)
{
    uint64_t reserve = i->account->store->conf.reserve;
    struct statvfs vfs;
    uint64_t left;

    if (reserve == 0 || fstatvfs(i->fd, &vfs) < 0)
        return true;
    left = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    return left >= reserve && left - reserve >= size;
}

int
yb_store_put_begin(struct yb_store_account *a, uint64_t expected_size, struct yb_incoming **out,
                   struct yb_err *err)
{
    struct yb_incoming *i = yb_alloc(1, sizeof(*i));
    int rc = 0;

    i->account = a;
    i->one_sync = (atomic_load(&a->form) & YB_FORM_LINKED) != 0;
    if (i->one_sync)
        i->fd = yb_sys_open(a->maildir_fd, ".", O_RDWR | O_TMPFILE);
    else
        open_portable(i);
    if (i->fd < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "make a message file");
    } else if (!room_left(i, expected_size)) {
        errno = ENOSPC;
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "keep the file system's reserve");
    } else if (expected_size > COPY_BLOCK && expected_size < INT64_MAX) {
        /* A full disk is told before the work is done, not after. */
        i->room = expected_size;
        errno = posix_fallocate(i->fd, 0, (off_t)expected_size);
        if (errno == ENOSPC || errno == EDQUOT)
            rc = yb_err_sys(err, YB_TEMP, "4.3.0", "make room for a message");
    }
    yb_account_ref(a);
    if (rc < 0)
        yb_store_put_abort(&i);
    else
        *out = i;
    return rc;
}

int
yb_store_put_write(struct yb_incoming *i, const struct iovec *v, int n, struct yb_err *err)
{
    if (yb_sys_writev(i->fd, v, n, &i->size) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write a message");
    return 0;
}

int
yb_store_put_file(struct yb_incoming *i, int fd, off_t at, uint64_t n, struct yb_err *err)
{
    char *block = NULL;
    int rc = 0;

    while (n > 0 && rc == 0) {
        size_t want = n < COPY_BLOCK ? (size_t)n : COPY_BLOCK;
        ssize_t got;

        if (block == NULL)
            block = yb_alloc(COPY_BLOCK, 1);
        got = yb_pread_full(fd, block, want, at);
        if (got != (ssize_t)want)
            rc = yb_err_sys(err, YB_TEMP, "4.3.0", "read a message");
        else
            rc = yb_store_put_write(i, &(struct iovec){ block, want }, 1, err);
        at += (off_t)want;
        n -= want;
    }
    yb_free(block);
    return rc;
}

/* L1: the bytes are on the disk before a name leads to them; other programs see the date as mtime.
 */
static int
write_out(struct yb_incoming *i, const struct yb_put *put, struct yb_err *err)
{
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = put->internal_date } };

    if (i->room > i->size && ftruncate(i->fd, (off_t)i->size) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "cut a message");
    if (put->has_date)
        (void)!futimens(i->fd, times);
    if ((i->one_sync ? yb_sys_write_out(i->fd) : yb_sys_fsync(i->fd)) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write a message out");
    yb_fault("store.L1");
    return 0;
}

/* A repeated hand-over: among the last ids, or in the mailbox itself. */
static bool
find_repeat(struct yb_incoming *i, const struct yb_put *put, struct yb_put_result *out)
{
    struct yb_mailbox *m = i->m;
    struct yb_ring_entry entry;
    struct yb_index_slot slot;

    if (yb_lockfile_ring_find(i->account->lock_fd, put->id, &entry) >= 0) {
        *out = (struct yb_put_result){ entry.uidvalidity, entry.uid, true };
        return true;
    }
    for (size_t k = m->head.slots; k > 0; k--) {
        /* A tombstone may be that of a message that was withdrawn: only the living count. */
        if (yb_index_read_slots(m->index_fd, k - 1, 1, &slot) != 1 ||
            (slot.state & YB_SLOT_LIVE) == 0 || !yb_delivery_id_eq(slot.id, put->id))
            continue;
        *out = (struct yb_put_result){ m->head.uidvalidity, slot.uid, true };
        return true;
    }
    return false;
}

/* Under the lock: what is refused is not among the last ids. */
static void
ring_forget(struct yb_incoming *i)
{
    struct yb_ring_entry entry;
    int place = yb_lockfile_ring_find(i->account->lock_fd, i->id, &entry);

    if (place >= 0)
        (void)!yb_lockfile_ring_put(i->account->lock_fd, (uint32_t)place, NULL);
}

static bool
has_room(const struct yb_store_account *a, uint64_t quota, uint64_t size)
{
    return a->head.bytes <= quota && size <= quota - a->head.bytes;
}

/* Under the lock, the account not busy. */
static int
check_quota(struct yb_store_account *a, const struct yb_put *put, uint64_t size, struct yb_err *err)
{
    if (put->quota_bytes == 0 || put->over_quota_ok || has_room(a, put->quota_bytes, size))
        return 0;
    if (put->delivery && size > put->quota_bytes)
        return yb_err_as(err, YB_ERR_TOO_BIG, YB_PERM, "5.2.3",
                         "The message is larger than this mailbox may be");
    yb_account_look_around(a); /* somebody may have removed files by hand */
    if (has_room(a, put->quota_bytes, size))
        return 0;
    if (put->delivery && !put->asked)
        yb_account_note_usage(a, true);
    return yb_err_as(err, YB_ERR_FULL, YB_PERM, "5.2.2", "Mailbox full");
}

/* L3 to L4: the record, counts, usage and the ring of ids of a message that has its name. */
static int
record_placed(struct yb_incoming *i, struct yb_index_slot *slot, struct yb_err *err)
{
    struct yb_store_account *a = i->account;
    struct yb_mailbox *m = i->m;
    struct yb_ring_entry entry = { slot->id, m->head.uidvalidity, slot->uid };

    if (yb_index_write_slots(m->index_fd, m->head.slots, 1, slot) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_INDEX_FILE);
    m->head.slots++;
    yb_index_count(&m->head, slot, 1);
    yb_account_use(a, (int64_t)i->size, 1);
    if (yb_mailbox_end(m, err) < 0)
        return -1;
    if (yb_account_remember(a, &entry) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write the ring of ids");
    return yb_account_settle(a, err);
}

/* L2 to L4, under the lock, the mailbox entered. */
static int
place_locked(struct yb_incoming *i, const struct yb_put *put, struct yb_keyword_ref keywords,
             struct yb_err *err)
{
    struct yb_store_account *a = i->account;
    struct yb_mailbox *m = i->m;
    struct yb_index_slot slot = { .uid = m->head.uidnext,
                                  .flags = (uint16_t)put->flags,
                                  .state = YB_SLOT_LIVE,
                                  .keywords = keywords.letters,
                                  .set = keywords.set,
                                  .size = i->size,
                                  .time = yb_clock_now(),
                                  .id = put->id,
                                  .node = a->store->conf.node };
    int folder;

    slot.internal_date = put->has_date ? put->internal_date : slot.time;
    if (slot.flags == 0 && slot.keywords == 0 && slot.set == 0)
        slot.state |= YB_SLOT_NEW;
    folder = yb_mailbox_place_fd(m, &slot);
    if (yb_mailbox_reserve(m, 1, 1, err) < 0 || yb_account_busy(a, err) < 0)
        return -1;
    slot.modseq = ++m->head.modseq;
    m->head.uidnext++;
    if (yb_mailbox_begin(m, err) < 0)
        return -1;
    yb_fault("store.L2");
    yb_index_name(&m->head, &slot, i->name);
    if ((i->one_sync ? yb_sys_link_fd(i->fd, folder, i->name)
                     : yb_sys_link(a->maildir_fd, i->tmp, folder, i->name)) < 0)
        return yb_err_sys(err, YB_TEMP, "4.2.0", "link a message");
    yb_fault("store.L3");
    if (record_placed(i, &slot, err) < 0) {
        (void)!unlinkat(folder, i->name,
                        0); /* refused is not stored: comparing buries the record */
        return -1;
    }
    i->uid = slot.uid;
    i->in_new = (slot.state & YB_SLOT_NEW) != 0;
    return 0;
}

static int
find_target(struct yb_incoming *i, const struct yb_put *put, const struct yb_folder_dir *dir,
            struct yb_err *err)
{
    bool create = put->create_mailbox || dir->s[0] == '\0';

    yb_mailbox_close(&i->m); /* what was found before may be over by now */
    if (yb_mailbox_find_entered(i->account, dir, create, &i->m, err) == 0)
        return 0;
    if (i->m == NULL && err != NULL && err->class == YB_PERM)
        yb_err_as(err, YB_ERR_TRY_CREATE, YB_PERM, "5.2.0", "The mailbox does not exist");
    return -1;
}

/* Under the lock: what the message's keywords are called here; there when this returns. A keyword more
 * than there is room for costs the keyword, not the message (RFC 3501 §6.3.11). */
static int
name_keywords(struct yb_incoming *i, const struct yb_put *put, struct yb_keyword_ref *out,
              struct yb_err *err)
{
    const struct yb_keyword_op op = {
        .op = YB_FLAGS_SET, .names = put->keywords, .n = put->n_keywords, .partly = true
    };
    const struct yb_keyword_ref nothing = { 0, 0 };
    struct yb_keyword_job j;
    int rc;

    *out = nothing;
    if (put->n_keywords == 0)
        return 0;
    rc = yb_keywords_begin(&j, i->m, err);
    if (rc == 0)
        rc = yb_keywords_apply(&j, &op, &nothing, out, err);
    if (rc == 0)
        rc = yb_keywords_keep(&j, err);
    yb_keywords_end(&j);
    return rc;
}

/* Under the lock: finds the mailbox and what stands against the message, then places it. */
static int
place_once(struct yb_incoming *i, const struct yb_put *put, const struct yb_folder_dir *dir,
           struct yb_put_result *out, struct yb_err *err)
{
    struct yb_keyword_ref keywords;

    if (find_target(i, put, dir, err) < 0)
        return -1;
    if (put->repeat && find_repeat(i, put, out)) {
        i->duplicate = true;
        i->uid = out->uid;
        return 0;
    }
    if (put->is_awaited != NULL && !put->is_awaited(put->awaited_arg))
        return yb_err_as(err, YB_ERR_CANCELLED, YB_TEMP, "4.4.2",
                         "Nobody waits for the answer any more");
    if (check_quota(i->account, put, i->size, err) < 0 || name_keywords(i, put, &keywords, err) < 0)
        return -1;
    if (place_locked(i, put, keywords, err) < 0) {
        ring_forget(i);
        yb_mailbox_mend(i->m);
        i->uid = 0;
        return -1;
    }
    *out = (struct yb_put_result){ i->m->head.uidvalidity, i->uid, false };
    return 0;
}

/* A mailbox that turns out to have lost its UIDVALIDITY is another one, and there. */
static int
place(struct yb_incoming *i, const struct yb_put *put, const struct yb_folder_dir *dir,
      struct yb_put_result *out, struct yb_err *err)
{
    int rc;

    do
        rc = place_once(i, put, dir, out, err);
    while (rc < 0 && i->m != NULL && i->m->over);
    return rc;
}

int
yb_store_put_place(struct yb_incoming *i, const struct yb_put *put, struct yb_put_result *out,
                   struct yb_err *err)
{
    struct yb_folder_dir dir = { "" };
    int rc;

    if (put->mailbox != NULL && yb_folder_to_dir(yb_str_from(put->mailbox), &dir, err) < 0)
        return -1;
    i->id = put->id;
    if (write_out(i, put, err) < 0 || yb_account_lock(i->account, err) < 0)
        return -1;
    rc = place(i, put, &dir, out, err);
    if (rc == 0)
        i->head = i->m->head;
    yb_account_unlock(i->account);
    yb_fault("store.L4");
    if (rc == 0)
        yb_mailbox_raise_ahead(i->m, &i->head);
    return rc;
}

int
yb_store_put_check(struct yb_store_account *a, const struct yb_put *put, uint64_t size,
                   struct yb_err *err)
{
    struct yb_incoming i = { .account = a };
    struct yb_folder_dir dir = { "" };
    int rc = -1;

    if (put->mailbox != NULL && yb_folder_to_dir(yb_str_from(put->mailbox), &dir, err) < 0)
        return -1;
    if (yb_account_lock(a, err) < 0)
        return -1;
    if (find_target(&i, put, &dir, err) == 0) {
        rc = 0;
        /* Opened for reading long ago perhaps, by other rights than it has now. */
        if (faccessat(i.m->dir_fd, "new", W_OK | X_OK, 0) < 0 ||
            faccessat(i.m->dir_fd, "cur", W_OK | X_OK, 0) < 0)
            rc = yb_err_sys(err, YB_TEMP, "4.2.0", "write into the mailbox");
        else if (!put->repeat) /* what is there already needs no room */
            rc = check_quota(a, put, size, err);
    }
    yb_account_unlock(a);
    yb_mailbox_close(&i.m);
    return rc;
}

/* Portable form. imapd may take the name from new/ to cur/ meanwhile: in this order it is kept. */
static int
sync_name(const struct yb_mailbox *m)
{
    return yb_sys_fsync(m->new_fd) < 0 || yb_sys_fsync(m->cur_fd) < 0 ? -1 : 0;
}

/* A repeated message lies somewhere already: it is synced where it lies; gone is read and deleted.
 */
static int
sync_duplicate(struct yb_incoming *i, struct yb_err *err)
{
    struct yb_mailbox *m = i->m;
    struct yb_index_slot slot;
    char name[YB_NAME_MAX];
    size_t place;
    int fd = -1, rc = 0;

    if (yb_account_lock(i->account, err) < 0)
        return -1;
    if (yb_mailbox_enter(m, err) < 0) {
        rc = -1;
    } else if (yb_mailbox_slot(m, i->uid, m->head.slots, &slot, &place) &&
               (slot.state & YB_SLOT_LIVE) != 0 && yb_delivery_id_eq(slot.id, i->id)) {
        yb_index_name(&m->head, &slot, name);
        fd = yb_sys_open_message(yb_mailbox_place_fd(m, &slot), name);
    }
    yb_account_unlock(i->account);
    /* In another mailbox than this time's, moved, or gone: wherever it is, it is on the disk then. */
    if (rc == 0 && fd < 0 && yb_sys_syncfs(i->account->dir_fd) < 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "sync a message again");
    if (fd >= 0 && (yb_sys_fsync(fd) < 0 || (!i->one_sync && sync_name(m) < 0)))
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "sync a message again");
    yb_sys_close(&fd);
    return rc;
}

/* Not durable is not accepted: out with it, so that the sender's next try is the only copy. */
static void
withdraw(struct yb_incoming *i)
{
    if (yb_account_lock_withdraw(i->account, NULL) == 0) {
        ring_forget(i);
        yb_account_unlock(i->account);
    }
    if (!i->duplicate) /* what lies there already stays: the next try syncs it */
        yb_expunge_one(i->m, i->uid);
}

/*
 * L5. In the portable form the name is kept by syncing its folder, if it was there all the while: a
 * session may have given it flags, taken it to cur/ or moved it meanwhile, and then all is synced.
 */
static int
sync_placed(const struct yb_incoming *i)
{
    int folder = i->in_new ? i->m->new_fd : i->m->cur_fd;

    if (i->one_sync)
        return yb_sys_fsync(i->fd);
    if (yb_sys_fsync(folder) < 0)
        return -1;
    return yb_sys_same(folder, i->name, i->fd) ? 0 : yb_sys_syncfs(folder);
}

int
yb_store_put_commit(struct yb_incoming **incoming, struct yb_err *err)
{
    struct yb_incoming *i = *incoming;
    int rc;

    yb_assert(i->uid != 0); /* placed */
    if (i->duplicate)
        rc = sync_duplicate(i, err);
    else if (sync_placed(i) < 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "sync a message");
    else
        rc = 0;
    if (rc == 0) {
        yb_fault("store.L5");
        if (!i->duplicate)
            yb_notify_changed(i->m);
        i->uid = 0; /* nothing to take back */
    } else if (i->duplicate) {
        withdraw(i);
    }
    yb_store_put_abort(incoming);
    return rc;
}

void
yb_store_put_abort(struct yb_incoming **incoming)
{
    struct yb_incoming *i = *incoming;

    if (i == NULL)
        return;
    *incoming = NULL;
    if (i->uid != 0 && !i->duplicate)
        withdraw(i);
    if (i->tmp[0] != '\0' && i->fd >= 0)
        (void)!unlinkat(i->account->maildir_fd, i->tmp, 0);
    yb_sys_close(&i->fd);
    yb_mailbox_close(&i->m);
    yb_store_close(&i->account);
    yb_free(i);
}
