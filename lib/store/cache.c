/*
 * `yubin-cache`: parsed forms of messages, appended, each with its UID and checksum. A record holds
 * the place; a place that leads to something else is as good as none. Never synced: it can be made
 * again from the messages.
 */
#include "lib/store/cache.h"
#include "lib/base/buf.h"
#include "lib/base/io.h"
#include "lib/store/sum.h"
#include "lib/store/sys.h"
#include "lib/store/table.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "yubin-cache"
#define UNIT 8
#define ENTRY_LIMIT (1u << 20)
#define TAIL_FULL ((size_t)256 << 10)
#define GUESS 1024        /* bytes read at first: most entries are smaller */
#define MAGIC 0x45434259u /* "YBCE" */
#define HEAD "YBCACHE2"   /* the file begins so: UNIT octets, the last one is the version */
#define OLD_HEAD "YBCACHE1"

struct entry {
    uint32_t magic, uid, size, spare;
    uint64_t sum;
};

/* New entries wait in memory and are written together: one write, and one look at the account's
 * lock, for many messages. */
struct yb_cache {
    int fd;
    struct yb_cached pending[YB_CACHED_MOST];
    size_t n_pending;
    struct yb_buf *tail; /* their bytes, as they will stand in the file */
};

static uint64_t
entry_sum(uint32_t uid, struct yb_str data)
{
    return yb_sum_with(data.p, data.n, uid);
}

static uint64_t
old_entry_sum(uint32_t uid, struct yb_str data)
{
    char tail[16] = { 0 };
    size_t whole = data.n / 16 * 16;

    memcpy(tail, data.p + whole, data.n - whole);
    return yb_sum_old_mix(yb_sum_old(data.p, whole), yb_sum_old(tail, sizeof(tail)) ^ uid);
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
    if (c->fd >= 0 && create && !yb_sys_same(m->dir_fd, FILE_NAME, c->fd)) /* begun anew */
        yb_sys_close(&c->fd);
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
    yb_buf_free(&m->cache->tail);
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

/* m->mutex held: what waits to be written of a UID, or NULL. */
static const struct yb_cached *
waiting_of(const struct yb_mailbox *m, uint32_t uid)
{
    for (size_t i = 0; m->cache != NULL && i < m->cache->n_pending; i++) {
        if (m->cache->pending[i].uid == uid)
            return &m->cache->pending[i];
    }
    return NULL;
}

/* m->mutex held: the table's word on where the entry of a UID is in the file (0: nowhere), or NULL. */
static uint32_t *
place_of(const struct yb_mailbox *m, uint32_t uid)
{
    const struct yb_table *t = m->table;
    size_t at = t == NULL ? 0 : yb_block_find(t->live->v, t->live->n, uid);

    return t == NULL || at == t->live->n || t->live->v[at].uid != uid ? NULL : &t->cache[at];
}

/* m->mutex held: a copy of an entry that waits. */
static struct yb_str
waiting_data(const struct yb_cache *c, const struct yb_cached *p, struct yb_arena *arena)
{
    struct yb_str from = yb_str_skip(yb_buf_view(c->tail), p->at);
    struct entry e;

    memcpy(&e, from.p, sizeof(e));
    return yb_arena_dup(arena, yb_str_head(yb_str_skip(from, sizeof(e)), e.size));
}

static bool
entry_read(int fd, bool old, uint32_t place, uint32_t uid, struct yb_arena *arena,
           struct yb_str *out)
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
    return e.sum == (old ? old_entry_sum(uid, *out) : entry_sum(uid, *out));
}

/* m->mutex held. That another process began the file anew shows by what is not found in it. */
static bool
find_in_file(struct yb_mailbox *m, uint32_t uid, struct yb_arena *arena, struct yb_str *out)
{
    uint32_t *place = place_of(m, uid);

    if (place == NULL || *place == 0)
        return false;
    if (cache_open(m, false) != NULL && entry_read(m->cache->fd, false, *place, uid, arena, out))
        return true;
    if (m->cache->fd >= 0 && !yb_sys_same(m->dir_fd, FILE_NAME, m->cache->fd)) {
        yb_sys_close(&m->cache->fd);
        if (cache_open(m, false) != NULL &&
            entry_read(m->cache->fd, false, *place, uid, arena, out))
            return true;
    }
    *place = 0; /* it leads nowhere: the next parsed form gets another */
    return false;
}

bool
yb_mailbox_cache_get(struct yb_mailbox *m, const struct yb_record *r, struct yb_arena *arena,
                     struct yb_str *out)
{
    const struct yb_cached *waiting;
    bool found = true;

