/*
 * What a session sees: four numbers over the shared table (store.h says when a record is in a
 * view). The sequence number of a record is its rank among those in the view.
 */
#include "lib/base/fault.h"
#include "lib/store/deeds.h"
#include "lib/store/sys.h"
#include "lib/store/table.h"

#include <errno.h>

struct rows {
    struct yb_rows rows; /* what the caller sees */
    struct yb_block *block;
};

/* --- the table --- */

/* m->mutex held. */
static bool
head_read(struct yb_mailbox *m, struct yb_index_head *head)
{
    struct stat st;
    bool ok = false;

    if (!yb_mailbox_index_stands(m, &st))
        return false;
    for (int i = 0; i < 3 && !ok; i++)
        ok = yb_index_read_seen(m->index_fd, head);
    return ok && (head->marks & YB_INDEX_GONE) == 0 && head->uidvalidity == m->uidvalidity;
}

/* Under the account lock nobody writes: what cannot be read now is broken, and made anew once. */
static int
table_get_locked(struct yb_mailbox *m, struct yb_index_head *head, struct yb_err *err)
{
    for (int i = 0; i < 2; i++) {
        if (yb_mailbox_enter(m, err) < 0)
            return -1;
        pthread_mutex_lock(&m->mutex);
        *head = m->head;
        if (yb_table_refresh(m, head) == 0)
            return 0;
        pthread_mutex_unlock(&m->mutex);
        m->damaged = true;
    }
    return yb_err_inside(err, YB_TEMP, "4.3.0", "the index cannot be read");
}

/* Makes the table current by *head, which is read too. Returns with m->mutex HELD, or -1 without.
 */
static int
table_get(struct yb_mailbox *m, struct yb_index_head *head, struct yb_err *err)
{
    int rc;

    pthread_mutex_lock(&m->mutex);
    if (head_read(m, head) && yb_table_refresh(m, head) == 0)
        return 0;
    pthread_mutex_unlock(&m->mutex);
    /* A record or the head was being written, or is broken: without the lock that looks the same. */
    if (yb_account_lock_read(m->account, err) < 0)
        return -1;
    rc = table_get_locked(m, head, err);
    yb_account_unlock(m->account);
    return rc;
}

/* --- taking new messages --- */

/* One message from new/ to cur/, same UID; its record follows. */
static int
take_slot(struct yb_mailbox *m, struct yb_index_slot *slot, size_t place, struct yb_err *err)
{
    char from[YB_NAME_MAX], to[YB_NAME_MAX];

    yb_index_name(&m->head, slot, from);
    slot->state &= (uint16_t)~YB_SLOT_NEW;
    yb_index_name(&m->head, slot, to);
    if (yb_sys_rename(m->new_fd, from, m->cur_fd, to) < 0) {
        if (errno != ENOSPC && errno != EDQUOT)
            return yb_err_sys(err, YB_TEMP, "4.3.0", "take a new message");
        slot->state |= YB_SLOT_NEW; /* who may not look cannot delete, either: it stays there */
        return 0;
    }
    yb_fault("store.take.renamed");
    if (yb_index_write_slots(m->index_fd, place, 1, slot) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_INDEX_FILE);
    return 0;
}

