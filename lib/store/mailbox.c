/*
 * The handles of mailboxes: the folders of one opened once per process, shared, kept open while
 * idle, found by the folder's name.
 */
#include "lib/base/fault.h"
#include "lib/store/cache.h"
#include "lib/store/sys.h"
#include "lib/store/table.h"

#include <errno.h>
#include <fcntl.h>

int
yb_mailbox_err_gone(struct yb_err *err)
{
    return yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.2.0", "The mailbox does not exist");
}

static void
mailbox_free(struct yb_mailbox *m)
{
    yb_table_drop(m);
    yb_mailbox_cache_free(m);
    yb_free(m->old_names);
    yb_keywords_release(&m->keywords);
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

void
yb_mailbox_unlist(struct yb_mailbox *m)
{
    pthread_mutex_lock(&m->account->mutex);
    mailbox_unlist(m);
    pthread_mutex_unlock(&m->account->mutex);
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

static void
note_ids(struct yb_mailbox *m)
{
    m->dir_id = yb_sys_id(m->dir_fd);
    m->cur_id = yb_sys_id(m->cur_fd);
    m->new_id = yb_sys_id(m->new_fd);
}

/* Opens the three folders of a mailbox. */
static int
folders_open(struct yb_mailbox *m, bool create, struct yb_err *err)
{
    struct yb_store_account *a = m->account;
    const char *path = m->dir.s[0] == '\0' ? "." : m->dir.s;

    m->dir_fd = yb_sys_open(a->maildir_fd, path, O_RDONLY | O_DIRECTORY);
    if (m->dir_fd < 0 && errno == ENOENT && !create)
        return yb_mailbox_err_gone(err);
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
    if (m->cur_fd >= 0 && m->new_fd >= 0) {
        note_ids(m);
        return 0;
    }
    yb_sys_close(&m->cur_fd);
    yb_sys_close(&m->new_fd);
    if (folder_complete(m->dir_fd) < 0 || yb_sys_fsync(m->dir_fd) < 0 ||
        (m->cur_fd = yb_sys_open(m->dir_fd, "cur", O_RDONLY | O_DIRECTORY)) < 0 ||
        (m->new_fd = yb_sys_open(m->dir_fd, "new", O_RDONLY | O_DIRECTORY)) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open cur and new of a mailbox");
    note_ids(m);
    return 0;
}

int
yb_mailbox_find(struct yb_store_account *a, const struct yb_folder_dir *dir, bool create,
                struct yb_mailbox **out, struct yb_err *err)
{
    struct yb_str key = yb_str_from(dir->s);
    struct yb_mailbox *m;
    bool replaced = false;

    pthread_mutex_lock(&a->mutex);
    m = yb_map_get(a->mailboxes, key);
    if (m != NULL && m->refs++ == 0)
        a->n_idle_mailboxes--;
    pthread_mutex_unlock(&a->mutex);
    if (m != NULL && !yb_mailbox_in_place(m)) { /* there may be another in its place */
        yb_account_ref(a);
        yb_mailbox_forget(a, dir);
        yb_mailbox_close(&m);
        replaced = true;
    }
    if (m == NULL) {
        m = yb_alloc(1, sizeof(*m));
        m->account = a;
        m->replaced = replaced;
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

struct yb_mailbox *
yb_mailbox_kept(struct yb_store_account *a, const struct yb_folder_dir *dir, uint32_t uidvalidity)
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

const char *
yb_mailbox_folder(const struct yb_mailbox *m)
{
    return m->dir.s;
}

uint32_t
yb_mailbox_uidvalidity(const struct yb_mailbox *m)
{
    return atomic_load(&m->uidvalidity);
}
