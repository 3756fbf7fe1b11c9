/*
 * The account's `lock` file. flock() on it is the account's lock; it holds
 *
 *      0  the head: quota counters, busy mark, boot id; written under the lock, never synced
 *   1024  durable slot 0 \ last UIDVALIDITY given and home|moving|moved; written in turn, synced
 *   2048  durable slot 1 /
 *   3072  when somebody last had to wait for the lock (milliseconds, for long commands)
 *   4096  the last 1 024 delivery ids, a ring of 32 bytes each
 */
#ifndef YB_STORE_LOCKFILE_H
#define YB_STORE_LOCKFILE_H

#include "lib/base/err.h"
#include "lib/base/id.h"

#define YB_LOCK_FILE "lock"
#define YB_RING 1024

struct yb_lock_head {
    char magic[8];
    uint8_t boot[YB_ID_BYTES];
    uint64_t bytes, messages; /* the account's usage */
    uint32_t busy;            /* a change is under way: its maker writes 0 when it is done */
    uint32_t folders;         /* grows with each CREATE, DELETE and RENAME */
    uint32_t ring_next;
    uint32_t spare;
    uint64_t more[9];
    uint64_t sum;
    uint64_t end;
};
_Static_assert(sizeof(struct yb_lock_head) == 144, "the head's size on disk");

enum yb_account_state { YB_ACCOUNT_HOME = 0, YB_ACCOUNT_MOVING = 1, YB_ACCOUNT_MOVED = 2 };

struct yb_lock_durable {
    uint64_t sequence; /* 0: nothing readable */
    uint32_t last_uidvalidity;
    uint32_t state; /* enum yb_account_state */
};

/* True when the head is whole. I/O trouble is told like a torn head: the caller mends both. */
bool yb_lockfile_read(int fd, struct yb_lock_head *head);
/* -1 with errno. */
int yb_lockfile_write(int fd, struct yb_lock_head *head);
void yb_lockfile_read_durable(int fd, struct yb_lock_durable *d);
/* Writes the slot after d->sequence and syncs; -1 with errno. */
int yb_lockfile_write_durable(int fd, struct yb_lock_durable *d);

struct yb_ring_entry {
    struct yb_delivery_id id;
    uint32_t uidvalidity, uid;
};
/* Looks for an id among the last ones; its place, or -1. */
int yb_lockfile_ring_find(int fd, struct yb_delivery_id id, struct yb_ring_entry *out);
/* -1 with errno. A NULL entry empties the place. */
int yb_lockfile_ring_put(int fd, uint32_t place, const struct yb_ring_entry *entry);
/* Replaces the whole ring by n entries; -1 with errno. */
int yb_lockfile_ring_fill(int fd, const struct yb_ring_entry *entries, size_t n);

/* The waiter's sign to a holder that takes the lock again and again. */
void yb_lockfile_want(int fd);
bool yb_lockfile_wanted(int fd);

#endif
