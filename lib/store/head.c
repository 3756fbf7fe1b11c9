/*
 * The index of a mailbox as this process has it open: its head, the times of the folders in it, its
 * records; and the index replaced. A change is begun and ended here (enter.c says how it goes).
 */
#include "lib/base/log.h"
#include "lib/store/cache.h"
#include "lib/store/dirty.h"
#include "lib/store/sys.h"

#include <fcntl.h>
#include <sys/stat.h>

void
yb_mailbox_log(const struct yb_mailbox *m, const char *event, const struct yb_err *err)
{
    struct yb_log_ctx ctx = { .n = 0 };
    char id[YB_ID_TEXT];

    yb_log_ctx_add(&ctx, "account", yb_str_from(yb_account_id_text(m->account->id, id)));
    yb_log_ctx_add(&ctx, "folder", yb_str_from(m->dir.s));
    yb_log_err(YB_LOG_ERROR, &ctx, event, err);
    yb_log_ctx_free(&ctx);
}

int
yb_mailbox_err_damaged(struct yb_err *err)
{
    return yb_err_inside(err, YB_TEMP, "4.3.0", "a record of the index is broken");
}

void
yb_mailbox_reopen_index(struct yb_mailbox *m)
{
    int fd = yb_sys_open(m->dir_fd, YB_INDEX_FILE, O_RDWR | O_NOFOLLOW);

    pthread_mutex_lock(&m->mutex);
    yb_sys_close(&m->index_fd);
    m->index_fd = fd;
    if (fd >= 0)
        m->index_id = yb_sys_id(fd);
    pthread_mutex_unlock(&m->mutex);
}

/* `synced`: before it has its name; for what is believed after a power cut though it was not tidied. */
static int
index_replace(struct yb_mailbox *m, struct yb_index_slot *slots, size_t n, bool synced,
              struct yb_err *err)
{
    const char *tmp = YB_INDEX_FILE ".tmp";
    int fd = yb_sys_open(m->dir_fd, tmp, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW), rc = -1;

    m->head.slots = (uint32_t)n;
    if (fd >= 0 && (n == 0 || yb_index_write_slots(fd, 0, n, slots) == 0) &&
        yb_index_write_head(fd, &m->head) == 0 && (!synced || yb_sys_fdatasync(fd) == 0))
        rc = yb_sys_replace(m->dir_fd, tmp, YB_INDEX_FILE);
    if (rc == 0) {
        yb_mailbox_reopen_index(m); /* others see that theirs has no name any more */
        rc = m->index_fd < 0 ? -1 : 0;
    }
    if (rc < 0)
        yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_INDEX_FILE);
    yb_sys_close(&fd);
    return rc;
}

int
yb_index_replace(struct yb_mailbox *m, struct yb_index_slot *slots, size_t n, struct yb_err *err)
{
    return index_replace(m, slots, n, false, err);
}

int
yb_index_renew(struct yb_mailbox *m, struct yb_err *err)
{
    struct yb_index_slot *slots;
    struct stat st;
    size_t n;
    int rc = 0;

    if (!yb_index_old_head(m->index_fd, &m->head) || fstat(m->index_fd, &st) < 0 ||
        st.st_size < yb_index_size(m->head.slots))
        return 0;
    n = m->head.slots;
    slots = yb_alloc(n + 1, sizeof(*slots));
    if (yb_index_old_slots(m->index_fd, 0, n, slots) == n) {
        yb_cache_renew(m, slots, n);
        m->head.generation++;
        rc = index_replace(m, slots, n, true, err) < 0 ? -1 : 1;
    }
    yb_free(slots);
    return rc;
}

/* --- the times of the folders --- */

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

/* --- changing --- */

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
    m->n_old_names = 0;
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
    if (yb_mailbox_settle_names(m) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "take old names away");
    yb_mailbox_looked(m, yb_sys_mtime(m->cur_fd), yb_sys_mtime(m->new_fd));
    m->head.marks &= ~YB_INDEX_BUSY;
    return yb_mailbox_write_head(m, err);
}

/* --- reading --- */

bool
yb_mailbox_peek(struct yb_mailbox *m, struct yb_index_head *head)
{
    struct stat st;
    bool ok = false;

    pthread_mutex_lock(&m->mutex);
    if (yb_mailbox_index_stands(m, &st)) {
        for (int i = 0; i < 3 && !ok; i++) /* a writer may be in the middle of it */
            ok = yb_index_read_seen(m->index_fd, head);
        ok = ok && (head->marks & YB_INDEX_GONE) == 0 && head->uidvalidity == m->uidvalidity;
    }
    pthread_mutex_unlock(&m->mutex);
    return ok;
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
