/*
 * A mailbox: its folder, what it may not forget (yubin-uid) and its index. Every change goes
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
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/store/scan.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 512 /* records read at once */

void
yb_mailbox_log(const struct yb_mailbox *m, const char *event, const struct yb_err *err)
{
    struct yb_log_ctx ctx = { .n = 0 };
    char id[YB_ID_TEXT];

    yb_log_ctx_add(&ctx, "account", yb_str_from(yb_account_id_text(m->account->id, id)));
    yb_log_ctx_add(&ctx, "folder", yb_str_from(m->dir.s));
    yb_log_err(YB_LOG_ERROR, &ctx, event, err);
}

static int
err_gone(struct yb_err *err)
{
    return yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.2.0", "The mailbox does not exist");
}

int
yb_mailbox_err_damaged(struct yb_err *err)
{
    return yb_err_inside(err, YB_TEMP, "4.3.0", "a record of the index is broken");
}

/* --- handles --- */

static void
mailbox_free(struct yb_mailbox *m)
{
    yb_table_drop(m);
    yb_mailbox_cache_free(m);
    yb_sys_close(&m->dir_fd);
    yb_sys_close(&m->cur_fd);
    yb_sys_close(&m->new_fd);
    yb_sys_close(&m->index_fd);
    pthread_mutex_destroy(&m->mutex);
    pthread_mutex_destroy(&m->uid_mutex);
    yb_free(m);
}

/* account.mutex held: takes it out of the map. */
static void
mailbox_unlist(struct yb_mailbox *m)
{
    if (!m->listed)
        return;
    yb_map_remove(m->account->mailboxes, yb_str_from(m->dir.s));
    m->listed = false;
    if (m->refs == 0)
        m->account->n_idle_mailboxes--;
}

struct yb_mailbox *
yb_mailbox_ref(struct yb_mailbox *m)
{
    pthread_mutex_lock(&m->account->mutex);
    m->refs++;
    pthread_mutex_unlock(&m->account->mutex);
    yb_account_ref(m->account);
    return m;
}

void
yb_mailbox_close(struct yb_mailbox **mailbox)
{
    struct yb_mailbox *m = *mailbox;
    struct yb_store_account *a;
    bool useless = false;

    if (m == NULL)
        return;
    *mailbox = NULL;
    a = m->account;
    pthread_mutex_lock(&a->mutex);
    yb_assert(m->refs > 0);
    if (--m->refs == 0) {
        if (m->listed)
            a->n_idle_mailboxes++;
        if (a->n_idle_mailboxes > a->store->conf.idle_mailboxes)
            mailbox_unlist(m);
        useless = !m->listed;
    }
    pthread_mutex_unlock(&a->mutex);
    if (useless)
        mailbox_free(m);
    yb_store_close(&a);
}

/* account.mutex held. The handle stays with its users; the next find opens another. */
static void
mailbox_detach(struct yb_mailbox *m)
{
    bool useless = m->refs == 0;

    mailbox_unlist(m);
    if (useless)
        mailbox_free(m);
}

void
yb_mailbox_forget(struct yb_store_account *a, const struct yb_folder_dir *dir)
{
    struct yb_mailbox *m;

    pthread_mutex_lock(&a->mutex);
    m = yb_map_get(a->mailboxes, yb_str_from(dir->s));
    if (m != NULL)
        mailbox_detach(m);
    pthread_mutex_unlock(&a->mutex);
}

void
yb_mailbox_forget_all(struct yb_store_account *a)
{
    struct yb_str key;
    void *m;
    size_t at;

    pthread_mutex_lock(&a->mutex);
    while (at = 0, yb_map_next(a->mailboxes, &at, &key, &m))
        mailbox_detach(m);
    pthread_mutex_unlock(&a->mutex);
}

/* cur, new and tmp; another program's folder may lack some. */
static int
folder_complete(int dir_fd)
{
    if (yb_sys_mkdir(dir_fd, "cur") < 0 || yb_sys_mkdir(dir_fd, "new") < 0)
        return -1;
    return yb_sys_mkdir(dir_fd, "tmp");
}

