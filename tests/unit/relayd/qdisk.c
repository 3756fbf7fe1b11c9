#include "tests/unit/relayd/qdisk.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "queue.db", "queue.db-wal"; the other files need not last. */
static const char *const names[] = { "queue.db", "queue.db-wal" };

struct file {
    sqlite3_file base;
    size_t which; /* of names; YB_COUNT(names): another */
    sqlite3_file *real;
};

struct event {
    enum qdisk_call call; /* NONE: a truncation to `at` */
    size_t which;
    sqlite3_int64 at;
    int n;
    char *data;
};

static struct {
    pthread_mutex_t lock;
    sqlite3_vfs *real, vfs;
    enum qdisk_call call;
    long left;
    int rc;
    bool failed, recording;
    struct event *events;
    size_t n_events, room;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The result that the call is to have, after it was written down. */
static int
passes(struct file *f, enum qdisk_call call, sqlite3_int64 at, const void *data, int n)
{
    int rc = SQLITE_OK;

    if (f->which == YB_COUNT(names))
        return SQLITE_OK;
    pthread_mutex_lock(&disk.lock);
    if (disk.recording) {
        struct event *e;

        if (disk.n_events == disk.room) {
            disk.room = disk.room == 0 ? 1024 : 2 * disk.room;
            disk.events = yb_realloc(disk.events, disk.room, sizeof(*disk.events));
        }
        e = &disk.events[disk.n_events++];
        *e = (struct event){ call, f->which, at, n, n == 0 ? NULL : yb_dup(data, (size_t)n) };
    }
    if (disk.call != QDISK_NONE && disk.call == call && (disk.failed || --disk.left == 0)) {
        disk.failed = true;
        rc = disk.rc;
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

#define FILE_OF(f) ((struct file *)(void *)(f))
#define REAL(f) (FILE_OF(f)->real)

static int
x_close(sqlite3_file *f)
{
    int rc = REAL(f)->pMethods->xClose(REAL(f));

    sqlite3_free(REAL(f));
    return rc;
}

static int
x_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return REAL(f)->pMethods->xRead(REAL(f), to, n, at);
}

static int
x_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    int rc = passes(FILE_OF(f), QDISK_WRITE, at, p, n);
    int done = rc == SQLITE_FULL ? rc : REAL(f)->pMethods->xWrite(REAL(f), p, n, at);

    return rc == SQLITE_OK ? done : rc;
}

static int
x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    (void)passes(FILE_OF(f), QDISK_NONE, size, NULL, 0);
    return REAL(f)->pMethods->xTruncate(REAL(f), size);
}

static int
x_sync(sqlite3_file *f, int flags)
{
    int rc = passes(FILE_OF(f), QDISK_SYNC, 0, NULL, 0);

    return rc == SQLITE_OK ? REAL(f)->pMethods->xSync(REAL(f), flags) : rc;
}

static int
x_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return REAL(f)->pMethods->xFileSize(REAL(f), size);
}

static int
x_lock(sqlite3_file *f, int how)
{
    return REAL(f)->pMethods->xLock(REAL(f), how);
}

static int
x_unlock(sqlite3_file *f, int how)
{
    return REAL(f)->pMethods->xUnlock(REAL(f), how);
}

static int
x_reserved(sqlite3_file *f, int *is)
{
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), is);
}

static int
x_control(sqlite3_file *f, int op, void *arg)
{
    return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}

static int
x_sector(sqlite3_file *f)
{
    return REAL(f)->pMethods->xSectorSize(REAL(f));
}

static int
x_device(sqlite3_file *f)
{
    return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}

static int
x_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **p)
{
    return REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, p);
}

static int
x_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return REAL(f)->pMethods->xShmLock(REAL(f), at, n, flags);
}

static void
x_shm_barrier(sqlite3_file *f)
{
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}

