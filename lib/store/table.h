/*
 * The records of an open mailbox in the memory of this process: read whole once, then kept up with
 * what changed. Shared by all sessions; dropped, least recently used first, when the tables of the
 * process pass conf.table_budget.
 */
#ifndef YB_STORE_TABLE_H
#define YB_STORE_TABLE_H

#include "lib/store/handles.h"

/* An array of records that several row lists share. What lies below a list's end never changes
 * while somebody else holds the block. */
struct yb_block {
    atomic_uint refs;
    size_t n, room;
    struct yb_record *v;
};

struct yb_pending {
    struct yb_index_slot slot;
    size_t place;
};

struct yb_table {
    struct yb_mailbox *m;
    uint64_t generation, modseq; /* the head it was read by */
    uint32_t slots;
    uint64_t floor;        /* tombstones up to here may be missing: older views cannot be served */
    uint64_t changed;      /* the highest MODSEQ of a flag change among live records */
    struct yb_block *live; /* by UID */
    uint32_t *cache;       /* per live record: its place in yubin-cache */
    size_t cache_room;
    struct yb_record *dead; /* tombstones by UID */
    size_t n_dead, dead_room;
    uint64_t last_dead; /* the highest MODSEQ among them */

    struct yb_block *merged; /* live and untold dead of the view last asked for */
    uint32_t merged_uidnext;
    uint64_t merged_expunged;

    bool following;             /* yb_table_expect() found it current */
    struct yb_pending *pending; /* room for a batch and one, while a change is under way */
    size_t n_pending;

    size_t bytes;                 /* as counted in store.table_bytes */
    struct yb_table *prev, *next; /* store.mutex */
};

/* m->mutex held: makes the table current by *head, and the one used last; -1 when a record is
 * broken. */
int yb_table_refresh(struct yb_mailbox *m, const struct yb_index_head *head) YB_MUST_USE;
/* Gives m->mutex back and drops tables over the budget. */
void yb_table_put(struct yb_mailbox *m);
/* Index of the first record whose UID is at least `uid`. */
size_t yb_block_find(const struct yb_record *v, size_t n, uint32_t uid);
struct yb_block *yb_block_new(size_t room) YB_MUST_USE;
void yb_block_release(struct yb_block *b);
/* m->mutex held, or the mailbox no longer used. */
void yb_table_drop(struct yb_mailbox *m);
/* Under the account lock: this process changed a record; the table follows without reading. Call
 * yb_table_expect() after entering and before the change, yb_table_tell() per record, then
 * yb_table_settle() when the head is written. */
void yb_table_expect(struct yb_mailbox *m);
void yb_table_tell(struct yb_mailbox *m, const struct yb_index_slot *slot, size_t place);
void yb_table_settle(struct yb_mailbox *m);

#endif
