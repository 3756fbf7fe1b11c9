/*
 * An account's folder: <root>/<2 hex>/<id>/{account,lock,Maildir}. Opened once per process, shared,
 * kept open while idle (the longest idle are closed first).
 */
#include "lib/base/log.h"
#include "lib/store/first.h"
#include "lib/store/handles.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define ACCOUNT_FILE "account"
#define LOCK_BEGUN YB_LOCK_FILE ".new"
#define POP_LOCK_BYTE 0 /* fcntl() locks and flock() do not see each other */

/* --- the folder --- */

void
yb_store_path(struct yb_account_id id, char *out, size_t size)
{
    char text[YB_ID_TEXT];

    yb_account_id_text(id, text);
    snprintf(out, size, "%.2s/%s/Maildir", text, text);
}

static struct yb_str
id_key(const struct yb_account_id *id)
{
    return yb_str((const char *)id->v, sizeof(id->v));
}

/* The `account` file holds the id: a folder that was copied to another name is not opened. */
static int
account_file_check(int dir_fd, const char *id, struct yb_err *err)
{
    char *text = NULL;
    size_t n = 0;
    bool same;

    if (yb_sys_read_file(dir_fd, ACCOUNT_FILE, 64, &text, &n) < 0) {
        if (errno == ENOENT)
            return 0;
        return yb_err_sys(err, YB_TEMP, "4.3.0", "read " ACCOUNT_FILE);
    }
    same = yb_str_eq(yb_str_head(yb_str(text, n), YB_ID_TEXT - 1), yb_str_from(id));
    yb_free(text);
    return same ? 1 : yb_err_inside(err, YB_TEMP, "4.3.0", "the folder is another account's");
}

/* The lock file of a new account says that it is at home here: whole before it has its name. The folder is
 * locked, so what lies under the first name was left by one who died; it may be a second name of the
 * lock file, which stays. */