/* Up to a batch of records from *place on. */
static int
take_batch(struct yb_mailbox *m, size_t *place, struct yb_err *err)
{
    struct yb_index_slot slots[YB_BATCH];
    size_t left = m->head.slots - *place, n = left < YB_BATCH ? left : YB_BATCH;

    if (yb_index_read_slots(m->index_fd, *place, n, slots) != n) {
        m->damaged = true;
        return yb_mailbox_err_damaged(err);
    }
    if (yb_account_busy(m->account, err) < 0 || yb_mailbox_begin(m, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if ((slots[i].state & YB_SLOT_LIVE) != 0 && (slots[i].state & YB_SLOT_NEW) != 0 &&
            take_slot(m, &slots[i], *place + i, err) < 0)
            return -1;
    }
    *place += n;
    if (*place == m->head.slots) {
        m->head.recent_uid = m->head.uidnext;
        m->head.recent = 0;
    }
    if (yb_mailbox_end(m, err) < 0)
        return -1;
    return yb_account_settle(m->account, err);
}

/* The place of the first record that is \Recent. */
static size_t
recent_place(struct yb_mailbox *m)
{
    size_t low = 0, high = m->head.slots;

    while (low < high) {
        size_t at = low + (high - low) / 2;
        struct yb_index_slot slot;

        if (yb_index_read_slots(m->index_fd, at, 1, &slot) != 1)
            return 0;
        if (slot.uid < m->head.recent_uid)
            low = at + 1;
        else
            high = at;
    }
    return low;
}

/* Moves new/ to cur/; under the lock, which is given back between batches. */
static int
take_new(struct yb_mailbox *m, struct yb_err *err)
{
    uint32_t from = m->head.recent_uid;
    uint64_t generation = m->head.generation;
    size_t place = recent_place(m);

    while (place < m->head.slots || m->head.recent_uid != m->head.uidnext) {
        if (take_batch(m, &place, err) < 0) {
            yb_mailbox_mend(m);
            return -1;
        }
        if (place == m->head.slots)
            break;
        if (yb_account_breathe(m->account, err) < 0)
            return -2; /* the lock is gone */
        if (yb_mailbox_enter(m, err) < 0)
            return -1;
        if (m->head.recent_uid != from) /* another session took them meanwhile */
            break;
        if (m->head.generation != generation) { /* compacted: its records stand elsewhere */
            generation = m->head.generation;
            place = recent_place(m);
        }
    }
    return 0;
}

int
yb_view_begin(struct yb_mailbox *m, bool read_only, struct yb_view *v, struct yb_err *err)
{
    struct yb_index_head head;
    uint32_t recent;
    int rc = 0;

    if (yb_account_lock_read(m->account, err) < 0)
        return -1;
    if (yb_mailbox_enter(m, err) < 0 || yb_mailbox_look(m, err) < 0)
        rc = -1;
    recent = m->head.recent_uid;
    /* What is being moved away is read as it lies. */
    if (rc == 0 && !read_only && m->account->state == YB_ACCOUNT_HOME && recent != m->head.uidnext)
        rc = take_new(m, err);
    if (rc != -2)
        yb_account_unlock(m->account);
    /* Every record is read now: a broken one is mended before anything is told, not after. */
    if (rc < 0 || table_get(m, &head, err) < 0)
        return -1;
    *v = (struct yb_view){ .uidvalidity = head.uidvalidity,
                           .uidnext = head.uidnext,
                           .modseq = head.modseq,
                           .expunged = head.modseq,
                           .recent_from = recent,
                           .keywords = head.keywords,
                           .read_only = read_only };
    yb_table_put(m);
    return 0;
}

void
yb_view_end(struct yb_mailbox *m, struct yb_view *v)
{
    *v = (struct yb_view){ 0 };
    yb_cache_flush(m);
}

/* --- rows --- */

static bool
dead_in_view(const struct yb_record *r, const struct yb_view *v)
{
    return r->uid < v->uidnext && r->modseq > v->expunged;
}

static size_t
count_dead(const struct yb_table *t, const struct yb_view *v)
{
    size_t n = 0;

    if (t->last_dead <= v->expunged)
        return 0;
    for (size_t i = 0; i < t->n_dead; i++)
        n += dead_in_view(&t->dead[i], v);
    return n;
}

/* The living and the untold dead of a view in one block, kept for the next who asks the same. */
static struct yb_block *
merge_rows(struct yb_table *t, const struct yb_view *v, size_t n_live, size_t n_dead)
{
    struct yb_block *b;
    size_t i = 0, k = 0;

    if (t->merged != NULL && t->merged_uidnext == v->uidnext && t->merged_expunged == v->expunged &&
        t->merged->n == n_live + n_dead)
        return t->merged;
    b = yb_block_new(n_live + n_dead);
    while (b->n < n_live + n_dead) {
        while (k < t->n_dead && !dead_in_view(&t->dead[k], v))
            k++;
        if (k == t->n_dead || (i < n_live && t->live->v[i].uid < t->dead[k].uid))
            b->v[b->n++] = t->live->v[i++];
        else
            b->v[b->n++] = t->dead[k++];
    }
    yb_block_release(t->merged);
    t->merged = b;
    t->merged_uidnext = v->uidnext;
    t->merged_expunged = v->expunged;
    return b;
}

static bool
view_lost(const struct yb_table *t, const struct yb_view *v, const struct yb_index_head *head)
{
    return v->uidvalidity != head->uidvalidity || v->expunged < t->floor ||
           v->expunged > head->modseq || v->modseq > head->modseq || v->uidnext > head->uidnext;
}

static int
err_lost(struct yb_err *err)
{
    return yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.2.0", "The mailbox was replaced");
}

int
yb_view_rows(struct yb_mailbox *m, const struct yb_view *v, const struct yb_rows **out,
             struct yb_err *err)
{
    struct yb_index_head head;
    struct yb_table *t;
    struct rows *r;
    size_t n_live, n_dead;
    int rc = 0;

    if (table_get(m, &head, err) < 0)
        return -1;
    t = m->table;
    if (view_lost(t, v, &head)) {
        rc = err_lost(err);
    } else {
        r = yb_alloc(1, sizeof(*r));
        n_live = yb_block_find(t->live->v, t->live->n, v->uidnext);
        n_dead = count_dead(t, v);
        r->block = n_dead == 0 ? t->live : merge_rows(t, v, n_live, n_dead);
        atomic_fetch_add(&r->block->refs, 1);
        r->rows = (struct yb_rows){ r->block->v, n_live + n_dead };
        *out = &r->rows;
    }
    yb_table_put(m);
    return rc;
}

void
yb_rows_release(const struct yb_rows **rows)
{
    struct rows *r;

    if (*rows == NULL)
        return;
    r = (struct rows *)(uintptr_t)*rows; /* the first member of what yb_view_rows() made */
    yb_block_release(r->block);
    yb_free(r);
    *rows = NULL;
}

size_t
yb_rows_find(const struct yb_rows *rows, uint32_t uid)
{
    return yb_block_find(rows->v, rows->n, uid);
}

/* --- changes --- */

/* The k-th smallest (from 0) of n numbers, which are moved about. */
static uint64_t
kth_smallest(uint64_t *v, size_t n, size_t k)
{
    size_t low = 0, high = n - 1;

    while (low < high) {
        uint64_t pivot = v[low + (high - low) / 2];
        size_t i = low, j = high;

        for (;;) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i >= j)
                break;
            uint64_t kept = v[i];

            v[i++] = v[j];
            v[j--] = kept;
        }
        if (k <= j)
            high = j;
        else
            low = j + 1;
    }
    return v[k];
}

