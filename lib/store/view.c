/*
 * What a session sees: four numbers over the shared table (store.h says when a record is in a
 * view). The sequence number of a record is its rank among those in the view.
 */
#include "lib/store/deeds.h"
#include "lib/store/sys.h"
#include "lib/store/table.h"

/* Of keywords that are told at once; those that have the last MODSEQ in common come on top. A session may
 * be told so twice in one answer, whose bound is 64 MiB. */
#define CHANGES_OCTETS ((size_t)8 << 20)

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

/* --- begin and end --- */

int
yb_view_begin(struct yb_mailbox *m, bool read_only, struct yb_view *v, struct yb_err *err)
{
    struct yb_index_head head;
    uint32_t told;
    int rc = 0;

    *v = (struct yb_view){ .read_only = read_only };
    if (yb_account_lock_read(m->account, err) < 0)
        return -1;
    if (yb_mailbox_enter(m, err) < 0 || yb_mailbox_look(m, err) < 0)
        rc = -1;
    /* What is being moved away is read as it lies. */
    if (rc == 0 && !read_only && m->account->state == YB_ACCOUNT_HOME) {
        rc = yb_recent_take(m, err);
        if (rc == 0)
            rc = yb_recent_claim(m, v, err);
    } else {
        yb_recent_add(v, m->head.recent_uid, m->head.uidnext);
    }
    told = m->head.uidnext; /* what comes now is told as what comes later */
    if (rc != -2)
        yb_account_unlock(m->account);
    /* Every record is read now: a broken one is mended before anything is told, not after. */
    if (rc < 0 || table_get(m, &head, err) < 0)
        return -1;
    v->uidvalidity = head.uidvalidity;
    v->uidnext = head.uidnext < told ? head.uidnext : told;
    v->modseq = v->expunged = head.modseq;
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

size_t
yb_rows_recent(const struct yb_rows *rows, const struct yb_view *v)
{
    size_t n = 0;

    for (unsigned i = 0; i < v->n_recent; i++)
        n += yb_rows_find(rows, v->recent[i].to) - yb_rows_find(rows, v->recent[i].from);
    return n;
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
        out->flags[out->n_flags++].record.recent = yb_view_is_recent(v, r->uid);
    }
    v->modseq = cut;
}

static uint32_t
count_recent(const struct yb_table *t, const struct yb_view *v)
{
    size_t n = 0;

    for (unsigned i = 0; i < v->n_recent; i++)
        n += yb_block_find(t->live->v, t->live->n, v->recent[i].to) -
             yb_block_find(t->live->v, t->live->n, v->recent[i].from);
    return (uint32_t)n;
}

/*
 * Whose the new messages are, before they are told; *upto: the UID up to which they are told now,
 * so that nobody is told of a message whose first reader is not known. When that cannot be found out
 * they are told all the same, and are somebody else's.
 */
static void
claim_new(struct yb_mailbox *m, struct yb_view *v, const struct yb_index_head *head, bool peeked,
          uint32_t *upto)
{
    struct yb_err err = { 0 };

    *upto = UINT32_MAX;
    if (peeked && (head->uidnext <= v->uidnext || head->recent_uid == head->uidnext)) {
        *upto = head->uidnext > v->uidnext ? head->uidnext : v->uidnext;
        return;
    }
    if (yb_account_lock(m->account, &err) < 0)
        return;
    if (yb_mailbox_enter(m, &err) == 0 && m->uidvalidity == v->uidvalidity &&
        yb_recent_claim(m, v, &err) == 0 && m->head.uidnext > v->uidnext)
        *upto = m->head.uidnext;
    yb_account_unlock(m->account);
}

/* Of how many messages the flags are told at once, for each may have all keywords. */
static size_t
flags_at_once(struct yb_mailbox *m)
{
    const struct yb_keywords *k;
    struct yb_err unused = { 0 };
    size_t n = SIZE_MAX;

    if (yb_mailbox_keywords(m, &k, &unused) == 0) {
        n = CHANGES_OCTETS / (yb_keywords_octets(k) + 1) + 1;
        yb_keywords_release(&k);
    }
    return n;
}

static void
tell_all(struct yb_mailbox *m, struct yb_view *v, const struct yb_index_head *head, uint32_t upto,
         size_t flags, bool with_expunges, struct yb_arena *arena, struct yb_changes *out)
{
    const struct yb_table *t = m->table;
    size_t told = yb_block_find(t->live->v, t->live->n, v->uidnext) + count_dead(t, v);
    size_t most = m->account->store->conf.changes_at_once;

    if (with_expunges)
        tell_expunges(t, v, most, head->modseq, arena, out);
    tell_flags(t, v, flags < most ? flags : most, head->modseq, arena, out);
    if (v->read_only) /* which takes nothing away from others */
        yb_recent_add(v, head->recent_uid > v->uidnext ? head->recent_uid : v->uidnext,
                      head->uidnext);
    v->uidnext = head->uidnext < upto ? head->uidnext : upto;
    out->unfinished = v->uidnext < head->uidnext || v->modseq < head->modseq ||
                      (with_expunges && v->expunged < head->modseq);
    out->untold = (uint32_t)count_dead(t, v);
    out->exists = (uint32_t)yb_block_find(t->live->v, t->live->n, v->uidnext) + out->untold;
    out->recent = count_recent(t, v);
    /* A message that came and went counts too, until its expunge may be told. */
    out->more = out->exists > told - out->n_expunged;
}

int
yb_view_changes(struct yb_mailbox *m, struct yb_view *v, bool with_expunges, struct yb_arena *arena,
                struct yb_changes *out, struct yb_err *err)
{
    struct yb_index_head head;
    struct yb_err why = { 0 };
    uint32_t upto = UINT32_MAX;
    bool peeked = yb_mailbox_peek(m, &head);
    size_t flags;

    *out = (struct yb_changes){ 0 };
    if (peeked && head.uidvalidity == v->uidvalidity && head.modseq == v->modseq &&
        head.modseq == v->expunged && head.uidnext == v->uidnext) {
        out->exists = head.messages;
        out->highest_modseq = head.modseq;
        return 0;
    }
    if (!v->read_only)
        claim_new(m, v, &head, peeked, &upto);
    /* Letters alone are short, and whoever adds sets does it a few messages at a time. */
    flags = peeked && head.sets == 0 ? SIZE_MAX : flags_at_once(m);
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
        tell_all(m, v, &head, upto, flags, with_expunges, arena, out);
    yb_table_put(m);
    return 0;
}