    pthread_mutex_lock(&m->mutex);
    waiting = waiting_of(m, r->uid);
    if (waiting != NULL)
        *out = waiting_data(m->cache, waiting, arena);
    else
        found = find_in_file(m, r->uid, arena, out);
    pthread_mutex_unlock(&m->mutex);
    return found;
}

/* Appends an entry as it stands in the file; how many octets it takes. */
static size_t
entry_put(struct yb_buf *b, uint32_t uid, struct yb_str data)
{
    static const char zeros[UNIT];
    struct entry e = { MAGIC, uid, (uint32_t)data.n, 0, entry_sum(uid, data) };
    size_t rest = (UNIT - data.n % UNIT) % UNIT;

    yb_buf_add(b, yb_str((const char *)&e, sizeof(e)));
    yb_buf_add(b, data);
    yb_buf_add(b, yb_str(zeros, rest));
    return sizeof(e) + data.n + rest;
}

/* m->mutex held: adds an entry to those that wait. */
static void
entry_add(struct yb_cache *c, uint32_t uid, struct yb_str data)
{
    if (c->tail == NULL)
        c->tail = yb_buf_new(YB_CACHED_MOST * (ENTRY_LIMIT + sizeof(struct entry) + UNIT));
    c->pending[c->n_pending++] = (struct yb_cached){ uid, 0, (uint32_t)yb_buf_size(c->tail) };
    (void)entry_put(c->tail, uid, data);
}

bool
yb_cache_wait(struct yb_mailbox *m, const struct yb_record *r, struct yb_str data)
{
    const uint32_t *place;
    struct yb_cache *c;
    bool full;

    if (data.n > ENTRY_LIMIT)
        return false;
    pthread_mutex_lock(&m->mutex);
    if (m->cache == NULL) {
        m->cache = yb_alloc(1, sizeof(*m->cache));
        m->cache->fd = -1;
    }
    c = m->cache;
    place = place_of(m, r->uid);
    if (c->n_pending < YB_CACHED_MOST && waiting_of(m, r->uid) == NULL &&
        (place == NULL || *place == 0))
        entry_add(c, r->uid, data);
    full = c->n_pending == YB_CACHED_MOST || (c->tail != NULL && yb_buf_size(c->tail) > TAIL_FULL);
    pthread_mutex_unlock(&m->mutex);
    return full;
}

void
yb_mailbox_cache_forget(struct yb_mailbox *m, const struct yb_record *r)
{
    uint32_t *place;

    pthread_mutex_lock(&m->mutex);
    place = place_of(m, r->uid);
    if (place != NULL)
        *place = 0;
    pthread_mutex_unlock(&m->mutex);
}

/* m->mutex held: appends what waits in one write and gives each entry its place, which stays 0 when
 * that failed. */
static void
tail_write(struct yb_mailbox *m)
{
    struct yb_cache *c = cache_open(m, true);
    struct yb_str tail;
    struct stat st;
    off_t begin;

    if (c == NULL || c->tail == NULL || fstat(c->fd, &st) < 0)
        return;
    if (st.st_size == 0 && yb_write_all(c->fd, YB_STR(HEAD)) < 0)
        return;
    tail = yb_buf_view(c->tail);
    if (write(c->fd, tail.p, tail.n) != (ssize_t)tail.n) /* O_APPEND: no other's bytes between */
        return;
    begin = lseek(c->fd, 0, SEEK_CUR) - (off_t)tail.n;
    if (begin < UNIT || begin % UNIT != 0 || (begin + (off_t)tail.n) / UNIT > UINT32_MAX)
        return;
    for (size_t i = 0; i < c->n_pending; i++)
        c->pending[i].place = (uint32_t)((begin + c->pending[i].at) / UNIT);
}

size_t
yb_cache_take(struct yb_mailbox *m, struct yb_cached out[YB_CACHED_MOST])
{
    struct yb_cache *c = m->cache;
    size_t n = c == NULL ? 0 : c->n_pending;

    if (n == 0)
        return 0;
    tail_write(m);
    for (size_t i = 0; i < n; i++) {
        uint32_t *place = place_of(m, c->pending[i].uid);

        out[i] = c->pending[i];
        if (place != NULL)
            *place = out[i].place;
    }
    c->n_pending = 0;
    yb_buf_free(&c->tail);
    return n;
}

