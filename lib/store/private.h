/*
 * What the files of lib/store share and nobody else sees: the root, an account and a mailbox in
 * memory, and the calls between the files.
 *
 * Locks, in the order in which they are taken:
 *   account lock   (lock.c) a queue in the process, then flock(): every change on disk; guards
 *                  account.head, mailbox.head and which files a mailbox has open
 *   mailbox.mutex  the table of records, keywords and cache; also held to read without the account
 *                  lock from descriptors that may be replaced
 *   account.mutex, store.mutex   maps and reference counts; held for no system call. With
 *                  store.mutex, a table is evicted from a mailbox whose mutex is free: m->table is
 *                  taken away, and looked at by who frees the mailbox, with it held
 */
#ifndef YB_STORE_PRIVATE_H
#define YB_STORE_PRIVATE_H

#include "lib/base/map.h"
#include "lib/store/foldername.h"
#include "lib/store/index.h"
#include "lib/store/lockfile.h"
#include "lib/store/store.h"
#include "lib/store/uidfile.h"

#include <pthread.h>
#include <stdatomic.h>

#define YB_BATCH 100                /* messages between two breaks of a long command */
#define YB_ACCOUNT_FILES 3          /* descriptors of an open account: folder, Maildir, lock */
#define YB_MAILBOX_FILES 5          /* of an open mailbox: folder, cur, new, index, cache */
#define YB_LOOK_TRUST_NS 1000000000 /* a folder's mtime younger than this at the look may lie */

struct yb_waiter; /* lock.c */
struct yb_table;  /* table.c */
struct yb_notify; /* notify.c */
struct yb_tidy;   /* tidy.c */

struct yb_store {
    struct yb_store_conf conf;
    char *root_path, *notify_path;
    char expected_id[YB_ID_TEXT]; /* "": any */
    uint8_t boot[YB_ID_BYTES];

    pthread_mutex_t mutex;
    int root_fd;    /* -1 until the root was there once */
    bool root_here; /* it is mounted and the right one */
    int64_t root_checked_ms;
    bool one_sync;   /* ext4, XFS: one fsync of a linked file keeps its name */
    bool fine_times; /* every change of a folder gives it another mtime */
    struct yb_map *accounts;
    struct yb_store_account *idle_first, *idle_last; /* oldest first */
    size_t idle_files;                               /* descriptors that they hold */
    struct yb_map *usage;                            /* changed accounts, for the report */
    struct yb_table *tables_first, *tables_last;     /* least recently used first */
    size_t table_bytes;
    struct yb_notify *notify;
    struct yb_tidy *tidy;
};

struct yb_store_account {
    struct yb_store *store;
    struct yb_account_id id;
    pthread_mutex_t load; /* held while it is opened for the first time */
    bool loaded;
    atomic_bool gone; /* its folder was removed */
    int dir_fd, maildir_fd, lock_fd;

    /* guarded by store.mutex */
    unsigned refs;
    struct yb_store_account *idle_next, *idle_prev;
    size_t idle_files; /* while it is idle: what it adds to the store's */

    /* lock.c */
    pthread_mutex_t queue_mutex;
    bool held;
    struct yb_waiter *first_waiter, *last_waiter;

    struct yb_lock_head head;     /* under the account lock */
    uint32_t folders_seen;        /* head.folders when `mailboxes` was right */
    uint32_t last_uidvalidity;    /* the highest that was seen, should the lock file lose it */
    bool unclean;                 /* this is another boot's account: sizes are checked */
    struct yb_store_check *check; /* where a compare adds what it found, or NULL */
    bool counting;                /* usage is being counted: compares need not settle it */

    pthread_mutex_t mutex;
    struct yb_map *mailboxes; /* by folder name on disk */
    size_t n_idle_mailboxes;
};

struct yb_mailbox {
    struct yb_store_account *account;
    struct yb_folder_dir dir;
    unsigned refs; /* account.mutex */
    bool listed;   /* in account.mailboxes */
    int dir_fd, cur_fd, new_fd, index_fd;
    atomic_uint uidvalidity; /* 0: not known yet; then the same until it is closed */

    struct yb_index_head head; /* under the account lock */
    bool fresh;                /* entering gave it a new UIDVALIDITY: no UID was ever given */
    bool made;                 /* its folder was made just now: no message of it is counted yet */
    bool damaged;              /* a record was broken under the lock: make the index anew */
    atomic_bool over;          /* the folder lost this UIDVALIDITY: it has other handles now */

    pthread_mutex_t uid_mutex;
    struct yb_uidfile synced; /* ceilings this process has synced */

    pthread_mutex_t mutex;  /* also held to replace index_fd */
    struct yb_table *table; /* table.c */
    struct yb_cache *cache; /* cache.c */
};

/* --- root.c --- */
/* The root's descriptor, or -1: missing, not mounted, another store's (TEMP 4.3.0). */
int yb_root_fd(struct yb_store *s, struct yb_err *err) YB_MUST_USE;

