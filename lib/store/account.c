/*
 * An account's folder: <root>/<2 hex>/<id>/{account,lock,Maildir}. Opened once per process, shared,
 * kept open while idle (the longest idle are closed first).
 */
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/store/private.h"
#include "lib/store/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACCOUNT_FILE "account"
#define LOCK_FILE "lock"
#define MAILDIR "Maildir"
#define POP_LOCK_BYTE 0 /* fcntl() locks and flock() do not see each other */
#define VALIDITY_AHEAD                                                                             \
    315360000     /* what is more than ten years ahead of the clock was never given */
#define TAIL 1024 /* records of a mailbox that are looked at for the ring */

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

/* Makes what is missing, the `account` file last: with it the folder is whole. */
static int
folder_make(int root_fd, int outer_fd, int dir_fd, const char *id, struct yb_err *err)
{
    char line[YB_ID_TEXT + 1];

    snprintf(line, sizeof(line), "%s\n", id);
    if (yb_sys_mkdir(dir_fd, MAILDIR) < 0 ||
        yb_sys_write_file(dir_fd, ACCOUNT_FILE, line, strlen(line)) < 0 ||
        yb_sys_fsync(outer_fd) < 0 || yb_sys_fsync(root_fd) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "make the account's folder");
    return 0;
}

/* Opened first: to make what is there already would lock the folder above for nothing. */
static int
folder_enter(int dir_fd, const char *name, bool create)
{
    int fd = yb_sys_open(dir_fd, name, O_RDONLY | O_DIRECTORY);

    if (fd >= 0 || errno != ENOENT || !create || yb_sys_mkdir(dir_fd, name) < 0)
        return fd;
    return yb_sys_open(dir_fd, name, O_RDONLY | O_DIRECTORY);
}

/* Opens <2 hex>/<id> below the root, and makes it when asked to. */
static int
folder_open(struct yb_store_account *a, int root_fd, bool create, struct yb_err *err)
{
    char id[YB_ID_TEXT], outer[3];
    int outer_fd, there, rc = 0;

    yb_account_id_text(a->id, id);
    snprintf(outer, sizeof(outer), "%.2s", id);
    outer_fd = folder_enter(root_fd, outer, create);
    if (outer_fd >= 0)
        a->dir_fd = folder_enter(outer_fd, id, create);
    if (a->dir_fd < 0) {
        rc = errno == ENOENT
                 ? yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.1.1", "The account has no mail yet")
                 : yb_err_sys(err, YB_TEMP, "4.3.0", "open the account's folder");
        yb_sys_close(&outer_fd);
        return rc;
    }
    there = account_file_check(a->dir_fd, id, err);
    if (there == 0 && create)
        rc = folder_make(root_fd, outer_fd, a->dir_fd, id, err);
    else if (there == 0)
        rc = yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.1.1", "The account has no mail yet");
    else if (there < 0)
        rc = -1;
    close(outer_fd);
    return rc;
}

