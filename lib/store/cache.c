/*
 * `yubin-cache`: parsed forms of messages, appended, each with its UID and checksum. A record holds
 * the place; a place that leads to something else is as good as none. Never synced: it can be made
 * again from the messages.
 */
#include "lib/base/io.h"
#include "lib/store/sum.h"
#include "lib/store/sys.h"
#include "lib/store/table.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "yubin-cache"
#define UNIT 8
#define PENDING 64
#define ENTRY_LIMIT (1u << 20)
#define GUESS 1024        /* bytes read at first: most entries are smaller */
#define MAGIC 0x45434259u /* "YBCE" */

struct entry {
    uint32_t magic, uid, size, spare;
    uint64_t sum;
};

struct pending {
    uint32_t uid, place;
};

struct yb_cache {
    int fd;
    struct pending pending[PENDING]; /* written, but the record does not say so yet */
    size_t n_pending;
};

static uint64_t
entry_sum(uint32_t uid, struct yb_str data)
{
    char tail[16] = { 0 };
    size_t whole = data.n / 16 * 16;

    memcpy(tail, data.p + whole, data.n - whole);
    return yb_sum_mix(yb_sum(data.p, whole), yb_sum(tail, sizeof(tail)) ^ uid);
}

/* m->mutex held: the open cache file, or NULL. */
static struct yb_cache *
cache_open(struct yb_mailbox *m, bool create)
{
    struct yb_cache *c = m->cache;

    if (c == NULL) {
        c = m->cache = yb_alloc(1, sizeof(*c));
        c->fd = -1;
    }
    if (c->fd >= 0 && yb_sys_gone(c->fd)) { /* another process began anew */
        yb_sys_close(&c->fd);
        c->n_pending = 0;
    }
    if (c->fd < 0)
        c->fd = yb_sys_open(m->dir_fd, FILE_NAME,
                            O_RDWR | O_APPEND | O_NOFOLLOW | (create ? O_CREAT : 0));
    return c->fd < 0 ? NULL : c;
}

void
yb_mailbox_cache_free(struct yb_mailbox *m)
{
    if (m->cache == NULL)
        return;
    yb_sys_close(&m->cache->fd);
    yb_free(m->cache);
    m->cache = NULL;
}

void
yb_cache_reset(struct yb_mailbox *m)
{
    pthread_mutex_lock(&m->mutex);
    yb_mailbox_cache_free(m);
    pthread_mutex_unlock(&m->mutex);
    (void)!unlinkat(m->dir_fd, FILE_NAME, 0);
}

/* m->mutex held: where the entry of a UID is; 0 when nowhere. */
static uint32_t
place_of(const struct yb_mailbox *m, uint32_t uid)
{
    const struct yb_table *t = m->table;

    for (size_t i = 0; m->cache != NULL && i < m->cache->n_pending; i++) {
        if (m->cache->pending[i].uid == uid)
            return m->cache->pending[i].place;
    }
    if (t != NULL) {
        size_t at = yb_block_find(t->live->v, t->live->n, uid);

        if (at < t->live->n && t->live->v[at].uid == uid)
            return t->cache[at];
    }
    return 0;
}

static bool
entry_read(int fd, uint32_t place, uint32_t uid, struct yb_arena *arena, struct yb_str *out)
{
    char first[sizeof(struct entry) + GUESS];
    off_t at = (off_t)place * UNIT;
    ssize_t n = yb_pread_full(fd, first, sizeof(first), at);
    struct entry e;
    size_t have;
    char *data;

    if (n < (ssize_t)sizeof(e))
        return false;
    memcpy(&e, first, sizeof(e));
    if (e.magic != MAGIC || e.uid != uid || e.size > ENTRY_LIMIT)
        return false;
    data = yb_arena_alloc(arena, e.size + 1, 1);
    have = (size_t)n - sizeof(e) < e.size ? (size_t)n - sizeof(e) : e.size;
    memcpy(data, first + sizeof(e), have);
    if (have < e.size && yb_pread_full(fd, data + have, e.size - have,
                                       at + (off_t)(sizeof(e) + have)) != (ssize_t)(e.size - have))
        return false;
    *out = yb_str(data, e.size);
    return e.sum == entry_sum(uid, *out);
}

