/*
 * Who a mailbox is, and what it may not forget: its UIDVALIDITY, and the ceilings below which every
 * UID and MODSEQ was given (yubin-uid, and the lock file for the account's next UIDVALIDITY).
 */
#include "lib/store/notify.h"
#include "lib/store/scan.h"
#include "lib/store/sys.h"
#include "lib/store/truth.h"

#include <fcntl.h>

#define VALIDITY_AHEAD                                                                             \
    315360000 /* what is more than ten years ahead of the clock was never given */

/* --- UIDVALIDITY --- */

struct validity {
    struct yb_store_account *a;
    uint32_t last;
};

static int
validity_folder(void *arg, const struct yb_folder_dir *dir, struct yb_err *err)
{
    struct validity *v = arg;
    struct yb_uidfile u;
    int fd =
        yb_sys_open(v->a->maildir_fd, dir->s[0] == '\0' ? "." : dir->s, O_RDONLY | O_DIRECTORY);

    (void)err;
    if (fd >= 0 && yb_uidfile_read(fd, &u, NULL) == 1 && u.uidvalidity > v->last)
        v->last = u.uidvalidity;
    yb_sys_close(&fd);
    return 0;
}

uint32_t
yb_account_next_uidvalidity(struct yb_store_account *a, uint32_t above, struct yb_err *err)
{
    struct yb_lock_durable d;
    uint32_t now = (uint32_t)yb_clock_now();

    if (yb_account_may_change(a, err) < 0)
        return 0;
    yb_lockfile_read_durable(a->lock_fd, &d);
    if (d.last_uidvalidity == 0) {
        /* New, or lost: nothing below what any mailbox has may be given again. */
        struct validity v = { a, 0 };

        if (yb_account_folders(a, validity_folder, &v, err) < 0)
            return 0;
        d.last_uidvalidity = v.last;
    }
    if (above < a->last_uidvalidity)
        above = a->last_uidvalidity;
    if (d.last_uidvalidity < above && above < now + VALIDITY_AHEAD)
        d.last_uidvalidity = above;
    d.last_uidvalidity = d.last_uidvalidity >= now ? d.last_uidvalidity + 1 : now;
    if (yb_lockfile_write_durable(a->lock_fd, &d) < 0) {
        yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_LOCK_FILE);
        return 0;
    }
    return d.last_uidvalidity;
}

/*
 * The folder is another mailbox now. A handle stays what it was: its table, what waits for the cache
 * and the UIDs that its users hold mean the old one. By name it is not found any more, and those who
 * have it selected are told to look.
 */
static int
mailbox_over(struct yb_mailbox *m, struct yb_err *err)
{
    yb_mailbox_unlist(m);
    atomic_store(&m->over, true);
    yb_notify_changed(m);
    return yb_mailbox_err_gone(err);
}

int
yb_mailbox_identify(struct yb_mailbox *m, const struct yb_index_head *head, struct yb_err *err)
{
    uint32_t known = atomic_load(&m->uidvalidity);
    struct yb_uidfile u;
    int rc = yb_uidfile_read(m->dir_fd, &u, err);

    if (rc < 0)
        return -1;
    if (known != 0 && (rc == 0 || u.uidvalidity != known))
        return mailbox_over(m, err);
    /* An older yubin-uid was put back: the index knows what was given since. */
    if (rc == 1 && yb_account_may_change(m->account, NULL) == 0 && head != NULL &&
        head->uidvalidity == u.uidvalidity &&
        (head->uid_ceiling > u.uid_ceiling || head->modseq_ceiling > u.modseq_ceiling || u.old) &&
        yb_uidfile_raise(m->dir_fd, &u, head->uid_ceiling, head->modseq_ceiling, err) < 0) {
        if (err != NULL) /* lost since it was read: the next look finds that */
            err->class = YB_TEMP;
        return -1;
    }
    if (rc == 0) {
        uint32_t above = yb_scan_validity(m->cur_fd, m->new_fd), validity;

        if (head != NULL && head->uidvalidity > above)
            above = head->uidvalidity;
        validity = yb_account_next_uidvalidity(m->account, above, err);
        if (validity == 0)
            return -1;
        u = (struct yb_uidfile){ validity, 1 + YB_UID_AHEAD, 1 + YB_MODSEQ_AHEAD, false };
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

int
yb_mailbox_doubt(struct yb_mailbox *m, struct yb_err *err)
{
    if (yb_mailbox_identify(m, NULL, err) < 0)
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