/* The MODSEQ up to which about `most` of these changes are told now; those that were made together
 * are told together. */
static uint64_t
tell_upto(uint64_t *modseqs, size_t n, size_t most, uint64_t upto)
{
    return n <= most ? upto : kth_smallest(modseqs, n, most - 1);
}

/* Of n expunges. Those whose head is still being written are beyond `upto`, and are told when it is. */
static uint64_t
expunges_upto(const struct yb_table *t, const struct yb_view *v, size_t n, size_t most,
              uint64_t upto)
{
    uint64_t *modseqs;
    size_t k = 0;

    if (n <= most)
        return upto;
    modseqs = yb_alloc(n, sizeof(*modseqs));
    for (size_t i = 0; i < t->n_dead; i++) {
        if (dead_in_view(&t->dead[i], v) && t->dead[i].modseq <= upto)
            modseqs[k++] = t->dead[i].modseq;
    }
    upto = tell_upto(modseqs, k, most, upto);
    yb_free(modseqs);
    return upto;
}

/* Expunges to be told now, in UID order. A number counts after those before it were removed, so it
 * is the rank among the living. */
static void
tell_expunges(const struct yb_table *t, struct yb_view *v, size_t most, uint64_t upto,
              struct yb_arena *arena, struct yb_changes *out)
{
    size_t n = count_dead(t, v), later = 0; /* dead that stay: to be told later */

    upto = expunges_upto(t, v, n, most, upto);
    out->expunged = yb_arena_alloc(arena, n + 1, sizeof(*out->expunged));
    out->expunged_uids = yb_arena_alloc(arena, n + 1, sizeof(*out->expunged_uids));
    for (size_t i = 0; n > 0 && i < t->n_dead; i++) {
        const struct yb_record *r = &t->dead[i];
        size_t rank;

        if (!dead_in_view(r, v))
            continue;
        if (r->modseq > upto) {
            later++;
            continue;
        }
        rank = yb_block_find(t->live->v, t->live->n, r->uid) + later;
        out->expunged[out->n_expunged] = (uint32_t)rank + 1;
        out->expunged_uids[out->n_expunged++] = r->uid;
    }
    v->expunged = upto;
}

/* Is it a flag change that the view was not told of? */
static bool
is_news(const struct yb_record *r, const struct yb_view *v, uint64_t upto)
{
    return r->modseq > v->modseq && r->modseq <= upto;
}