static int
x_shm_unmap(sqlite3_file *f, int delete)
{
    return REAL(f)->pMethods->xShmUnmap(REAL(f), delete);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = x_close,
    .xRead = x_read,
    .xWrite = x_write,
    .xTruncate = x_truncate,
    .xSync = x_sync,
    .xFileSize = x_size,
    .xLock = x_lock,
    .xUnlock = x_unlock,
    .xCheckReservedLock = x_reserved,
    .xFileControl = x_control,
    .xSectorSize = x_sector,
    .xDeviceCharacteristics = x_device,
    .xShmMap = x_shm_map,
    .xShmLock = x_shm_lock,
    .xShmBarrier = x_shm_barrier,
    .xShmUnmap = x_shm_unmap,
};

static int
x_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct file *file = FILE_OF(f);
    const char *base = name == NULL ? NULL : strrchr(name, '/');
    int rc;

    (void)vfs;
    file->base.pMethods = NULL;
    file->real = sqlite3_malloc(disk.real->szOsFile);
    ck_assert(file->real != NULL);
    memset(file->real, 0, (size_t)disk.real->szOsFile);
    file->which = 0;
    while (file->which < YB_COUNT(names) &&
           (base == NULL || strcmp(base + 1, names[file->which]) != 0))
        file->which++;
    rc = disk.real->xOpen(disk.real, name, file->real, flags, out);
    if (file->real->pMethods != NULL)
        file->base.pMethods = &methods;
    else
        sqlite3_free(file->real);
    return rc;
}

void
qdisk_install(void)
{
    disk.real = sqlite3_vfs_find(NULL);
    if (disk.real == &disk.vfs)
        return;
    disk.vfs = *disk.real;
    disk.vfs.szOsFile = (int)sizeof(struct file);
    disk.vfs.zName = "qdisk";
    disk.vfs.xOpen = x_open;
    ck_assert(sqlite3_vfs_register(&disk.vfs, 1) == SQLITE_OK);
}

void
qdisk_fail(enum qdisk_call call, long n, int rc)
{
    pthread_mutex_lock(&disk.lock);
    disk.call = call;
    disk.left = n;
    disk.rc = rc;
    disk.failed = false;
    pthread_mutex_unlock(&disk.lock);
}

bool
qdisk_failed(void)
{
    bool failed;

    pthread_mutex_lock(&disk.lock);
    failed = disk.failed;
    pthread_mutex_unlock(&disk.lock);
    return failed;
}

/* --- power cuts --- */

void
qdisk_record(void)
{
    pthread_mutex_lock(&disk.lock);
    disk.recording = true;
    pthread_mutex_unlock(&disk.lock);
}

size_t
qdisk_at(void)
{
    size_t n;

    pthread_mutex_lock(&disk.lock);
    n = disk.n_events;
    pthread_mutex_unlock(&disk.lock);
    return n;
}

static void
put_octets(int fd, const struct event *e, int from, int to)
{
    if (to > from)
        ck_assert(pwrite(fd, e->data + from, (size_t)(to - from), e->at + from) == to - from);
}

void
qdisk_cut(const char *folder, size_t at, unsigned seed)
{
    int fds[YB_COUNT(names)];
    char path[600];

    for (size_t w = 0; w < YB_COUNT(names); w++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[w]);
        fds[w] = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        ck_assert(fds[w] >= 0);
    }
    for (size_t w = 0; w < YB_COUNT(names); w++) {
        size_t synced = 0;

        for (size_t i = 0; i < at; i++)
            synced = disk.events[i].call == QDISK_SYNC && disk.events[i].which == w ? i : synced;
        for (size_t i = 0; i < at; i++) {
            const struct event *e = &disk.events[i];
            int chance = i < synced ? 0 : rand_r(&seed) % 4;

            if (e->which != w || e->call == QDISK_SYNC)
                continue;
            if (e->call == QDISK_NONE && chance < 2)
                ck_assert(ftruncate(fds[w], e->at) == 0);
            else if (e->call == QDISK_WRITE && chance < 2)
                put_octets(fds[w], e, 0, e->n);
            else if (e->call == QDISK_WRITE && chance == 2)
                put_octets(fds[w], e, e->n / 1024 * 512, e->n);
        }
        close(fds[w]);
    }
}