size_t
yb_cache_waiting(struct yb_mailbox *m, size_t *octets)
{
    size_t n;

    pthread_mutex_lock(&m->mutex);
    n = m->cache == NULL ? 0 : m->cache->n_pending;
    *octets = m->cache == NULL || m->cache->tail == NULL ? 0 : yb_buf_size(m->cache->tail);
    pthread_mutex_unlock(&m->mutex);
    return n;
}

/* --- compaction --- */

#define COPY_FULL ((size_t)1 << 20)

struct copying {
    int from, to;
    bool old;           /* `from` is of the first form */
    struct yb_buf *out; /* what is not written yet */
    uint64_t written;   /* in the file and in `out` */
    struct yb_arena *arena;
};

static int
copy_flush(struct copying *c)
{
    int rc = yb_write_all(c->to, yb_buf_view(c->out));

    yb_buf_clear(c->out);
    return rc;
}

/* An entry at the end of the new file; its place there, 0 when it led nowhere. -1: no room. */
static int
copy_entry(struct copying *c, uint32_t uid, uint32_t place, uint32_t *copy)
{
    struct yb_str data;

    *copy = 0;
    if (!entry_read(c->from, c->old, place, uid, c->arena, &data))
        return 0;
    if (c->written / UNIT > UINT32_MAX)
        return -1;
    *copy = (uint32_t)(c->written / UNIT);
    c->written += entry_put(c->out, uid, data);
    yb_arena_reset(c->arena);
    return yb_buf_size(c->out) > COPY_FULL ? copy_flush(c) : 0;
}

/* All that the records lead to, with places[i] in the new file. */
static int
copy_all(struct copying *c, const struct yb_index_slot *slots, size_t n, uint32_t *places)
{
    yb_buf_add(c->out, YB_STR(HEAD));
    c->written = UNIT;
    for (size_t i = 0; i < n; i++) {
        if ((slots[i].state & YB_SLOT_LIVE) != 0 && slots[i].cache != 0 &&
            copy_entry(c, slots[i].uid, slots[i].cache, &places[i]) < 0)
            return -1;
    }
    return copy_flush(c);
}

/* The file again with what the records lead to. */
static int
cache_rewrite(struct yb_mailbox *m, bool old, struct yb_index_slot *slots, size_t n)
{
    const char *tmp = FILE_NAME ".tmp";
    uint32_t *places = yb_alloc(n + 1, sizeof(*places));
    struct copying c = { .from = yb_sys_open(m->dir_fd, FILE_NAME, O_RDONLY | O_NOFOLLOW),
                         .to = -1,
                         .old = old };
    int rc = -1;

    if (c.from >= 0)
        c.to = yb_sys_open(m->dir_fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
    if (c.to >= 0) {
        c.arena = yb_arena_new(GUESS);
        c.out = yb_buf_new(COPY_FULL + ENTRY_LIMIT + sizeof(struct entry) + 2 * UNIT);
        rc = copy_all(&c, slots, n, places);
        if (rc == 0)
            rc = yb_sys_replace(m->dir_fd, tmp, FILE_NAME);
        if (rc < 0)
            (void)!unlinkat(m->dir_fd, tmp, 0);
        yb_buf_free(&c.out);
        yb_arena_free(&c.arena);
    }
    for (size_t i = 0; rc == 0 && i < n; i++)
        slots[i].cache = places[i];
    if (rc == 0) { /* what waits in memory is for the file of before */
        pthread_mutex_lock(&m->mutex);
        yb_mailbox_cache_free(m);
        pthread_mutex_unlock(&m->mutex);
    }
    yb_sys_close(&c.from);
    yb_sys_close(&c.to);
    yb_free(places);
    return rc;
}

void
yb_cache_compact(struct yb_mailbox *m, struct yb_index_slot *slots, size_t n)
{
    (void)!cache_rewrite(m, false, slots, n);
}

void
yb_cache_renew(struct yb_mailbox *m, struct yb_index_slot *slots, size_t n)
{
    char head[UNIT] = "";
    int fd = yb_sys_open(m->dir_fd, FILE_NAME, O_RDONLY | O_NOFOLLOW);

    if (fd >= 0 && yb_pread_full(fd, head, sizeof(head), 0) == sizeof(head) &&
        memcmp(head, OLD_HEAD, sizeof(head)) == 0 && cache_rewrite(m, true, slots, n) < 0) {
        for (size_t i = 0; i < n; i++) /* parsed again when they are asked for */
            slots[i].cache = 0;
        yb_cache_reset(m);
    }
    yb_sys_close(&fd);
}