int
yb_account_open_lock(struct yb_store_account *a, struct yb_err *err)
{
    int fd = -1;

    /* Without its `account` file the folder is being removed: nothing is made there any more. */
    if (faccessat(a->dir_fd, ACCOUNT_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        fd = yb_sys_open(a->dir_fd, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW);
    if (fd < 0) {
        atomic_store(&a->gone, errno == ENOENT);
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open " LOCK_FILE);
    }
    yb_sys_close(&a->lock_fd);
    a->lock_fd = fd;
    return 0;
}

int
yb_account_look(struct yb_store_account *a, bool *same, struct yb_err *err)
{
    struct yb_log_line l;
    char id[YB_ID_TEXT];
    int fd;

    *same = yb_sys_same(a->dir_fd, MAILDIR, a->maildir_fd);
    if (*same)
        return 0;
    /* The descriptor keeps its number: other threads may be about to use it. */
    fd = folder_enter(a->dir_fd, MAILDIR, true);
    if (fd < 0 || dup3(fd, a->maildir_fd, O_CLOEXEC) < 0) {
        yb_err_sys(err, YB_TEMP, "4.3.0", "open " MAILDIR);
        yb_sys_close(&fd);
        return -1;
    }
    close(fd);
    yb_log_begin(&l, YB_LOG_WARN, NULL, "store.maildir.replaced");
    yb_log_str(&l, "account", yb_str_from(yb_account_id_text(a->id, id)));
    yb_log_end(&l);
    return 0;
}

static int
account_load(struct yb_store_account *a, bool create, struct yb_err *err)
{
    int root_fd = yb_root_fd(a->store, err), rc = 0;

    if (root_fd < 0 || folder_open(a, root_fd, create, err) < 0) {
        rc = -1;
    } else if ((a->maildir_fd = folder_enter(a->dir_fd, MAILDIR, true)) < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "open " MAILDIR);
    } else {
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
yb_store_open(struct yb_store *s, struct yb_account_id id, bool create,
              struct yb_store_account **out, struct yb_err *err)
{
    struct yb_store_account *a;
    int rc = 0;

    /* An account that is open already is not used while its root is away or another's, either. */
    if (yb_root_fd(s, err) < 0)
        return -1;
    a = account_get(s, id);
    pthread_mutex_lock(&a->load);
    if (!a->loaded)
        rc = account_load(a, create, err);
    pthread_mutex_unlock(&a->load);
    /* Deliveries begin without the lock, so what locking would find is looked for here, too. */
    if (rc == 0 && !yb_sys_same(a->dir_fd, MAILDIR, a->maildir_fd)) {
        rc = yb_account_lock(a, err);
        if (rc == 0)
            yb_account_unlock(a);
    }
    if (rc < 0) {
        yb_store_close(&a);
        return -1;
    }
    *out = a;
    return 0;
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

/* --- usage --- */

void
yb_account_use(struct yb_store_account *a, int64_t bytes, int64_t messages)
{
    a->head.bytes += (uint64_t)bytes;
    a->head.messages += (uint64_t)messages;
}

void
yb_account_note_usage(struct yb_store_account *a)
{
    struct yb_store *s = a->store;
    struct yb_usage *u;

    pthread_mutex_lock(&s->mutex);
    u = yb_map_get(s->usage, id_key(&a->id));
    if (u == NULL) {
        u = yb_alloc(1, sizeof(*u));
        yb_map_put(s->usage, id_key(&a->id), u);
    }
    *u = (struct yb_usage){ a->head.bytes, a->head.messages };
    pthread_mutex_unlock(&s->mutex);
}

int
yb_store_usage(struct yb_store_account *a, struct yb_usage *out, struct yb_err *err)
{
    if (yb_account_lock(a, err) < 0)
        return -1;
    *out = (struct yb_usage){ a->head.bytes, a->head.messages };
    yb_account_unlock(a);
    return 0;
}

int
yb_account_remember(struct yb_store_account *a, const struct yb_ring_entry *entry)
{
    if (yb_lockfile_ring_put(a->lock_fd, a->head.ring_next, entry) < 0)
        return -1;
    a->head.ring_next = (a->head.ring_next + 1) % YB_RING;
    return 0;
}

/* --- all folders --- */

int
yb_account_folders(struct yb_store_account *a,
                   int (*fn)(void *arg, const struct yb_folder_dir *dir, struct yb_err *err),
                   void *arg, struct yb_err *err)
{
    struct yb_folder_dir dir = { "" };
    int fd = yb_sys_open(a->maildir_fd, ".", O_RDONLY | O_DIRECTORY), rc;
    DIR *list = fd < 0 ? NULL : fdopendir(fd);

    if (list == NULL) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "list Maildir");
        yb_sys_close(&fd);
        return rc;
    }
    rc = fn(arg, &dir, err);
    for (struct dirent *e; rc == 0 && (errno = 0, e = readdir(list)) != NULL;) {
        char name[YB_FOLDER_NAME_MAX + 1];
        struct yb_str s = yb_str_from(e->d_name), unused;

        if ((e->d_type != DT_DIR && e->d_type != DT_UNKNOWN) || s.n >= sizeof(dir.s) ||
            !yb_folder_from_dir(s, name, &unused))
            continue;
        memcpy(dir.s, e->d_name, s.n + 1);
        rc = fn(arg, &dir, err);
    }
    if (rc == 0 && errno != 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "list Maildir");
    closedir(list);
    return rc;
}

/* What a count over all mailboxes gathers. */
struct tally {
    struct yb_store_account *a;
    uint64_t bytes, messages;
    bool ring;
    struct tail *tail; /* newest records of each mailbox, when the ring is to be filled */
    size_t n_tail, room;
};

struct tail {
    int64_t time;
    struct yb_ring_entry entry;
};

static void
tally_tail(struct tally *t, struct yb_mailbox *m)
{
    struct yb_index_slot *slots = yb_alloc(TAIL, sizeof(*slots));
    size_t first = m->head.slots > TAIL ? m->head.slots - TAIL : 0;
    size_t n = yb_index_read_slots(m->index_fd, first, m->head.slots - first, slots);

    if (t->n_tail + n > t->room) {
        t->room = (t->n_tail + n) * 2;
        t->tail = yb_realloc(t->tail, t->room, sizeof(*t->tail));
    }
    for (size_t i = 0; i < n; i++) {
        if (!yb_delivery_id_is_zero(slots[i].id)) /* zero: what was withdrawn */
            t->tail[t->n_tail++] =
                (struct tail){ slots[i].time, { slots[i].id, m->head.uidvalidity, slots[i].uid } };
    }
    yb_free(slots);
}

/*
 * A mailbox that cannot be mended now is logged, and the others go on. It counts as its index says:
 * mending adds the difference, or counts all again where the index is not believed.
 */
static void
tally_troubled(struct tally *t, const struct yb_mailbox *m, const struct yb_err *trouble)
{
    struct yb_index_head head;

    yb_mailbox_log(m, "store.mailbox.trouble", trouble);
    if (m->index_fd < 0 || !yb_index_read_head(m->index_fd, &head))
        return;
    t->bytes += head.bytes;
    t->messages += head.messages;
}

static int
tally_folder(void *arg, const struct yb_folder_dir *dir, struct yb_err *err)
{
    struct tally *t = arg;
    struct yb_mailbox *m = NULL;
    struct yb_err trouble = { 0 };

    if (yb_mailbox_find_entered(t->a, dir, false, &m, &trouble) < 0 && m == NULL) {
        if (yb_sys_scarce(trouble.sys)) { /* every other one would be missed, too */
            *err = trouble;
            return -1;
        }
        if (trouble.class != YB_PERM)
            yb_log_err(YB_LOG_ERROR, NULL, "store.mailbox.trouble", &trouble);
        return 0;
    }
    if (trouble.class == YB_PERM && (m->head.marks & YB_INDEX_GONE) != 0) {
        yb_mailbox_forget(t->a, dir);
        yb_folder_finish_delete(t->a, dir);
    } else if (trouble.class != YB_OK) {
        tally_troubled(t, m, &trouble);
    } else {
        t->bytes += m->head.bytes;
        t->messages += m->head.messages;
        if (t->ring)
            tally_tail(t, m);
    }
    yb_mailbox_close(&m);
    return 0;
}

static int
tail_order(const void *a, const void *b)
{
    const struct tail *x = a, *y = b;

    return x->time < y->time ? -1 : x->time > y->time;
}

/* The ring of another boot is void: the newest ids of all mailboxes take its place. */
static int
ring_refill(struct yb_store_account *a, struct tally *t)
{
    struct yb_ring_entry *entries = yb_alloc(YB_RING, sizeof(*entries));
    size_t n = t->n_tail < YB_RING ? t->n_tail : YB_RING;
    int rc;

    if (t->n_tail > 0)
        qsort(t->tail, t->n_tail, sizeof(*t->tail), tail_order);
    for (size_t i = 0; i < n; i++)
        entries[i] = t->tail[t->n_tail - n + i].entry;
    rc = yb_lockfile_ring_fill(a->lock_fd, entries, n);
    a->head.ring_next = (uint32_t)(n % YB_RING);
    yb_free(entries);
    return rc;
}

static int
count_all(struct yb_store_account *a, bool ring, struct yb_err *err)
{
    struct tally t = { .a = a, .ring = ring };
    struct yb_err why = { 0 };
    int rc;

    a->counting = true;
    rc = yb_account_folders(a, tally_folder, &t, &why);
    a->counting = false;
    if (rc < 0 && err != NULL)
        *err = why;
    if (rc == 0 && ring && ring_refill(a, &t) < 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "write " LOCK_FILE);
    if (rc == 0) {
        a->head.bytes = t.bytes;
        a->head.messages = t.messages;
    }
    yb_free(t.tail);
    return rc;
}

int
yb_account_recount(struct yb_store_account *a, struct yb_err *err)
{
    return a->counting ? 0 : count_all(a, false, err);
}

int
yb_account_repair(struct yb_store_account *a, bool head_valid, struct yb_err *err)
{
    int rc;

    if (!head_valid) {
        /* A number no other process can have seen, so that all forget which name is which folder.
         */
        uint32_t folders = (uint32_t)yb_clock_now();

        a->head = (struct yb_lock_head){ .folders = folders | 1 };
        memcpy(a->head.boot, a->store->boot, YB_ID_BYTES);
    }
    yb_mailbox_forget_all(a);
    a->folders_seen = a->head.folders;
    if (yb_account_busy(a, err) < 0)
        return -1;
    yb_fault("store.repair");
    a->unclean = !head_valid;
    rc = count_all(a, !head_valid, err);
    a->unclean = false;
    if (rc < 0)
        return -1;
    yb_folder_empty_trash(a);
    return yb_account_settle(a, err);
}

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

    yb_lockfile_read_durable(a->lock_fd, &d);
    if (d.sequence == 0) {
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
        yb_err_sys(err, YB_TEMP, "4.3.0", "write " LOCK_FILE);
        return 0;
    }
    return d.last_uidvalidity;
}

/* --- POP3 and removal --- */

int
yb_store_lock_pop(struct yb_store_account *a, int *lock, struct yb_err *err)
{
    struct flock how = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = POP_LOCK_BYTE, .l_len = 1
    };
    int fd = yb_sys_open(a->dir_fd, LOCK_FILE, O_RDWR | O_NOFOLLOW), rc = 0;

    *lock = -1;
    if (fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open " LOCK_FILE);
    /* An open file's own lock: two sessions of one process exclude each other too. */
    if (fcntl(fd, F_OFD_SETLK, &how) == 0) {
        *lock = fd;
        return 0;
    }
    if (errno == EAGAIN || errno == EACCES)
        rc = yb_err_as(err, YB_ERR_IN_USE, YB_TEMP, "4.2.0", "Another session has the mailbox");
    else
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "lock " LOCK_FILE);
    close(fd);
    return rc;
}