/* Opens the three folders of a mailbox. */
static int
folders_open(struct yb_mailbox *m, bool create, struct yb_err *err)
{
    struct yb_store_account *a = m->account;
    const char *path = m->dir.s[0] == '\0' ? "." : m->dir.s;

    m->dir_fd = yb_sys_open(a->maildir_fd, path, O_RDONLY | O_DIRECTORY);
    if (m->dir_fd < 0 && errno == ENOENT && !create)
        return err_gone(err);
    if (m->dir_fd < 0 && errno == ENOENT) {
        if (yb_sys_mkdir(a->maildir_fd, path) < 0)
            return yb_err_sys(err, YB_TEMP, "4.3.0", "make a mailbox");
        m->made = true;
        yb_fault("store.create");
        m->dir_fd = yb_sys_open(a->maildir_fd, path, O_RDONLY | O_DIRECTORY);
        if (m->dir_fd >= 0 && yb_sys_fsync(a->maildir_fd) < 0)
            return yb_err_sys(err, YB_TEMP, "4.3.0", "sync Maildir");
    }
    if (m->dir_fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open a mailbox");
    m->cur_fd = yb_sys_open(m->dir_fd, "cur", O_RDONLY | O_DIRECTORY);
    m->new_fd = yb_sys_open(m->dir_fd, "new", O_RDONLY | O_DIRECTORY);
    if (m->cur_fd >= 0 && m->new_fd >= 0)
        return 0;
    yb_sys_close(&m->cur_fd);
    yb_sys_close(&m->new_fd);
    if (folder_complete(m->dir_fd) < 0 ||
        (m->cur_fd = yb_sys_open(m->dir_fd, "cur", O_RDONLY | O_DIRECTORY)) < 0 ||
        (m->new_fd = yb_sys_open(m->dir_fd, "new", O_RDONLY | O_DIRECTORY)) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open cur and new of a mailbox");
    return 0;
}

/* Somebody removed its folders: nothing more can come or go by this handle. */
static bool
taken_away(const struct yb_mailbox *m)
{
    return yb_sys_gone(m->cur_fd) || yb_sys_gone(m->new_fd);
}

/* Is the folder still in its place? One that was deleted is being emptied elsewhere, and has lost
 * the mark in its index perhaps; one that another program moved away is not ours any more. */
static bool
in_place(const struct yb_mailbox *m)
{
    return yb_sys_same(m->account->maildir_fd, m->dir.s[0] == '\0' ? "." : m->dir.s, m->dir_fd) &&
           !taken_away(m);
}

int
yb_mailbox_find(struct yb_store_account *a, const struct yb_folder_dir *dir, bool create,
                struct yb_mailbox **out, struct yb_err *err)
{
    struct yb_str key = yb_str_from(dir->s);
    struct yb_mailbox *m;

    pthread_mutex_lock(&a->mutex);
    m = yb_map_get(a->mailboxes, key);
    if (m != NULL && m->refs++ == 0)
        a->n_idle_mailboxes--;
    pthread_mutex_unlock(&a->mutex);
    if (m != NULL && !in_place(m)) { /* there may be another in its place */
        yb_account_ref(a);
        yb_mailbox_forget(a, dir);
        yb_mailbox_close(&m);
    }
    if (m == NULL) {
        m = yb_alloc(1, sizeof(*m));
        m->account = a;
        m->dir = *dir;
        m->dir_fd = m->cur_fd = m->new_fd = m->index_fd = -1;
        pthread_mutex_init(&m->mutex, NULL);
        pthread_mutex_init(&m->uid_mutex, NULL);
        if (folders_open(m, create, err) < 0) {
            mailbox_free(m);
            return -1;
        }
        pthread_mutex_lock(&a->mutex); /* the account lock keeps others from opening it meanwhile */
        m->refs = 1;
        m->listed = true;
        yb_map_put(a->mailboxes, key, m);
        pthread_mutex_unlock(&a->mutex);
    }
    yb_account_ref(a);
    *out = m;
    return 0;
}

/* --- entering --- */

/*
 * The folder is another mailbox now. A handle stays what it was: its table, what waits for the cache
 * and the UIDs that its users hold mean the old one. By name it is not found any more, and those who
 * have it selected are told to look.
 */
static int
mailbox_over(struct yb_mailbox *m, struct yb_err *err)
{
    pthread_mutex_lock(&m->account->mutex);
    mailbox_unlist(m);
    pthread_mutex_unlock(&m->account->mutex);
    atomic_store(&m->over, true);
    yb_notify_changed(m);
    return err_gone(err);
}

/* Who it is: what yubin-uid says; a new UIDVALIDITY when that is unreadable, never a guess. */
static int
mailbox_identify(struct yb_mailbox *m, const struct yb_index_head *head, struct yb_err *err)
{
    uint32_t known = atomic_load(&m->uidvalidity);
    struct yb_uidfile u;
    int rc = yb_uidfile_read(m->dir_fd, &u, err);

    if (rc < 0)
        return -1;
    if (known != 0 && (rc == 0 || u.uidvalidity != known))
        return mailbox_over(m, err);
    /* An older yubin-uid was put back: the index knows what was given since. */
    if (rc == 1 && head != NULL && head->uidvalidity == u.uidvalidity &&
        (head->uid_ceiling > u.uid_ceiling || head->modseq_ceiling > u.modseq_ceiling) &&
        yb_uidfile_raise(m->dir_fd, &u, head->uid_ceiling, head->modseq_ceiling, err) < 0) {
        if (err != NULL) /* lost since it was read: the next look finds that */
            err->class = YB_TEMP;
        return -1;
    }
    if (rc == 0) {
        uint32_t above = yb_scan_validity(m), validity;

        if (head != NULL && head->uidvalidity > above)
            above = head->uidvalidity;
        validity = yb_account_next_uidvalidity(m->account, above, err);
        if (validity == 0)
            return -1;
        u = (struct yb_uidfile){ validity, 1 + YB_UID_AHEAD, 1 + YB_MODSEQ_AHEAD };
        if (yb_uidfile_create(m->dir_fd, &u, err) < 0)
            return -1;
    }
    m->fresh = rc == 0;
    atomic_store(&m->uidvalidity, u.uidvalidity);
    if (u.uidvalidity > m->account->last_uidvalidity)
        m->account->last_uidvalidity = u.uidvalidity;
    pthread_mutex_lock(&m->uid_mutex);
    m->synced = (struct yb_uidfile){ 0 };
    if (rc == 0)
        m->synced = u;
    pthread_mutex_unlock(&m->uid_mutex);
    return 0;
}

void
yb_mailbox_reopen_index(struct yb_mailbox *m)
{
    int fd = yb_sys_open(m->dir_fd, YB_INDEX_FILE, O_RDWR | O_NOFOLLOW);

    pthread_mutex_lock(&m->mutex);
    yb_sys_close(&m->index_fd);
    m->index_fd = fd;
    pthread_mutex_unlock(&m->mutex);
}

/* Is the index that is open the one in the folder, and as long as its head says? 1, 0, or -1 when
 * there was no descriptor to look with. */
static int
index_whole(struct yb_mailbox *m, struct yb_err *err)
{
    struct stat st;

    if (m->index_fd < 0 || fstat(m->index_fd, &st) < 0 || st.st_nlink == 0) {
        yb_mailbox_reopen_index(m);
        if (m->index_fd < 0 && yb_sys_scarce(errno))
            return yb_err_sys(err, YB_TEMP, "4.3.0", "open " YB_INDEX_FILE);
        if (m->index_fd < 0 || fstat(m->index_fd, &st) < 0)
            return 0;
    }
    return S_ISREG(st.st_mode) && yb_index_read_head(m->index_fd, &m->head) &&
           st.st_size >= yb_index_size(m->head.slots) && !m->damaged;
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

int
yb_mailbox_enter(struct yb_mailbox *m, struct yb_err *err)
{
    int whole = m->over ? 0 : index_whole(m, err);

    m->fresh = false;
    if (m->over)
        return err_gone(err);
    if (whole < 0)
        return -1;
    if (taken_away(m) || (!whole && !in_place(m)))
        return err_gone(err);
    if (whole && (m->head.marks & YB_INDEX_GONE) != 0)
        return err_gone(err);
    /* The index of another UIDVALIDITY: another process made a new one, or the index is a stranger.
     * Where it is lost, yubin-uid may be lost with it. */
    if (atomic_load(&m->uidvalidity) == 0 || !whole || m->head.uidvalidity != m->uidvalidity) {
        if (mailbox_identify(m, whole ? &m->head : NULL, err) < 0)
            return -1;
    }
    if (!whole || m->head.uidvalidity != m->uidvalidity)
        return yb_mailbox_compare(m, false, YB_COMPARE_DAMAGE, err);
    if (memcmp(m->head.boot, m->account->store->boot, YB_ID_BYTES) != 0)
        return enter_after_boot(m, err);
    if ((m->head.marks & YB_INDEX_BUSY) != 0)
        return yb_mailbox_compare(m, true, YB_COMPARE_BUSY, err);
    return 0;
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
        if (yb_mailbox_find(a, dir, create, out, &why) == 0 && yb_mailbox_enter(*out, &why) == 0)
            return 0;
    } while (*out != NULL && (*out)->over);
    if (err != NULL)
        *err = why;
    return -1;
}

int
yb_mailbox_doubt(struct yb_mailbox *m, struct yb_err *err)
{
    if (mailbox_identify(m, NULL, err) < 0)
        return -1;
    return yb_err_inside(err, YB_TEMP, "4.3.0", "yubin-uid changed under us");
}

/* --- ceilings --- */

static bool
ceilings_cover(const struct yb_index_head *head, uint64_t uids, uint64_t modseqs)
{
    return head->uidnext + uids <= head->uid_ceiling &&
           head->modseq + modseqs < head->modseq_ceiling;
}

int
yb_mailbox_reserve(struct yb_mailbox *m, uint64_t uids, uint64_t modseqs, struct yb_err *err)
{
    struct yb_uidfile u = { .uidvalidity = m->uidvalidity };
    uint64_t uid = m->head.uidnext + uids, modseq = m->head.modseq + modseqs + 1;
    struct yb_err why = { 0 };
    int rc = 0;

    if (ceilings_cover(&m->head, uids, modseqs))
        return 0;
    if (uid + YB_UID_AHEAD > UINT32_MAX)
        return yb_err_inside(err, YB_PERM, "5.3.0", "the mailbox has no UIDs left");
    pthread_mutex_lock(&m->uid_mutex);
    if (m->synced.uidvalidity != m->uidvalidity || m->synced.uid_ceiling < uid ||
        m->synced.modseq_ceiling < modseq) {
        rc = yb_uidfile_raise(m->dir_fd, &u, (uint32_t)(uid + YB_UID_AHEAD),
                              modseq + YB_MODSEQ_AHEAD, &why);
        if (rc == 0)
            m->synced = u;
    }
    u = m->synced;
    pthread_mutex_unlock(&m->uid_mutex);
    if (rc < 0) {
        if (why.class == YB_PERM)
            return yb_mailbox_doubt(m, err);
        if (err != NULL)
            *err = why;
        return -1;
    }
    m->head.uid_ceiling = u.uid_ceiling;
    m->head.modseq_ceiling = u.modseq_ceiling;
    return 0;
}

void
yb_mailbox_raise_ahead(struct yb_mailbox *m, const struct yb_index_head *head)
{
    struct yb_uidfile u = { .uidvalidity = head->uidvalidity };
    struct yb_err err = { 0 };
    uint64_t uid = (uint64_t)head->uidnext + YB_UID_LEFT, modseq = head->modseq + YB_MODSEQ_LEFT;

    if ((head->uid_ceiling >= uid && head->modseq_ceiling >= modseq) ||
        uid + YB_UID_AHEAD > UINT32_MAX)
        return;
    pthread_mutex_lock(&m->uid_mutex);
    if (m->synced.uidvalidity != head->uidvalidity || m->synced.uid_ceiling < uid ||
        m->synced.modseq_ceiling < modseq) {
        if (yb_uidfile_raise(m->dir_fd, &u, (uint32_t)(uid - YB_UID_LEFT + YB_UID_AHEAD),
                             modseq - YB_MODSEQ_LEFT + YB_MODSEQ_AHEAD, &err) == 0)
            m->synced = u;
        else
            yb_mailbox_log(m, "store.ceiling.trouble", &err);
    }
    pthread_mutex_unlock(&m->uid_mutex);
}

/* --- changing --- */

static bool
times_equal(const struct yb_mailbox *m, const struct yb_index_head *head)
{
    return head->cur_mtime == yb_sys_mtime(m->cur_fd) && head->new_mtime == yb_sys_mtime(m->new_fd);
}

/*
 * Where a folder's time moves only with the timer's tick, a change in the same tick as our look
 * does not show: such a time is believed only when it was old at the look.
 */
static bool
times_trusted(const struct yb_mailbox *m, const struct yb_index_head *head)
{
    int64_t young = head->cur_mtime > head->new_mtime ? head->cur_mtime : head->new_mtime;

    return (head->marks & YB_INDEX_FOREIGN) == 0 &&
           (m->account->store->fine_times || head->looked - young >= YB_LOOK_TRUST_NS);
}

void
yb_mailbox_looked(struct yb_mailbox *m, int64_t cur_mtime, int64_t new_mtime)
{
    m->head.cur_mtime = cur_mtime;
    m->head.new_mtime = new_mtime;
    m->head.looked = yb_clock_now_us() * 1000;
}

bool
yb_mailbox_untouched(const struct yb_mailbox *m, const struct yb_index_head *head)
{
    return times_trusted(m, head) && times_equal(m, head);
}

int
yb_mailbox_look(struct yb_mailbox *m, struct yb_err *err)
{
    if (yb_mailbox_untouched(m, &m->head))
        return 0;
    return yb_mailbox_compare(m, true, YB_COMPARE_FOREIGN, err);
}

int
yb_mailbox_write_head(struct yb_mailbox *m, struct yb_err *err)
{
    if (yb_index_write_head(m->index_fd, &m->head) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_INDEX_FILE);
    if ((m->head.marks & YB_INDEX_DIRTY) != 0)
        yb_tidy_note(m);
    return 0;
}

int
yb_mailbox_begin(struct yb_mailbox *m, struct yb_err *err)
{
    if (!times_equal(m, &m->head))
        m->head.marks |= YB_INDEX_FOREIGN;
    m->head.marks |= YB_INDEX_BUSY | YB_INDEX_DIRTY;
    if (yb_index_write_head(m->index_fd, &m->head) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_INDEX_FILE);
    return 0;
}

int
yb_mailbox_end(struct yb_mailbox *m, struct yb_err *err)
{
    yb_mailbox_looked(m, yb_sys_mtime(m->cur_fd), yb_sys_mtime(m->new_fd));
    m->head.marks &= ~YB_INDEX_BUSY;
    return yb_mailbox_write_head(m, err);
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
    if (yb_mailbox_enter(m, &err) < 0 || yb_account_recount(m->account, &err) < 0 ||
        yb_account_settle(m->account, &err) < 0)
        yb_mailbox_log(m, "store.mend.failed", &err);
}

bool
yb_mailbox_slot(struct yb_mailbox *m, uint32_t uid, size_t hint, struct yb_index_slot *slot,
                size_t *place)
{
    size_t low = 0, high = m->head.slots;

    while (low < high) {
        size_t at = hint >= low && hint < high ? hint : low + (high - low) / 2;

        if (yb_index_read_slots(m->index_fd, at, 1, slot) != 1) {
            m->damaged = true;
            return false;
        }
        if (slot->uid == uid) {
            *place = at;
            return true;
        }
        if (slot->uid < uid)
            low = at + 1;
        else
            high = at;
        hint = SIZE_MAX;
    }
    return false;
}

int
yb_mailbox_place_fd(const struct yb_mailbox *m, const struct yb_index_slot *slot)
{
    return (slot->state & YB_SLOT_NEW) != 0 ? m->new_fd : m->cur_fd;
}

/* --- for everybody --- */

int
yb_mailbox_open(struct yb_store_account *a, struct yb_str name, struct yb_mailbox **out,
                struct yb_err *err)
{
    struct yb_folder_dir dir;
    struct yb_mailbox *m = NULL;
    int rc = -1;

    if (yb_folder_to_dir(name, &dir, err) < 0 || yb_account_lock(a, err) < 0)
        return -1;
    do {
        yb_mailbox_close(&m);
        if (yb_mailbox_find_entered(a, &dir, false, &m, err) == 0)
            rc = yb_mailbox_look(m, err);
    } while (rc < 0 && m != NULL && m->over);
    yb_account_unlock(a);
    if (rc < 0)
        yb_mailbox_close(&m);
    else
        *out = m;
    return rc;
}

const char *
yb_mailbox_folder(const struct yb_mailbox *m)
{
    return m->dir.s;
}

/* The mailbox of a folder if it is open and the one meant, with a reference. */
static struct yb_mailbox *
kept(struct yb_store_account *a, const struct yb_folder_dir *dir, uint32_t uidvalidity)
{
    struct yb_mailbox *m;

    pthread_mutex_lock(&a->mutex);
    m = yb_map_get(a->mailboxes, yb_str_from(dir->s));
    if (m != NULL && atomic_load(&m->uidvalidity) != uidvalidity)
        m = NULL;
    if (m != NULL && m->refs++ == 0)
        a->n_idle_mailboxes--;
    pthread_mutex_unlock(&a->mutex);
    if (m != NULL)
        yb_account_ref(a);
    return m;
}

struct search {
    struct yb_store_account *a;
    uint32_t uidvalidity;
    struct yb_mailbox *found;
    struct yb_err trouble; /* of a folder that could not be looked at: it may be the one */
};

/* Under the account lock: is the mailbox of this folder the one meant? */
static int
search_folder(void *arg, const struct yb_folder_dir *dir, struct yb_err *err)
{
    struct search *s = arg;
    struct yb_err why = { 0 };

    (void)err;
    if (s->found != NULL)
        return 0;
    if (yb_mailbox_find_entered(s->a, dir, false, &s->found, &why) == 0 &&
        atomic_load(&s->found->uidvalidity) == s->uidvalidity)
        return 0;
    if (why.class == YB_TEMP)
        s->trouble = why;
    yb_mailbox_close(&s->found);
    return 0;
}

int
yb_mailbox_resume(struct yb_store_account *a, const char *folder, uint32_t uidvalidity,
                  struct yb_mailbox **out, struct yb_err *err)
{
    struct search s = { .a = a, .uidvalidity = uidvalidity };
    struct yb_folder_dir dir;
    int rc;

    yb_assert(yb_str_copy(yb_str_from(folder), dir.s, sizeof(dir.s)));
    *out = kept(a, &dir, uidvalidity);
    if (*out != NULL)
        return 0;
    if (yb_account_lock(a, err) < 0)
        return -1;
    rc = search_folder(&s, &dir, err);
    if (s.found == NULL && s.trouble.class == YB_OK) /* renamed meanwhile? */
        rc = yb_account_folders(a, search_folder, &s, err);
    yb_account_unlock(a);
    if (s.found != NULL) {
        *out = s.found;
        return 0;
    }
    if (rc == 0 && s.trouble.class == YB_OK)
        return err_gone(err);
    if (rc == 0 && err != NULL)
        *err = s.trouble;
    return -1;
}

bool
yb_mailbox_peek(struct yb_mailbox *m, struct yb_index_head *head)
{
    bool ok = false;

    pthread_mutex_lock(&m->mutex);
    if (m->index_fd >= 0 && !yb_sys_gone(m->index_fd)) {
        for (int i = 0; i < 3 && !ok; i++) /* a writer may be in the middle of it */
            ok = yb_index_read_seen(m->index_fd, head);
        ok = ok && (head->marks & YB_INDEX_GONE) == 0 && head->uidvalidity == m->uidvalidity;
    }
    pthread_mutex_unlock(&m->mutex);
    return ok;
}

int
yb_mailbox_status(struct yb_mailbox *m, struct yb_mailbox_status *out, struct yb_err *err)
{
    struct yb_index_head head;
    int rc = 0;

    if (!yb_mailbox_peek(m, &head) || !yb_mailbox_untouched(m, &head)) {
        if (yb_account_lock(m->account, err) < 0)
            return -1;
        if (yb_mailbox_enter(m, err) < 0 || yb_mailbox_look(m, err) < 0)
            rc = -1;
        head = m->head;
        yb_account_unlock(m->account);
    }
    *out = (struct yb_mailbox_status){ .uidvalidity = head.uidvalidity,
                                       .uidnext = head.uidnext,
                                       .messages = head.messages,
                                       .recent = head.recent,
                                       .unseen = head.unseen,
                                       .deleted = head.deleted,
                                       .highest_modseq = head.modseq,
                                       .bytes = head.bytes,
                                       .deleted_bytes = head.deleted_bytes };
    return rc;
}

uint32_t
yb_mailbox_uidvalidity(const struct yb_mailbox *m)
{
    return atomic_load(&m->uidvalidity);
}

/* The message's file by what the index says without the lock; -1 with errno, ENOENT when that does
 * not lead to it. */
static int
message_try(struct yb_mailbox *m, const struct yb_record *r)
{
    struct yb_index_head head = { .uidvalidity = m->uidvalidity };
    struct yb_index_slot slot;
    char name[YB_NAME_MAX];
    bool found;

    pthread_mutex_lock(&m->mutex);
    found = m->index_fd >= 0 && yb_index_read_slots(m->index_fd, r->slot, 1, &slot) == 1;
    pthread_mutex_unlock(&m->mutex);
    errno = ENOENT;
    if (!found || slot.uid != r->uid || (slot.state & YB_SLOT_LIVE) == 0)
        return -1;
    yb_index_name(&head, &slot, name);
    return yb_sys_open_message(yb_mailbox_place_fd(m, &slot), name);
}

int
yb_mailbox_message(struct yb_mailbox *m, const struct yb_record *r, int *fd, struct yb_err *err)
{
    struct yb_index_slot slot;
    struct yb_record now = *r;
    size_t place;
    int rc;

    *fd = message_try(m, r);
    if (*fd >= 0)
        return 0;
    if (errno != ENOENT)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open a message");
    if (yb_account_lock(m->account, err) < 0)
        return -1;
    rc = yb_mailbox_enter(m, err);
    for (int i = 0; i < 2 && rc == 0; i++) {
        bool found = yb_mailbox_slot(m, r->uid, r->slot, &slot, &place);

        if (m->damaged) {
            rc = i == 0 ? yb_mailbox_enter(m, err) : yb_mailbox_err_damaged(err);
            continue;
        }
        if (!found || (slot.state & YB_SLOT_LIVE) == 0)
            break;
        now.slot = (uint32_t)place;
        *fd = message_try(m, &now);
        if (*fd < 0 && errno != ENOENT)
            rc = yb_err_sys(err, YB_TEMP, "4.3.0", "open a message");
        if (*fd >= 0 || rc < 0)
            break;
        /* Under the lock and still not there: somebody else took or renamed it. */
        if (i == 0)
            rc = yb_mailbox_compare(m, true, YB_COMPARE_FOREIGN, err);
    }
    yb_account_unlock(m->account);
    if (rc == 0 && *fd < 0)
        rc = yb_err_as(err, YB_ERR_GONE, YB_PERM, "5.2.0", "The message is gone");
    return rc;
}
