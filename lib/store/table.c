#include "lib/store/table.h"

#include <stdlib.h>

#define CHUNK 1024 /* records read at once: 128 KiB */
#define PENDING (YB_BATCH + 1)

/* --- blocks --- */

struct yb_block *
yb_block_new(size_t room)
{
    struct yb_block *b = yb_alloc(1, sizeof(*b));

    atomic_init(&b->refs, 1);
    b->room = room;
    b->v = yb_alloc(room + 1, sizeof(*b->v));
    return b;
}

void
yb_block_release(struct yb_block *b)
{
    if (b == NULL || atomic_fetch_sub(&b->refs, 1) != 1)
        return;
    yb_free(b->v);
    yb_free(b);
}

size_t
yb_block_find(const struct yb_record *v, size_t n, uint32_t uid)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t at = low + (high - low) / 2;

        if (v[at].uid < uid)
            low = at + 1;
        else
            high = at;
    }
    return low;
}

/* Room for one more behind the end; others who hold the block do not look there. */
static struct yb_record *
block_append(struct yb_table *t)
{
    struct yb_block *b = t->live;

    if (b->n == b->room) {
        struct yb_block *larger = yb_block_new(b->room * 2 + 8);

        memcpy(larger->v, b->v, b->n * sizeof(*b->v));
        larger->n = b->n;
        yb_block_release(b);
        t->live = b = larger;
    }
    if (b->n >= t->cache_room) {
        t->cache_room = b->room + 1;
        t->cache = yb_realloc(t->cache, t->cache_room, sizeof(*t->cache));
    }
    return &b->v[b->n++];
}

/* A block that nobody else holds: what is below its end may be changed. */
static struct yb_block *
block_own(struct yb_table *t)
{
    struct yb_block *copy;

    if (atomic_load(&t->live->refs) == 1)
        return t->live;
    copy = yb_block_new(t->live->n + t->live->n / 8 + 16);
    memcpy(copy->v, t->live->v, t->live->n * sizeof(*copy->v));
    copy->n = t->live->n;
    yb_block_release(t->live);
    t->live = copy;
    return copy;
}

/* --- one record --- */

static struct yb_record
record_of(const struct yb_index_slot *s, size_t place)
{
    return (struct yb_record){ .uid = s->uid,
                               .flags = s->flags,
                               .expunged = (s->state & YB_SLOT_LIVE) == 0,
                               .keywords = s->keywords,
                               .keyword_set = s->set,
                               .slot = (uint32_t)place,
                               .modseq = s->modseq,
                               .size = s->size,
                               .internal_date = s->internal_date,
                               .saved = s->time,
                               .id = s->id };
}

static void
dead_add(struct yb_table *t, const struct yb_record *r)
{
    if (t->n_dead == t->dead_room) {
        t->dead_room = t->dead_room * 2 + 16;
        t->dead = yb_realloc(t->dead, t->dead_room, sizeof(*t->dead));
    }
    t->dead[t->n_dead] = *r;
    t->dead[t->n_dead++].expunged = true;
    if (r->modseq > t->last_dead)
        t->last_dead = r->modseq;
}

static int
record_order(const void *x, const void *y)
{
    const struct yb_record *a = x, *b = y;

    return a->uid < b->uid ? -1 : a->uid > b->uid;
}

static void
table_take(struct yb_table *t, const struct yb_index_slot *s, size_t place)
{
    struct yb_record r = record_of(s, place);

    if (r.expunged) {
        dead_add(t, &r);
        return;
    }
    *block_append(t) = r;
    t->cache[t->live->n - 1] = s->cache;
    if (r.modseq > t->changed)
        t->changed = r.modseq;
}

/* --- reading --- */

/* Reads records from `first` on; -1 when one is broken. */
static int
table_read(struct yb_table *t, const struct yb_index_head *head, size_t first)
{
    size_t left = head->slots > first ? head->slots - first : 0;
    struct yb_index_slot *slots = yb_alloc(left < CHUNK ? left + 1 : CHUNK, sizeof(*slots));
    int fd = t->m->index_fd, rc = 0;

    while (first < head->slots && rc == 0) {
        size_t want = head->slots - first < CHUNK ? head->slots - first : CHUNK;

        if (yb_index_read_slots(fd, first, want, slots) != want)
            rc = -1;
        for (size_t i = 0; i < want && rc == 0; i++)
            table_take(t, &slots[i], first + i);
        first += want;
    }
    yb_free(slots);
    return rc;
}

