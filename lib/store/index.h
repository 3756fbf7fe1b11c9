/*
 * `yubin-index`: a head of 512 bytes and records of 128 bytes in UID order, tombstones among them.
 * Read with pread(), written with pwrite() under the account's lock, never mapped, never synced but
 * by tidying. Each has its checksum; a reader without the lock that finds one broken reads again
 * under the lock before he calls it damage. The digit in the head's magic word is the version; the
 * first form is read by yb_index_old_head() and yb_index_old_slots() alone, to be written anew.
 */
#ifndef YB_STORE_INDEX_H
#define YB_STORE_INDEX_H

#include "lib/base/err.h"
#include "lib/base/id.h"
#include "lib/store/name.h"

#include <sys/types.h>

#define YB_INDEX_FILE "yubin-index"

/* Marks of the head. */
#define YB_INDEX_BUSY 1u    /* a change is under way */
#define YB_INDEX_DIRTY 2u   /* changed since the last sync */
#define YB_INDEX_FOREIGN 4u /* the folders were changed by another program: compare */
#define YB_INDEX_GONE 8u    /* the mailbox is being deleted */

struct yb_index_head {
    char magic[8];
    uint32_t uidvalidity, uidnext;
    uint64_t modseq;           /* the highest given */
    uint64_t changed_modseq;   /* the highest of a change to a record that was there before */
    uint64_t compacted_modseq; /* tombstones up to here may be missing */
    uint64_t generation;       /* another file is another generation */
    uint64_t changes;          /* grows with every write of the head */
    uint32_t slots, dead;      /* records in the file; tombstones among them */
    uint32_t messages, recent, unseen, deleted;
    uint64_t bytes, deleted_bytes;
    uint32_t recent_uid; /* of UIDs from here on no read-write session was told yet */
    uint32_t marks;
    int64_t cur_mtime, new_mtime; /* of the folders after our last look or change, ns */
    int64_t looked;               /* when that was, ns */
    uint32_t uid_ceiling;         /* as synced; uidnext never passes it */
    uint32_t letters;             /* of keywords, given: bit i is 'a' + i */
    uint64_t modseq_ceiling;
    uint8_t boot[YB_ID_BYTES];
    uint64_t seen_modseq;  /* modseq and uidnext before the change under way began: */
    uint32_t seen_uidnext; /* readers without the lock go by these */
    uint32_t sets;         /* of keywords: the highest number given */
    uint64_t spare[41];
    uint64_t sum;
};
_Static_assert(sizeof(struct yb_index_head) == 512, "the head's size on disk");

/* States of a record. */
#define YB_SLOT_LIVE 1u
#define YB_SLOT_DEAD 2u    /* a tombstone */
#define YB_SLOT_NEW 4u     /* the file lies in new/ */
#define YB_SLOT_ADOPTED 8u /* put there by another program: never synced by us */

struct yb_index_slot {
    uint32_t uid;
    uint16_t flags, state;
    uint32_t keywords;
    uint32_t cache; /* place in yubin-cache in units of 8 bytes; 0: not there */
    uint64_t modseq, size;
    int64_t time, internal_date, died;
    struct yb_delivery_id id;
    struct yb_node_id node;
    struct yb_delivery_id email; /* zero: `id` */
    uint32_t set;                /* of keywords without a letter; 0: none */
    uint32_t spare_word;
    uint64_t spare[2];
    uint64_t sum;
};
_Static_assert(sizeof(struct yb_index_slot) == 128, "a record's size on disk");

/* True when it is whole, ours, and its counts fit one another. */
bool yb_index_read_head(int fd, struct yb_index_head *head);
/* The same for readers without the lock: what is given but not recorded yet is not there. */
bool yb_index_read_seen(int fd, struct yb_index_head *head);
/* A head that is not busy shows all that was given. */
int yb_index_write_head(int fd, struct yb_index_head *head); /* -1 with errno */
/* Reads n records from `first` on; returns how many are there and whole before the first broken
 * one. */
size_t yb_index_read_slots(int fd, size_t first, size_t n, struct yb_index_slot *out);
/* Writes n records (their checksums are set); -1 with errno. */
int yb_index_write_slots(int fd, size_t first, size_t n, struct yb_index_slot *slots);
/* The same of the first form. */
bool yb_index_old_head(int fd, struct yb_index_head *head);
size_t yb_index_old_slots(int fd, size_t first, size_t n, struct yb_index_slot *out);
/* Size of a file with so many records. */
off_t yb_index_size(size_t slots);
/* Adds (by = 1) or takes away (by = -1) a live record from the head's counts. */
void yb_index_count(struct yb_index_head *head, const struct yb_index_slot *slot, int by);
/* The message's file name. */
size_t yb_index_name(const struct yb_index_head *head, const struct yb_index_slot *slot,
                     char out[YB_NAME_MAX]);

#endif