void
yb_store_unlock_pop(struct yb_store_account *a, int *lock)
{
    (void)a;
    yb_sys_close(lock);
}

/* Under the account lock: the folder under a name that nobody opens, without what makes it an
 * account's. Processes that have it open see the lock file gone when they lock next. */
static int
set_aside(struct yb_store_account *a, int outer_fd, const char *name, const char *aside,
          struct yb_err *err)
{
    if (yb_sys_rename(outer_fd, name, outer_fd, aside) < 0 || yb_sys_fsync(outer_fd) < 0 ||
        unlinkat(a->dir_fd, ACCOUNT_FILE, 0) < 0 || unlinkat(a->dir_fd, LOCK_FILE, 0) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "remove the account's folder");
    atomic_store(&a->gone, true);
    return 0;
}

int
yb_store_remove(struct yb_store *s, struct yb_account_id id, struct yb_err *err)
{
    char text[YB_ID_TEXT], outer[3], aside[YB_ID_TEXT + 16];
    int root_fd = yb_root_fd(s, err), outer_fd, rc = 0;
    struct yb_store_account *a = NULL;
    struct yb_err why = { 0 };

    if (root_fd < 0)
        return -1;
    yb_account_id_text(id, text);
    snprintf(outer, sizeof(outer), "%.2s", text);
    snprintf(aside, sizeof(aside), ".removed.%s", text);
    outer_fd = yb_sys_open(root_fd, outer, O_RDONLY | O_DIRECTORY);
    if (outer_fd < 0)
        return errno == ENOENT ? 0 : yb_err_sys(err, YB_TEMP, "4.3.0", "open %s", outer);
    /* What an earlier removal left goes first: the name is needed. */
    if (yb_sys_remove_tree(outer_fd, aside, 3) < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "empty the account's folder");
    } else if (yb_store_open(s, id, false, &a, &why) < 0) {
        rc = why.class == YB_PERM ? 0 : -1;
        if (rc < 0 && err != NULL)
            *err = why;
    } else if (yb_account_lock(a, err) < 0) {
        rc = -1;
    } else {
        rc = set_aside(a, outer_fd, text, aside, err);
        yb_account_unlock(a);
        if (rc == 0 && yb_sys_remove_tree(outer_fd, aside, 3) < 0)
            rc = yb_err_sys(err, YB_TEMP, "4.3.0", "empty the account's folder");
    }
    yb_sys_close(&outer_fd);
    yb_store_close(&a);
    return rc;
}