static void
table_free(struct yb_table *t)
{
    yb_block_release(t->live);
    yb_block_release(t->merged);
    yb_free(t->cache);
    yb_free(t->dead);
    yb_free(t->pending);
    yb_free(t);
}

/*
 * An index made anew has no tombstones. What the older table held and the new index does not is
 * buried in memory, so that sessions of this process go on.
 */
static void
bury_missing(struct yb_table *t, const struct yb_table *older, const struct yb_index_head *head)
{
    size_t n_sorted = t->n_dead;

    for (size_t i = 0; i < older->live->n + older->n_dead; i++) {
        bool lived = i < older->live->n;
        struct yb_record r = lived ? older->live->v[i] : older->dead[i - older->live->n];
        size_t at = yb_block_find(t->live->v, t->live->n, r.uid);
        size_t dead_at = yb_block_find(t->dead, n_sorted, r.uid);

        if ((at < t->live->n && t->live->v[at].uid == r.uid) ||
            (dead_at < n_sorted && t->dead[dead_at].uid == r.uid))
            continue;
        if (lived)
            r.modseq = head->modseq;
        dead_add(t, &r);
    }
    if (t->n_dead > n_sorted)
        qsort(t->dead, t->n_dead, sizeof(*t->dead), record_order);
    t->floor = older->floor;
}

static void
label(struct yb_table *t, const struct yb_index_head *head)
{
    t->generation = head->generation;
    t->modseq = head->modseq;
    t->slots = head->slots;
}

/* store.mutex held. */
static void
lru_remove(struct yb_store *s, struct yb_table *t)
{
    if (t->bytes == 0)
        return;
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        s->tables_first = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    else
        s->tables_last = t->prev;
    t->prev = t->next = NULL;
    s->table_bytes -= t->bytes;
    t->bytes = 0;
}

/* Notes that the table was used, and its size. */
static void
lru_touch(struct yb_table *t)
{
    struct yb_store *s = t->m->account->store;

    pthread_mutex_lock(&s->mutex);
    lru_remove(s, t);
    t->bytes = sizeof(*t) + t->live->room * sizeof(*t->live->v) + t->dead_room * sizeof(*t->dead) +
               t->cache_room * sizeof(*t->cache);
    t->prev = s->tables_last;
    if (s->tables_last != NULL)
        s->tables_last->next = t;
    else
        s->tables_first = t;
    s->tables_last = t;
    s->table_bytes += t->bytes;
    pthread_mutex_unlock(&s->mutex);
}

/*
 * Whoever evicts holds store.mutex from the look at the list until he has let go of the mailbox. So
 * with it m->table is true, and without it a table that was seen may be gone already, or the
 * evictor still be in a mailbox that seems to have none.
 */
void
yb_table_drop(struct yb_mailbox *m)
{
    struct yb_store *s = m->account->store;
    struct yb_table *t;

    pthread_mutex_lock(&s->mutex);
    t = m->table;
    m->table = NULL;
    if (t != NULL)
        lru_remove(s, t);
    pthread_mutex_unlock(&s->mutex);
    if (t != NULL)
        table_free(t);
}

static int
table_reload(struct yb_mailbox *m, const struct yb_index_head *head)
{
    struct yb_table *t = yb_alloc(1, sizeof(*t)), *older = m->table;

    t->m = m;
    t->live = yb_block_new(head->messages + head->messages / 8);
    t->floor = head->compacted_modseq;
    if (table_read(t, head, 0) < 0) {
        table_free(t);
        return -1;
    }
    if (older != NULL && older->modseq > head->modseq)
        older = NULL; /* an older file was put back: what was told since is nothing to go by */
    if (older != NULL && older->generation != head->generation)
        bury_missing(t, older, head);
    else if (older != NULL)
        t->floor = older->floor;
    label(t, head);
    yb_table_drop(m);
    m->table = t;
    return 0;
}

/* m->mutex held. */
static int
table_refresh(struct yb_mailbox *m, const struct yb_index_head *head)
{
    struct yb_table *t = m->table;

    if (t == NULL || t->generation != head->generation || head->slots < t->slots ||
        head->modseq < t->modseq)
        return table_reload(m, head);
    if (t->modseq == head->modseq && t->slots == head->slots)
        return 0;
    if (head->changed_modseq > t->modseq)
        return table_reload(m, head);
    if (table_read(t, head, t->slots) < 0) {
        yb_table_drop(m); /* half of the tail is in it */
        return -1;
    }
    label(t, head);
    return 0;
}

