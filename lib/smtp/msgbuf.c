/*
 * Charges are kept in a table of counters indexed by a hash of the network: bounded, without a
 * lock, nothing to expire. Two networks that meet in a slot share its limit, which is why the limit
 * of a network is far above what one honest sender uses.
 */
#include "lib/smtp/msgbuf.h"

#include "lib/base/clock.h"
#include "lib/base/fault.h"
#include "lib/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SLOTS 4096
#define FIRST_ROOM 8192
/* How much may be written before the free space is looked at again. */
#define DISK_STEP (1u << 20)
/* … and how long a look is good for: the reserve is far above what comes in that time. */
#define LOOK_MS 100

struct yb_msgbuf_pool {
    struct yb_msgbuf_conf conf;
    int folder_fd;
    _Atomic size_t memory;
    _Atomic uint64_t disk;
    _Atomic uint64_t free_bytes; /* of the file system, as of looked_ms */
    _Atomic int64_t looked_ms;
    struct {
        _Atomic size_t memory;
        _Atomic uint64_t disk;
    } network[SLOTS];
};

struct yb_msgbuf {
    struct yb_msgbuf_pool *pool;
    size_t slot;
    char *mem; /* NULL once in a file */
    size_t room;
    int fd;
    bool only_read; /* the file is not of the spool */
    uint64_t size;
    uint64_t look_at; /* size at which the free space is looked at again */
};

static size_t
slot_of(uint64_t network)
{
    return (size_t)((network * 0x9e3779b97f4a7c15u) >> 52) % SLOTS;
}

struct yb_msgbuf_pool *
yb_msgbuf_pool_new(const struct yb_msgbuf_conf *conf, struct yb_err *err)
{
    int fd = open(conf->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct yb_msgbuf_pool *p;

    if (fd < 0) {
        yb_err_sys(err, YB_TEMP, "4.3.0", "open spool folder %s", conf->folder);
        return NULL;
    }
    p = yb_alloc(1, sizeof(*p));
    p->conf = *conf;
    p->conf.folder = yb_dup(conf->folder, strlen(conf->folder));
    p->folder_fd = fd;
    p->looked_ms = yb_clock_ms() - LOOK_MS;
    return p;
}

void
yb_msgbuf_pool_free(struct yb_msgbuf_pool **p)
{
    if (*p == NULL)
        return;
    yb_assert(atomic_load(&(*p)->memory) == 0 && atomic_load(&(*p)->disk) == 0);
    close((*p)->folder_fd);
    yb_free((char *)(uintptr_t)(*p)->conf.folder);
    yb_free(*p);
    *p = NULL;
}

size_t
yb_msgbuf_pool_memory(const struct yb_msgbuf_pool *p)
{
    return atomic_load(&p->memory);
}

uint64_t
yb_msgbuf_pool_disk(const struct yb_msgbuf_pool *p)
{
    return atomic_load(&p->disk);
}

/* R-A88: below the reserve nothing new begins, so that what was begun can be finished. */
static int
disk_has_room(struct yb_msgbuf_pool *p, uint64_t more, struct yb_err *err)
{
    struct statvfs vfs;
    uint64_t free_bytes;

    if (yb_clock_ms() - atomic_load(&p->looked_ms) >= LOOK_MS) {
        if (fstatvfs(p->folder_fd, &vfs) < 0)
            return yb_err_sys(err, YB_TEMP, "4.3.0", "look at free space of the spool");
        atomic_store(&p->free_bytes, (uint64_t)vfs.f_bavail * vfs.f_frsize);
        atomic_store(&p->looked_ms, yb_clock_ms());
    }
    free_bytes = atomic_load(&p->free_bytes);
    if (free_bytes < p->conf.disk_reserve || free_bytes - p->conf.disk_reserve < more)
        return yb_err_set(err, YB_TEMP, "4.3.1", "Insufficient storage, try again later");
    return 0;
}

int
yb_msgbuf_pool_admit(struct yb_msgbuf_pool *p, uint64_t size, uint64_t network, struct yb_err *err)
{
    size_t slot = slot_of(network);

    if (atomic_load(&p->network[slot].disk) > p->conf.disk_network ||
        atomic_load(&p->memory) > 2 * p->conf.memory_total)
        return yb_err_set(err, YB_TEMP, "4.3.1", "Too much in transit, try again later");
    return disk_has_room(p, size, err);
}

struct yb_msgbuf *
yb_msgbuf_new(struct yb_msgbuf_pool *p, uint64_t network)
{
    struct yb_msgbuf *m = yb_alloc(1, sizeof(*m));

    m->pool = p;
    m->slot = slot_of(network);
    m->fd = -1;
    return m;
}

struct yb_msgbuf *
yb_msgbuf_of_file(struct yb_msgbuf_pool *p, int fd, uint64_t size)
{
    struct yb_msgbuf *m = yb_msgbuf_new(p, 0);

    m->fd = fd;
    m->only_read = true;
    m->size = size;
    return m;
}

static void
charge_memory(struct yb_msgbuf *m, size_t more)
{
    atomic_fetch_add(&m->pool->memory, more);
    atomic_fetch_add(&m->pool->network[m->slot].memory, more);
}

static void
drop_memory(struct yb_msgbuf *m)
{
    atomic_fetch_sub(&m->pool->memory, m->room);
    atomic_fetch_sub(&m->pool->network[m->slot].memory, m->room);
    yb_free(m->mem);
    m->mem = NULL;
    m->room = 0;
}

void
yb_msgbuf_free(struct yb_msgbuf **m)
{
    if (*m == NULL)
        return;
    if ((*m)->fd >= 0) {
        close((*m)->fd);
        if (!(*m)->only_read) {
            atomic_fetch_sub(&(*m)->pool->disk, (*m)->size);
            atomic_fetch_sub(&(*m)->pool->network[(*m)->slot].disk, (*m)->size);
        }
    }
    drop_memory(*m);
    yb_free(*m);
    *m = NULL;
}

/* An unnamed file; where the file system has none, a named one whose name goes at once. */
static int
spool_open(struct yb_msgbuf_pool *p, struct yb_err *err)
{
    char path[4096];
    int fd = openat(p->folder_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0)
        return fd;
    if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) {
        struct yb_str dir = yb_str_from(p->conf.folder);

        if (dir.n + sizeof("/msg.XXXXXX") <= sizeof(path)) {
            memcpy(path, dir.p, dir.n);
            memcpy(path + dir.n, "/msg.XXXXXX", sizeof("/msg.XXXXXX"));
            fd = mkostemp(path, O_CLOEXEC);
        }
    }
    if (fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "create a spool file");
    unlink(path);
    return fd;
}