/* --- account.c --- */
/* For a mailbox that keeps its account open. */
void yb_account_ref(struct yb_store_account *a);
/* Closes idle accounts until they hold at most `files` descriptors. */
void yb_account_close_idle(struct yb_store *s, size_t files);
/* Opens the lock file again after it was replaced. */
int yb_account_open_lock(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;
/* Under the account lock: the Maildir that stands in the account's folder is used; false in *same
 * when it is another one than before. */
int yb_account_look(struct yb_store_account *a, bool *same, struct yb_err *err) YB_MUST_USE;
/* Under the account lock: the next UIDVALIDITY of this account, above `above`, synced; 0 with *err. */
uint32_t yb_account_next_uidvalidity(struct yb_store_account *a, uint32_t above,
                                     struct yb_err *err) YB_MUST_USE;
/* Under the account lock: after another boot, a torn head or a busy mark. Every mailbox is
 * compared, usage is counted again, the ring of ids refilled when it is another boot's. */
int yb_account_repair(struct yb_store_account *a, bool head_valid, struct yb_err *err) YB_MUST_USE;
/* Under the account lock: counts usage from the heads of all mailboxes. */
int yb_account_recount(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;
/* Under the account lock: adds to the usage in memory; yb_account_settle() writes it. */
void yb_account_use(struct yb_store_account *a, int64_t bytes, int64_t messages);
/* Notes the usage for the report to the database. */
void yb_account_note_usage(struct yb_store_account *a);
/* Under the account lock: remembers a delivery among the last ones. -1 with errno. */
int yb_account_remember(struct yb_store_account *a, const struct yb_ring_entry *entry) YB_MUST_USE;
/* Calls fn for each mailbox folder on disk, INBOX ("") first; fn returns -1 to stop. */
int yb_account_folders(struct yb_store_account *a,
                       int (*fn)(void *arg, const struct yb_folder_dir *dir, struct yb_err *err),
                       void *arg, struct yb_err *err) YB_MUST_USE;

/* --- lock.c --- */
/* The account's lock: afterwards account.head is what the file says, and nothing is half done. */
int yb_account_lock(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;
void yb_account_unlock(struct yb_store_account *a);
/* Gives the lock to those who wait and takes it again; mailboxes must be entered again. */
int yb_account_breathe(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;
/* Under the lock: sets the busy mark on disk; clears it, with the usage. */
int yb_account_busy(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;
int yb_account_settle(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;

/* --- mailbox.c; all under the account lock --- */
/* The open mailbox of a folder, with a reference. PERM 5.2.0, YB_ERR_NOT_FOUND; `create` makes it.
 */
int yb_mailbox_find(struct yb_store_account *a, const struct yb_folder_dir *dir, bool create,
                    struct yb_mailbox **m, struct yb_err *err) YB_MUST_USE;
/* Makes m->head current and whole: opens a replaced index, compares after a busy mark, rebuilds.
 * PERM, YB_ERR_NOT_FOUND, when it was deleted, or its UIDVALIDITY lost: whoever has UIDs of the
 * handle has UIDs of nothing. */
int yb_mailbox_enter(struct yb_mailbox *m, struct yb_err *err) YB_MUST_USE;
/* yubin-uid was not as expected: as after entering, or TEMP when it is again. Always -1. */
int yb_mailbox_doubt(struct yb_mailbox *m, struct yb_err *err);
/* Finds and enters a folder by its name, whatever UIDVALIDITY it has now. *m is NULL, or to be
 * closed also when this fails. */
int yb_mailbox_find_entered(struct yb_store_account *a, const struct yb_folder_dir *dir,
                            bool create, struct yb_mailbox **m, struct yb_err *err) YB_MUST_USE;
/* UIDNEXT and MODSEQ may grow so far (exclusive) without passing a synced ceiling. */
int yb_mailbox_reserve(struct yb_mailbox *m, uint64_t uids, uint64_t modseqs,
                       struct yb_err *err) YB_MUST_USE;
/* Writes the head; what is dirty is noted for tidying. */
int yb_mailbox_write_head(struct yb_mailbox *m, struct yb_err *err) YB_MUST_USE;
/* Marks the head busy and dirty and writes it (with UIDNEXT and MODSEQ as the caller set them). */
int yb_mailbox_begin(struct yb_mailbox *m, struct yb_err *err) YB_MUST_USE;
/* Writes the head with new folder times, not busy any more. */
int yb_mailbox_end(struct yb_mailbox *m, struct yb_err *err) YB_MUST_USE;
/* After a failed step between begin and end: compares index and folder at once. When that fails too
 * the busy marks stay for the next one. */
void yb_mailbox_mend(struct yb_mailbox *m);
/* The record of a UID: *slot and its place; `hint`: where it probably is. False: there is none, or
 * with m->damaged set it could not be read: then nothing is known until the mailbox is entered
 * again. */
bool yb_mailbox_slot(struct yb_mailbox *m, uint32_t uid, size_t hint, struct yb_index_slot *slot,
                     size_t *place);
/* For m->damaged: TEMP. */
int yb_mailbox_err_damaged(struct yb_err *err);
/* Notes what a look at the folders saw: times taken before the look. */
void yb_mailbox_looked(struct yb_mailbox *m, int64_t cur_mtime, int64_t new_mtime);
/* True when the folders are as the head says, and their times can be believed. */
bool yb_mailbox_untouched(const struct yb_mailbox *m, const struct yb_index_head *head);
/* Compares with the folders when another program may have changed them. */
int yb_mailbox_look(struct yb_mailbox *m, struct yb_err *err) YB_MUST_USE;
/* Takes the index that lies under its name now into use (m->index_fd is -1 when there is none). */
void yb_mailbox_reopen_index(struct yb_mailbox *m);
/* The folder of a record. */
int yb_mailbox_place_fd(const struct yb_mailbox *m, const struct yb_index_slot *slot);
/* Not under the lock: raises ceilings ahead, so that no one has to do it under the lock. */
void yb_mailbox_raise_ahead(struct yb_mailbox *m, const struct yb_index_head *head);
/* Not under the lock: the head as it is on disk now; false when it has to be read under the lock.
 */
bool yb_mailbox_peek(struct yb_mailbox *m, struct yb_index_head *head);
/* Drops the map's opinion of a folder (deleted, renamed). */
void yb_mailbox_forget(struct yb_store_account *a, const struct yb_folder_dir *dir);
void yb_mailbox_forget_all(struct yb_store_account *a);
void yb_mailbox_log(const struct yb_mailbox *m, const char *event, const struct yb_err *err);

/* --- rebuild.c; under the account lock --- */
enum yb_compare_why { YB_COMPARE_BUSY, YB_COMPARE_FOREIGN, YB_COMPARE_DAMAGE, YB_COMPARE_BOOT };
/* Compares folders and index and makes the index true. `index_valid`: m->head and the records can
 * be believed; else the index is made anew from names. Adopts foreign files. */
int yb_mailbox_compare(struct yb_mailbox *m, bool index_valid, enum yb_compare_why why,
                       struct yb_err *err) YB_MUST_USE;

/* --- check.c; under the account lock --- */
/* Writes m->head and n records as a new index file in place of the old one. */
int yb_index_replace(struct yb_mailbox *m, struct yb_index_slot *slots, size_t n,
                     struct yb_err *err) YB_MUST_USE;

/* --- folder.c; under the account lock --- */
/* A folder whose deletion was interrupted after its mark. */
void yb_folder_finish_delete(struct yb_store_account *a, const struct yb_folder_dir *dir);
void yb_folder_empty_trash(struct yb_store_account *a);

/* --- expunge.c --- */
/* Not under the lock: takes a message out again that was never answered for, and forgets its id. */
void yb_expunge_one(struct yb_mailbox *m, uint32_t uid);

/* --- keywords.c --- */
/* Letters of names, made when missing. Not under the account lock. */
int yb_keywords_mask(struct yb_mailbox *m, const struct yb_str *names, size_t n, uint32_t *mask,
                     struct yb_err *err) YB_MUST_USE;
/* Letters that stand in file names but have no name get one. Under the account lock. */
int yb_keywords_cover(struct yb_mailbox *m, uint32_t used, struct yb_err *err) YB_MUST_USE;

/* --- table.c --- */
/* m->mutex held, or the mailbox no longer used. */
void yb_table_drop(struct yb_mailbox *m);
/* Under the account lock: this process changed a record; the table follows without reading. Call
 * yb_table_expect() after entering and before the change, yb_table_tell() per record, then
 * yb_table_settle() when the head is written. */
void yb_table_expect(struct yb_mailbox *m);
void yb_table_tell(struct yb_mailbox *m, const struct yb_index_slot *slot, size_t place);
void yb_table_settle(struct yb_mailbox *m);

/* --- cache.c --- */
void yb_mailbox_cache_free(struct yb_mailbox *m);
/* Not under the lock: places that are only in memory go into the records. */
void yb_cache_flush(struct yb_mailbox *m);
/* Under the account lock: leaves out of the file what no living record of `slots`, which is to be
 * the new index, leads to; the records lead into the new file. When that fails nothing changes. */
void yb_cache_compact(struct yb_mailbox *m, struct yb_index_slot *slots, size_t n);
/* Under the account lock: the index was made anew, so nothing leads to what is cached. */
void yb_cache_reset(struct yb_mailbox *m);

/* --- notify.c --- */
int yb_notify_start(struct yb_store *s, struct yb_err *err) YB_MUST_USE;
void yb_notify_stop(struct yb_store *s);
void yb_notify_changed(struct yb_mailbox *m);

/* --- tidy.c --- */
int yb_tidy_start(struct yb_store *s, struct yb_err *err) YB_MUST_USE;
/* The orderly stop: one sync, then every mailbox this process changed is marked clean. */
void yb_tidy_stop(struct yb_store *s);
/* This process changed the mailbox: it is cleaned when it has been quiet. */
void yb_tidy_note(struct yb_mailbox *m);

#endif