int
yb_table_refresh(struct yb_mailbox *m, const struct yb_index_head *head)
{
    if (table_refresh(m, head) < 0)
        return -1;
    lru_touch(m->table);
    return 0;
}

void
yb_table_put(struct yb_mailbox *m)
{
    struct yb_store *s = m->account->store;
    struct yb_table *evicted = NULL;

    pthread_mutex_unlock(&m->mutex);
    pthread_mutex_lock(&s->mutex);
    /* The one used last stays: a table larger than the budget would be read for every call. */
    for (struct yb_table *t = s->tables_first, *next;
         t != s->tables_last && s->table_bytes > s->conf.table_budget; t = next) {
        struct yb_mailbox *victim = t->m;

        next = t->next;
        /* Against the order of locks, so only if nobody has it. It cannot vanish: freeing a mailbox
         * begins with yb_table_drop(), which waits for store.mutex. */
        if (pthread_mutex_trylock(&victim->mutex) != 0)
            continue;
        lru_remove(s, t);
        victim->table = NULL;
        pthread_mutex_unlock(&victim->mutex);
        t->next = evicted;
        evicted = t;
    }
    pthread_mutex_unlock(&s->mutex);
    while (evicted != NULL) {
        struct yb_table *t = evicted;

        evicted = t->next;
        table_free(t);
    }
}

/* --- following our own changes --- */

void
yb_table_expect(struct yb_mailbox *m)
{
    struct yb_table *t;

    pthread_mutex_lock(&m->mutex);
    t = m->table;
    if (t != NULL) {
        t->following = t->generation == m->head.generation && t->modseq == m->head.modseq &&
                       t->slots == m->head.slots;
        t->n_pending = 0;
    }
    pthread_mutex_unlock(&m->mutex);
}

void
yb_table_tell(struct yb_mailbox *m, const struct yb_index_slot *slot, size_t place)
{
    struct yb_table *t;

    pthread_mutex_lock(&m->mutex);
    t = m->table;
    if (t != NULL && t->following && t->n_pending == 0)
        t->pending = yb_realloc(t->pending, PENDING, sizeof(*t->pending));
    if (t != NULL && t->following && t->n_pending < PENDING)
        t->pending[t->n_pending++] = (struct yb_pending){ *slot, place };
    else if (t != NULL)
        t->following = false;
    pthread_mutex_unlock(&m->mutex);
}

/* Applies what was told, UIDs ascending; the dead are taken out of the live in one pass. */
static void
apply_pending(struct yb_table *t)
{
    struct yb_block *b = block_own(t);
    size_t first_dead = b->n, to;

    for (size_t i = 0; i < t->n_pending; i++) {
        const struct yb_index_slot *s = &t->pending[i].slot;
        size_t at = yb_block_find(b->v, b->n, s->uid);

        if (at == b->n || b->v[at].uid != s->uid) {
            table_take(t, s, t->pending[i].place);
            b = t->live;
            continue;
        }
        b->v[at] = record_of(s, t->pending[i].place);
        if (b->v[at].expunged && at < first_dead)
            first_dead = at;
        else if (!b->v[at].expunged && s->modseq > t->changed)
            t->changed = s->modseq;
    }
    to = first_dead < b->n ? first_dead : b->n;
    for (size_t i = to; i < b->n; i++) {
        if (b->v[i].expunged) {
            dead_add(t, &b->v[i]);
            continue;
        }
        b->v[to] = b->v[i];
        t->cache[to++] = t->cache[i];
    }
    if (to < b->n)
        qsort(t->dead, t->n_dead, sizeof(*t->dead), record_order);
    b->n = to;
}

void
yb_table_settle(struct yb_mailbox *m)
{
    struct yb_table *t;

    pthread_mutex_lock(&m->mutex);
    t = m->table;
    if (t != NULL && t->following) {
        apply_pending(t);
        label(t, &m->head);
        t->following = false;
        yb_free(t->pending); /* a parked session's table is to be small */
        t->pending = NULL;
        t->n_pending = 0;
        yb_block_release(t->merged);
        t->merged = NULL;
    }
    pthread_mutex_unlock(&m->mutex);
}