/* *found: how many are told. */
static uint64_t
flags_upto(const struct yb_table *t, const struct yb_view *v, size_t n, size_t most, uint64_t upto,
           size_t *found)
{
    const struct yb_record *rows = t->live->v;
    uint64_t *modseqs, cut;
    size_t k = 0;

    *found = 0;
    for (size_t i = 0; i < n; i++)
        *found += is_news(&rows[i], v, upto);
    if (*found <= most)
        return upto;
    modseqs = yb_alloc(*found, sizeof(*modseqs));
    for (size_t i = 0; i < n; i++) {
        if (is_news(&rows[i], v, upto))
            modseqs[k++] = rows[i].modseq;
    }
    cut = tell_upto(modseqs, k, most, upto);
    yb_free(modseqs);
    *found = 0;
    for (size_t i = 0; i < n; i++)
        *found += is_news(&rows[i], v, cut);
    return cut;
}

/* Flag changes of messages that were told before. `v` has its expunges as they are told by now. */
static void
tell_flags(const struct yb_table *t, struct yb_view *v, size_t most, uint64_t upto,
           struct yb_arena *arena, struct yb_changes *out)
{
    size_t n = yb_block_find(t->live->v, t->live->n, v->uidnext), found = 0, dead = 0, k = 0;
    uint64_t cut = upto;

    if (t->changed > v->modseq)
        cut = flags_upto(t, v, n, most, upto, &found);
    out->flags = yb_arena_alloc(arena, found + 1, sizeof(*out->flags));
    for (size_t i = 0; i < n && found > 0; i++) {
        const struct yb_record *r = &t->live->v[i];

        if (!is_news(r, v, cut))
            continue;
        for (; k < t->n_dead && t->dead[k].uid < r->uid; k++)
            dead += dead_in_view(&t->dead[k], v);
        out->flags[out->n_flags] = (struct yb_change){ (uint32_t)(i + dead + 1), *r };
        out->flags[out->n_flags++].record.recent = r->uid >= v->recent_from;
    }
    v->modseq = cut;
}

static uint32_t
count_recent(const struct yb_table *t, const struct yb_view *v)
{
    size_t n = yb_block_find(t->live->v, t->live->n, v->uidnext);
    size_t first = yb_block_find(t->live->v, t->live->n, v->recent_from);

    return (uint32_t)(n > first ? n - first : 0);
}

static void
tell_all(struct yb_mailbox *m, struct yb_view *v, const struct yb_index_head *head,
         bool with_expunges, struct yb_arena *arena, struct yb_changes *out)
{
    const struct yb_table *t = m->table;
    size_t told = yb_block_find(t->live->v, t->live->n, v->uidnext) + count_dead(t, v);
    size_t most = m->account->store->conf.changes_at_once;

    if (with_expunges)
        tell_expunges(t, v, most, head->modseq, arena, out);
    tell_flags(t, v, most, head->modseq, arena, out);
    v->uidnext = head->uidnext;
    out->unfinished = v->modseq < head->modseq || (with_expunges && v->expunged < head->modseq);
    out->untold = (uint32_t)count_dead(t, v);
    out->exists = (uint32_t)yb_block_find(t->live->v, t->live->n, v->uidnext) + out->untold;
    out->recent = count_recent(t, v);
    /* A message that came and went counts too, until its expunge may be told. */
    out->more = out->exists > told - out->n_expunged;
    out->keywords_changed = v->keywords != head->keywords;
    v->keywords = head->keywords;
}

int
yb_view_changes(struct yb_mailbox *m, struct yb_view *v, bool with_expunges, struct yb_arena *arena,
                struct yb_changes *out, struct yb_err *err)
{
    struct yb_index_head head;
    struct yb_err why = { 0 };

    *out = (struct yb_changes){ 0 };
    if (yb_mailbox_peek(m, &head) && head.uidvalidity == v->uidvalidity &&
        head.modseq == v->modseq && head.modseq == v->expunged && head.uidnext == v->uidnext &&
        head.keywords == v->keywords) {
        out->exists = head.messages;
        out->highest_modseq = head.modseq;
        return 0;
    }
    if (table_get(m, &head, &why) < 0) {
        out->invalid = why.class == YB_PERM;
        if (out->invalid)
            return 0;
        if (err != NULL)
            *err = why;
        return -1;
    }
    out->highest_modseq = head.modseq;
    if (view_lost(m->table, v, &head))
        out->invalid = true;
    else
        tell_all(m, v, &head, with_expunges, arena, out);
    yb_table_put(m);
    return 0;
}