bool
yb_mailbox_cache_get(struct yb_mailbox *m, const struct yb_record *r, struct yb_arena *arena,
                     struct yb_str *out)
{
    uint32_t place;
    bool found = false;

    pthread_mutex_lock(&m->mutex);
    place = place_of(m, r->uid);
    if (place != 0 && cache_open(m, false) != NULL)
        found = entry_read(m->cache->fd, place, r->uid, arena, out);
    pthread_mutex_unlock(&m->mutex);
    return found;
}

/* Appends an entry; its place, or 0 when it could not be written whole. */
static uint32_t
entry_append(int fd, uint32_t uid, struct yb_str data)
{
    static const char zeros[UNIT];
    struct entry e = { MAGIC, uid, (uint32_t)data.n, 0, entry_sum(uid, data) };
    union {
        const char *in;
        char *out;
    } bytes = { data.p }, pad = { zeros }; /* iovec has no const */
    struct iovec v[3] = { { &e, sizeof(e) },
                          { bytes.out, data.n },
                          { pad.out, (UNIT - data.n % UNIT) % UNIT } };
    ssize_t total = (ssize_t)(sizeof(e) + data.n + v[2].iov_len);
    struct stat st;
    off_t end;

    if (fstat(fd, &st) < 0)
        return 0;
    if (st.st_size == 0 && yb_write_all(fd, yb_str("YBCACHE1", UNIT)) < 0)
        return 0;
    if (writev(fd, v, 3) != total) /* O_APPEND: nobody else's bytes come between */
        return 0;
    end = lseek(fd, 0, SEEK_CUR);
    if (end < total || (end - total) % UNIT != 0 || (end - total) / UNIT > UINT32_MAX)
        return 0;
    return (uint32_t)((end - total) / UNIT);
}

void
yb_mailbox_cache_put(struct yb_mailbox *m, const struct yb_record *r, struct yb_str data)
{
    struct yb_cache *c;
    uint32_t place = 0;
    bool full = false;

    if (data.n > ENTRY_LIMIT)
        return;
    pthread_mutex_lock(&m->mutex);
    c = cache_open(m, true);
    if (c != NULL && c->n_pending < PENDING && place_of(m, r->uid) == 0)
        place = entry_append(c->fd, r->uid, data);
    if (place != 0) {
        c->pending[c->n_pending++] = (struct pending){ r->uid, place };
        full = c->n_pending == PENDING;
    }
    pthread_mutex_unlock(&m->mutex);
    if (full)
        yb_cache_flush(m);
}

/* m->mutex held: what is pending goes into the table, and out to the caller. */
static size_t
take_pending(struct yb_mailbox *m, struct pending out[PENDING])
{
    struct yb_cache *c = m->cache;
    struct yb_table *t = m->table;
    size_t n = c == NULL ? 0 : c->n_pending;

    for (size_t i = 0; i < n; i++) {
        out[i] = c->pending[i];
        if (t == NULL)
            continue;
        size_t at = yb_block_find(t->live->v, t->live->n, out[i].uid);

        if (at < t->live->n && t->live->v[at].uid == out[i].uid)
            t->cache[at] = out[i].place;
    }
    if (c != NULL)
        c->n_pending = 0;
    return n;
}

void
yb_cache_flush(struct yb_mailbox *m)
{
    struct pending pending[PENDING];
    size_t n, hint = 0, place;

    pthread_mutex_lock(&m->mutex);
    n = m->cache == NULL ? 0 : m->cache->n_pending;
    pthread_mutex_unlock(&m->mutex);
    if (n == 0 || yb_account_lock(m->account, NULL) < 0)
        return;
    if (yb_mailbox_enter(m, NULL) == 0) {
        pthread_mutex_lock(&m->mutex);
        n = take_pending(m, pending);
        pthread_mutex_unlock(&m->mutex);
        for (size_t i = 0; i < n; i++) {
            struct yb_index_slot slot;

            if (!yb_mailbox_slot(m, pending[i].uid, hint, &slot, &place) ||
                (slot.state & YB_SLOT_LIVE) == 0)
                continue;
            hint = place + 1;
            slot.cache = pending[i].place;
            (void)!yb_index_write_slots(m->index_fd, place, 1, &slot);
        }
    }
    yb_account_unlock(m->account);
}