static int
file_append(struct yb_msgbuf *m, struct yb_str s, struct yb_err *err)
{
    if (m->size + s.n >= m->look_at) {
        if (disk_has_room(m->pool, s.n, err) < 0)
            return -1;
        m->look_at = m->size + s.n + DISK_STEP;
    }
    if (atomic_load(&m->pool->network[m->slot].disk) > m->pool->conf.disk_network)
        return yb_err_set(err, YB_TEMP, "4.3.1", "Too much in transit, try again later");
    if (yb_fault_fails("msgbuf.write") || yb_pwrite_all(m->fd, s, (off_t)m->size) < 0) {
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write a spool file");
    }
    m->size += s.n;
    atomic_fetch_add(&m->pool->disk, s.n);
    atomic_fetch_add(&m->pool->network[m->slot].disk, s.n);
    return 0;
}

static int
move_to_file(struct yb_msgbuf *m, struct yb_err *err)
{
    struct yb_str held = yb_str(m->mem, (size_t)m->size);

    m->fd = spool_open(m->pool, err);
    if (m->fd < 0)
        return -1;
    m->size = 0;
    if (file_append(m, held, err) < 0)
        return -1;
    drop_memory(m);
    return 0;
}

/* The room for `need` bytes in memory, or 0 when that is too much for one of the totals. */
static size_t
room_for(const struct yb_msgbuf *m, size_t need)
{
    const struct yb_msgbuf_pool *p = m->pool;
    size_t room = m->room == 0 ? FIRST_ROOM : m->room, more;

    if (need > p->conf.memory_each)
        return 0;
    while (room < need)
        room *= 2;
    if (room > p->conf.memory_each)
        room = p->conf.memory_each;
    more = room - m->room;
    if (atomic_load(&p->memory) + more > p->conf.memory_total ||
        atomic_load(&p->network[m->slot].memory) + more > p->conf.memory_network)
        return 0;
    return room;
}

int
yb_msgbuf_append(struct yb_msgbuf *m, struct yb_str s, struct yb_err *err)
{
    size_t need;

    yb_assert(!m->only_read);
    if (s.n == 0)
        return 0;
    if (m->fd < 0) {
        need = (size_t)m->size + s.n;
        if (need > m->room) {
            size_t room = room_for(m, need);

            if (room == 0 && move_to_file(m, err) < 0)
                return -1;
            if (room > 0) {
                m->mem = yb_realloc(m->mem, room, 1);
                charge_memory(m, room - m->room);
                m->room = room;
            }
        }
    }
    if (m->fd >= 0)
        return file_append(m, s, err);
    memcpy(m->mem + m->size, s.p, s.n);
    m->size += s.n;
    return 0;
}

uint64_t
yb_msgbuf_size(const struct yb_msgbuf *m)
{
    return m->size;
}

bool
yb_msgbuf_view(const struct yb_msgbuf *m, struct yb_str *all)
{
    *all = yb_str(m->mem, m->fd < 0 ? (size_t)m->size : 0);
    return m->fd < 0;
}

int
yb_msgbuf_fd(const struct yb_msgbuf *m)
{
    return m->fd;
}

ssize_t
yb_msgbuf_pread(const struct yb_msgbuf *m, void *to, size_t n, uint64_t at, struct yb_err *err)
{
    ssize_t got;

    if (at >= m->size)
        return 0;
    if (n > m->size - at)
        n = (size_t)(m->size - at);
    if (m->fd < 0) {
        memcpy(to, m->mem + at, n);
        return (ssize_t)n;
    }
    got = yb_pread_full(m->fd, to, n, (off_t)at);
    if (got < 0 || (size_t)got < n)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "read a spool file");
    return got;
}