static int
lock_make(int dir_fd)
{
    int fd, rc;

    if (unlinkat(dir_fd, LOCK_BEGUN, 0) < 0 && errno != ENOENT)
        return -1;
    fd = yb_sys_open(dir_fd, LOCK_BEGUN, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    rc = yb_lockfile_begin(fd);
    if (rc == 0 && yb_sys_link(dir_fd, LOCK_BEGUN, dir_fd, YB_LOCK_FILE) < 0)
        rc = errno == EEXIST ? 0 : -1;
    yb_sys_close(&fd); /* errno is kept */
    if (rc < 0) {
        int saved = errno;

        (void)!unlinkat(dir_fd, LOCK_BEGUN, 0); /* on a full disk each try would leave one */
        errno = saved;
        return -1;
    }
    return unlinkat(dir_fd, LOCK_BEGUN, 0);
}

bool
yb_account_marked(const struct yb_store_account *a)
{
    char *text = NULL;
    size_t n = 0;
    bool more;

    if (yb_sys_read_file(a->dir_fd, ACCOUNT_FILE, 2 * YB_ID_TEXT, &text, &n) < 0)
        return true;
    more = n > YB_ID_TEXT; /* the id's text and its newline */
    yb_free(text);
    return more;
}

/* With the mailboxes that an account begins with. */
static int
maildir_make(const struct yb_store *s, int dir_fd)
{
    int fd = yb_sys_enter(dir_fd, YB_MAILDIR, true), rc;

    if (fd < 0)
        return -1;
    rc = yb_first_make(s->first, fd);
    yb_sys_close(&fd); /* errno is kept */
    return rc;
}

/* Makes what is missing, the `account` file last: with it the folder is whole, and synced. */
static int
folder_make(const struct yb_store *s, int root_fd, int outer_fd, int dir_fd, const char *id,
            struct yb_err *err)
{
    char line[YB_ID_TEXT + 1];

    snprintf(line, sizeof(line), "%s\n", id);
    if (maildir_make(s, dir_fd) < 0 || lock_make(dir_fd) < 0 ||
        yb_sys_write_file(dir_fd, ACCOUNT_FILE, line, strlen(line)) < 0 ||
        yb_sys_fsync(outer_fd) < 0 || yb_sys_fsync(root_fd) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "make the account's folder");
    return 0;
}

/* A first delivery and a first login may come at once, to two processes: one makes the folder, the
 * other waits for it. */
static int
folder_make_once(const struct yb_store *s, int root_fd, int outer_fd, int dir_fd, const char *id,
                 struct yb_err *err)
{
    int there, rc = 0;

    if (flock(dir_fd, LOCK_EX) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "lock the account's folder");
    there = account_file_check(dir_fd, id, err);
    if (there < 0 || (there == 0 && folder_make(s, root_fd, outer_fd, dir_fd, id, err) < 0))
        rc = -1;
    flock(dir_fd, LOCK_UN);
    return rc;
}

/* Opens <2 hex>/<id> below the root, and makes it when asked to. */
static int
folder_open(struct yb_store_account *a, int root_fd, bool create, struct yb_err *err)
{
    char id[YB_ID_TEXT], outer[3];
    int outer_fd, there, rc = 0;

    yb_account_id_text(a->id, id);
    snprintf(outer, sizeof(outer), "%.2s", id);
    outer_fd = yb_sys_enter(root_fd, outer, create);
    if (outer_fd >= 0)
        a->dir_fd = yb_sys_enter(outer_fd, id, create);
    if (a->dir_fd < 0) {
        rc = errno == ENOENT
                 ? yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.1.1", "The account has no mail yet")
                 : yb_err_sys(err, YB_TEMP, "4.3.0", "open the account's folder");
        yb_sys_close(&outer_fd);
        return rc;
    }
    there = account_file_check(a->dir_fd, id, err);
    if (there == 0 && create)
        rc = folder_make_once(a->store, root_fd, outer_fd, a->dir_fd, id, err);
    else if (there == 0)
        rc = yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.1.1", "The account has no mail yet");
    else if (there < 0)
        rc = -1;
    close(outer_fd);
    a->dir_id = yb_sys_id(a->dir_fd);
    return rc;
}

/* The lock file; one that is missing is made empty, so that the account can be locked: its state is not
 * known then. Without its `account` file the folder is being removed: nothing is made there any more. */
static int
lock_file_open(const struct yb_store_account *a)
{
    if (faccessat(a->dir_fd, ACCOUNT_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    return yb_sys_open(a->dir_fd, YB_LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW);
}

int
yb_account_open_lock(struct yb_store_account *a, struct yb_err *err)
{
    int fd = lock_file_open(a);

    if (fd < 0) {
        atomic_store(&a->gone, errno == ENOENT);
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open " YB_LOCK_FILE);
    }
    yb_sys_close(&a->lock_fd);
    a->lock_fd = fd;
    a->lock_id = yb_sys_id(fd);
    yb_lockfile_boot(fd, a->store->boot, a->boot);
    return 0;
}

static int
account_load(struct yb_store_account *a, bool create, struct yb_err *err)
{
    int root_fd = yb_root_fd(a->store, err), rc = 0;

    if (root_fd < 0 || folder_open(a, root_fd, create, err) < 0) {
        rc = -1;
    } else if ((a->maildir_fd = yb_sys_enter(a->dir_fd, YB_MAILDIR, true)) < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "open " YB_MAILDIR);
    } else {
        yb_account_note_maildir(a);
        rc = yb_account_open_lock(a, err);
    }
    if (rc < 0) {
        yb_sys_close(&a->dir_fd);
        yb_sys_close(&a->maildir_fd);
        yb_sys_close(&a->lock_fd);
        atomic_store(&a->gone, false);
    }
    a->loaded = rc == 0;
    return rc;
}

int
yb_account_set_aside(struct yb_store_account *a, int outer_fd, const char *name, const char *aside,
                     struct yb_err *err)
{
    if (yb_sys_rename(outer_fd, name, outer_fd, aside) < 0 || yb_sys_fsync(outer_fd) < 0 ||
        unlinkat(a->dir_fd, ACCOUNT_FILE, 0) < 0 || unlinkat(a->dir_fd, YB_LOCK_FILE, 0) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "remove the account's folder");
    atomic_store(&a->gone, true);
    return 0;
}

/* --- handles --- */

static struct yb_store_account *
account_new(struct yb_store *s, struct yb_account_id id)
{
    struct yb_store_account *a = yb_alloc(1, sizeof(*a));

    a->store = s;
    a->id = id;
    a->dir_fd = a->maildir_fd = a->lock_fd = -1;
    pthread_mutex_init(&a->load, NULL);
    pthread_mutex_init(&a->queue_mutex, NULL);
    pthread_mutex_init(&a->mutex, NULL);
    a->mailboxes = yb_map_new();
    return a;
}

static void
account_free(struct yb_store_account *a)
{
    yb_mailbox_forget_all(a);
    yb_map_free(&a->mailboxes);
    yb_sys_close(&a->dir_fd);
    yb_sys_close(&a->maildir_fd);
    yb_sys_close(&a->lock_fd);
    pthread_mutex_destroy(&a->load);
    pthread_mutex_destroy(&a->queue_mutex);
    pthread_mutex_destroy(&a->mutex);
    yb_free(a);
}

/* store.mutex held. */
static void
idle_remove(struct yb_store_account *a)
{
    struct yb_store *s = a->store;

    if (a->idle_prev != NULL)
        a->idle_prev->idle_next = a->idle_next;
    else
        s->idle_first = a->idle_next;
    if (a->idle_next != NULL)
        a->idle_next->idle_prev = a->idle_prev;
    else
        s->idle_last = a->idle_prev;
    a->idle_next = a->idle_prev = NULL;
    s->idle_files -= a->idle_files;
}

/* store.mutex held. Nobody has a reference, so nobody changes its mailboxes meanwhile. */
static void
idle_append(struct yb_store_account *a)
{
    struct yb_store *s = a->store;

    a->idle_files = YB_ACCOUNT_FILES + YB_MAILBOX_FILES * yb_map_count(a->mailboxes);
    a->idle_prev = s->idle_last;
    if (s->idle_last != NULL)
        s->idle_last->idle_next = a;
    else
        s->idle_first = a;
    s->idle_last = a;
    s->idle_files += a->idle_files;
}

void
yb_account_close_idle(struct yb_store *s, size_t files)
{
    for (;;) {
        struct yb_store_account *a = NULL;

        pthread_mutex_lock(&s->mutex);
        if (s->idle_files > files) {
            a = s->idle_first;
            idle_remove(a);
            if (yb_map_get(s->accounts, id_key(&a->id)) == a)
                yb_map_remove(s->accounts, id_key(&a->id));
        }
        pthread_mutex_unlock(&s->mutex);
        if (a == NULL)
            return;
        account_free(a);
    }
}

/* The handle of an account, new or shared, with a reference. */
static struct yb_store_account *
account_get(struct yb_store *s, struct yb_account_id id)
{
    struct yb_store_account *a;

    pthread_mutex_lock(&s->mutex);
    a = yb_map_get(s->accounts, id_key(&id));
    if (a != NULL && atomic_load(&a->gone)) /* who holds it may finish; nobody new gets it */
        a = NULL;
    if (a == NULL) {
        a = account_new(s, id);
        yb_map_put(s->accounts, id_key(&id), a);
    } else if (a->refs == 0) {
        idle_remove(a);
    }
    a->refs++;
    pthread_mutex_unlock(&s->mutex);
    return a;
}

int
yb_account_open(struct yb_store *s, struct yb_account_id id, bool create,
                struct yb_store_account **out, struct yb_err *err)
{
    struct yb_store_account *a = account_get(s, id);
    int rc = 0;

    pthread_mutex_lock(&a->load);
    if (!a->loaded)
        rc = account_load(a, create, err);
    pthread_mutex_unlock(&a->load);
    if (rc < 0)
        yb_store_close(&a);
    *out = a;
    return rc;
}

void
yb_account_ref(struct yb_store_account *a)
{
    pthread_mutex_lock(&a->store->mutex);
    a->refs++;
    pthread_mutex_unlock(&a->store->mutex);
}

void
yb_store_close(struct yb_store_account **account)
{
    struct yb_store_account *a = *account;
    struct yb_store *s;
    bool useless = false;

    if (a == NULL)
        return;
    *account = NULL;
    s = a->store;
    pthread_mutex_lock(&s->mutex);
    yb_assert(a->refs > 0);
    if (--a->refs == 0) {
        useless = !a->loaded || atomic_load(&a->gone);
        if (!useless)
            idle_append(a);
        else if (yb_map_get(s->accounts, id_key(&a->id)) == a)
            yb_map_remove(s->accounts, id_key(&a->id));
    }
    pthread_mutex_unlock(&s->mutex);
    if (useless)
        account_free(a);
    else
        yb_account_close_idle(s, s->conf.max_open_accounts * YB_STORE_FILES);
}

struct yb_account_id
yb_store_account_id(const struct yb_store_account *a)
{
    return a->id;
}

/* --- the last deliveries --- */

int
yb_account_remember(struct yb_store_account *a, const struct yb_ring_entry *entry)
{
    if (yb_lockfile_ring_put(a->lock_fd, a->head.ring_next, entry) < 0)
        return -1;
    a->head.ring_next = (a->head.ring_next + 1) % YB_RING;
    return 0;
}

/* --- POP3 --- */

int
yb_store_lock_pop(struct yb_store_account *a, int *lock, struct yb_err *err)
{
    struct flock how = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = POP_LOCK_BYTE, .l_len = 1
    };
    int fd = lock_file_open(a), rc = 0;

    *lock = -1;
    if (fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open " YB_LOCK_FILE);
    /* An open file's own lock: two sessions of one process exclude each other too. */
    if (fcntl(fd, F_OFD_SETLK, &how) == 0) {
        *lock = fd;
        return 0;
    }
    if (errno == EAGAIN || errno == EACCES)
        rc = yb_err_as(err, YB_ERR_IN_USE, YB_TEMP, "4.2.0", "Another session has the mailbox");
    else
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "lock " YB_LOCK_FILE);
    close(fd);
    return rc;
}

void
yb_store_unlock_pop(struct yb_store_account *a, int *lock)
{
    (void)a;
    yb_sys_close(lock);
}
