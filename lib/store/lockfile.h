/*
 * The account's `lock` file. flock() on it is the account's lock; it holds
 *
 *      0  the head: quota counters, busy mark, boot id; written under the lock, never synced
 *   1024  durable slot 0 \ where the account is at home, the last UIDVALIDITY given, and what the
 *   2048  durable slot 1 / number of its usage may grow to; written in turn, synced
 *   3072  when somebody last had to wait for the lock (milliseconds, for long commands)
 *   4096  the last 1 024 delivery ids, a ring of 32 bytes each
 *
 * The digits in the magic words of head and slots are the version. The first form is read, and
 * written anew under the lock (yb_lockfile_renew()).
 */
#ifndef YB_STORE_LOCKFILE_H
#define YB_STORE_LOCKFILE_H

#include "lib/base/err.h"
#include "lib/base/id.h"

#define YB_LOCK_FILE "lock"
#define YB_RING 1024
#define YB_CHANGE_AHEAD ((uint64_t)1 << 20) /* changes of usage before the next sync for them */

struct yb_lock_head {
    char magic[8];
    uint8_t boot[YB_ID_BYTES];
    uint64_t bytes, messages; /* the account's usage */
    uint32_t busy;            /* a change is under way: its maker writes 0 when it is done */
    uint32_t folders;         /* grows with each CREATE, DELETE and RENAME */
    uint32_t ring_next;
    uint32_t spare;
    uint64_t change;         /* grows with every change of bytes or messages, never goes back */
    uint64_t change_ceiling; /* as synced; change stays below it */
    uint64_t more[7];
    uint64_t sum;
    uint64_t end;
};
_Static_assert(sizeof(struct yb_lock_head) == 144, "the head's size on disk");

/* On disk, too: zeros are no state. */
enum yb_account_state {
    YB_ACCOUNT_UNKNOWN = 0,  /* no slot can be read */
    YB_ACCOUNT_HOME = 1,     /* here and nowhere else */
    YB_ACCOUNT_MOVING = 2,   /* what is here is being taken to another store: nothing changes */
    YB_ACCOUNT_MOVED = 3,    /* at home in another store, for good */
    YB_ACCOUNT_ARRIVING = 4, /* not here yet */
};

struct yb_lock_durable {
    uint64_t sequence; /* 0: nothing readable */
    uint32_t last_uidvalidity;
    uint32_t state;             /* enum yb_account_state */
    uint8_t store[YB_ID_BYTES]; /* the other store, unless at home */
    uint64_t move;              /* the move's number */
    uint64_t change_ceiling;
};

/* What a look at the file finds. */
struct yb_lock_look {
    struct yb_lock_head head;
    bool whole; /* the head is. I/O trouble is told like a torn head: the caller mends both. */
    struct yb_lock_durable durable;
    bool old, old_head; /* something is of the first form; the head is */
};
void yb_lockfile_look(int fd, struct yb_lock_look *look);
/* The head alone: true when it is whole. */
bool yb_lockfile_read(int fd, struct yb_lock_head *head);
/* What a head written now says for boot: of the kernel's boot and of this very file. A copy, such as a
 * backup put back, is as if it were another boot's: its numbers were given before. */
void yb_lockfile_boot(int fd, const uint8_t boot[YB_ID_BYTES], uint8_t out[YB_ID_BYTES]);
/* -1 with errno. */
int yb_lockfile_write(int fd, struct yb_lock_head *head);
void yb_lockfile_read_durable(int fd, struct yb_lock_durable *d);
/* Writes the slot after d->sequence and syncs, then the other one: -1 with errno. */
int yb_lockfile_write_durable(int fd, struct yb_lock_durable *d);
/* At home: of a new account, or where no slot can be read. Written and synced; -1 with errno. */
int yb_lockfile_begin(int fd);
/* Under the lock: what is of the first form is written in this one; -1 with errno. */
int yb_lockfile_renew(int fd, const struct yb_lock_look *look);

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
