/*
 * The second floor of lib/store: the root, an account and a mailbox in memory, and what can be done
 * with them without knowing that what the disk holds is whole (truth.h sees to that).
 *
 * Locks, in the order in which they are taken:
 *   account lock   (queue.c) a queue in the process, then flock(): every change on disk; guards
 *                  account.head, mailbox.head and which files a mailbox has open
 *   mailbox.mutex  the table of records, keywords and cache; also held to read without the account
 *                  lock from descriptors that may be replaced
 *   account.mutex, store.mutex   maps and reference counts; held for no system call. With
 *                  store.mutex, a table is evicted from a mailbox whose mutex is free: m->table is
 *                  taken away, and looked at by who frees the mailbox, with it held
 */
#ifndef YB_STORE_HANDLES_H
#define YB_STORE_HANDLES_H

#include "lib/base/map.h"
#include "lib/store/foldername.h"
#include "lib/store/form.h"
#include "lib/store/index.h"
#include "lib/store/lockfile.h"
#include "lib/store/store.h"
#include "lib/store/sys.h"
#include "lib/store/uidfile.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define YB_BATCH 100                /* messages between two breaks of a long command */
#define YB_ACCOUNT_FILES 3          /* descriptors of an open account: folder, Maildir, lock */
#define YB_MAILBOX_FILES 5          /* of an open mailbox: folder, cur, new, index, cache */
#define YB_LOCK_NAP_US 2000         /* a waiter for another process looks again so late at most */
#define YB_LOOK_TRUST_NS 1000000000 /* a folder's mtime younger than this at the look may lie */

struct yb_first;  /* first.h */
struct yb_waiter; /* queue.c */
struct yb_table;  /* table.h */
struct yb_notify; /* notify.h */
struct yb_tidy;   /* dirty.h */

struct yb_store {
    struct yb_store_conf conf;
    char *root_path, *notify_path;
    struct yb_first *first;       /* mailboxes that a new account begins with */
    char expected_id[YB_ID_TEXT]; /* "": any */
    uint8_t boot[YB_ID_BYTES];

    pthread_mutex_t mutex;
    int root_fd;           /* -1 until the root was there once */
    bool root_here;        /* it is mounted and the right one */
    struct yb_store_id id; /* of the root that was here last; zero before */
    struct yb_file_id root_id;
    int64_t root_checked_ms;
    atomic_uint form;       /* YB_FORM_… of the root's file system */
    atomic_bool fine_times; /* every change of a folder gives it another mtime */
    struct yb_map *accounts;
    struct yb_store_account *idle_first, *idle_last; /* oldest first */
    size_t idle_files;                               /* descriptors that they hold */
    struct yb_map *usage;                            /* changed accounts, for the report */
    struct yb_map *unknown;                          /* accounts whose state could not be read */
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
    atomic_uint form; /* YB_FORM_… of the Maildir's file system */
    atomic_bool gone; /* its folder was removed, or another stands in its place */
    int dir_fd, maildir_fd, lock_fd;
    struct yb_file_id dir_id;              /* the same as long as the handle lives */
    struct yb_file_id maildir_id, lock_id; /* under the lock */
    uint8_t boot[YB_ID_BYTES];             /* what lock_fd's head says for the boot */

    /* guarded by store.mutex */
    unsigned refs;
    struct yb_store_account *idle_next, *idle_prev;
    size_t idle_files; /* while it is idle: what it adds to the store's */

    /* queue.c */
    pthread_mutex_t queue_mutex;
    bool held;
    struct yb_waiter *first_waiter, *last_waiter;

    struct yb_lock_head head;     /* under the account lock */
    uint32_t folders_seen;        /* head.folders when `mailboxes` was right */
    uint32_t last_uidvalidity;    /* the highest that was seen, should the lock file lose it */
    bool unclean;                 /* this is another boot's account: sizes are checked */
    struct yb_store_check *check; /* where a compare adds what it found, or NULL */
    bool usage_unknown;           /* under the account lock: to be counted when it is settled */

    /* under the account lock, as the lock file says */
    int64_t look_again_ms; /* from when on all its mailboxes may be looked at for foreign changes */
    struct yb_usage told;  /* what head.change is the number of; bytes UINT64_MAX: of nothing */
    enum yb_account_state state;

    pthread_mutex_t mutex;
    struct yb_map *mailboxes; /* by folder name on disk */
    size_t n_idle_mailboxes;
};

/* A name that goes when the one beside it lasts: rename.c. */
struct yb_old_name {
    int fd, new_fd; /* the folders of both */
    char name[NAME_MAX + 1];
};

struct yb_mailbox {
    struct yb_store_account *account;
    struct yb_folder_dir dir;
    unsigned refs; /* account.mutex */
    bool listed;   /* in account.mailboxes */
    int dir_fd, cur_fd, new_fd, index_fd;
    struct yb_file_id dir_id, cur_id, new_id; /* the same as long as the handle lives */
    struct yb_file_id index_id;               /* changes with index_fd */
    atomic_uint uidvalidity; /* 0: not known yet; then the same until it is closed */

    struct yb_index_head head; /* under the account lock */
    bool fresh;                /* entering gave it a new UIDVALIDITY: no UID was ever given */
    bool made;                 /* its folder was made just now: no message of it is counted yet */
    bool replaced;             /* other folders stood here before: their times tell nothing */
    struct yb_old_name *old_names; /* of the change under way, room for YB_BATCH */
    size_t n_old_names;
    bool damaged;     /* a record was broken under the lock: make the index anew */
    atomic_bool over; /* the folder lost this UIDVALIDITY: it has other handles now */

    pthread_mutex_t uid_mutex;
    struct yb_uidfile synced; /* ceilings this process has synced */

    pthread_mutex_t mutex;              /* also held to replace index_fd */
    struct yb_table *table;             /* table.c */
    struct yb_cache *cache;             /* cache.c */
    const struct yb_keywords *keywords; /* as yubin-keywords was read last, or NULL */
};

/* --- root.c --- */
/* The descriptor of the root that the configured path leads to now, or -1: missing, not mounted,
 * another store's (TEMP 4.3.0). */
int yb_root_fd(struct yb_store *s, struct yb_err *err) YB_MUST_USE;

/* --- account.c --- */
/* The handle of an account, new or shared, with a reference; *out is NULL when this fails. Whoever
 * is not sure that the root is there, or that the Maildir was not replaced, takes yb_store_open(). */
int yb_account_open(struct yb_store *s, struct yb_account_id id, bool create,
                    struct yb_store_account **out, struct yb_err *err) YB_MUST_USE;
/* For a mailbox that keeps its account open. */
void yb_account_ref(struct yb_store_account *a);
/* Closes idle accounts until they hold at most `files` descriptors. */
void yb_account_close_idle(struct yb_store *s, size_t files);
#define YB_MAILDIR "Maildir"
/* What is to be known of the Maildir that was opened. */
void yb_account_note_maildir(struct yb_store_account *a);
/* Opens the lock file again after it was replaced. */
int yb_account_open_lock(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;
/* Does the `account` file have a second line (the account moved away), or cannot it be told? */
bool yb_account_marked(const struct yb_store_account *a);
/* Under the account lock: the folder under a name that nobody opens, without what makes it an
 * account's. Processes that have it open see the lock file gone when they lock next. */
int yb_account_set_aside(struct yb_store_account *a, int outer_fd, const char *name,
                         const char *aside, struct yb_err *err) YB_MUST_USE;
/* Under the account lock: adds to the usage in memory; yb_account_settle() writes it. */
void yb_account_use(struct yb_store_account *a, int64_t bytes, int64_t messages);
/* Under the account lock: notes the usage for the report to the database. `full`: a message was refused
 * for want of room just now. */
void yb_account_note_usage(struct yb_store_account *a, bool full);
/* The same of a head that was read without the lock; nothing when something newer is noted. */
void yb_usage_note(struct yb_store *s, struct yb_account_id id, const struct yb_lock_head *head,
                   bool full);
/* Under the lock: sets the busy mark on disk; clears it, with the usage. */
int yb_account_busy(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;
int yb_account_write_usage(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;
/* Under the account lock: remembers a delivery among the last ones. -1 with errno. */
int yb_account_remember(struct yb_store_account *a, const struct yb_ring_entry *entry) YB_MUST_USE;

/* --- room.c --- */
/* A piece of what is kept back for a full disk; false: there is none left. */
bool yb_room_give(struct yb_store *s);
/* Makes it whole when there is plenty of room. */
void yb_room_keep(struct yb_store *s);

/* --- folders.c --- */
/* Calls fn for each mailbox folder on disk, INBOX ("") first; fn returns -1 to stop. */
int yb_account_folders(struct yb_store_account *a,
                       int (*fn)(void *arg, const struct yb_folder_dir *dir, struct yb_err *err),
                       void *arg, struct yb_err *err) YB_MUST_USE;

/* --- place.c --- */
/* Does the account's name in the root still lead to the folder that is open? If not the handle is of
 * no use any more: TEMP, and whoever opens the account next gets another. */
int yb_account_stands(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;
/* Is the Maildir that is open the one that stands in the account's folder? */
bool yb_account_in_place(const struct yb_store_account *a);
/* Under the account lock: the Maildir that stands in the account's folder is used; false in *same
 * when it is another one than before. */
int yb_account_look(struct yb_store_account *a, bool *same, struct yb_err *err) YB_MUST_USE;
/* Under the account lock: is the mailbox that is open what its name leads to, with its cur and new?
 * One that was deleted is being emptied elsewhere; one that another program moved away is not ours
 * any more. */
bool yb_mailbox_in_place(const struct yb_mailbox *m);
/* The same by whatever name: a handle outlives RENAME. */
bool yb_mailbox_stands(const struct yb_mailbox *m);
/* Is the index that is open the one in the folder? `st` becomes what is told of it. */
bool yb_mailbox_index_stands(const struct yb_mailbox *m, struct stat *st);

/* --- rename.c; under the account lock --- */
/* A message gets another name, or goes to another folder; never overwrites. Where the file system
 * keeps no order the old name stays for now, and yb_mailbox_end() takes it away. -1 with errno. */
int yb_mailbox_rename(struct yb_mailbox *m, int from_fd, const char *from, int to_fd,
                      const char *to) YB_MUST_USE;
/* The new names last, the old ones go. -1 with errno: what is left is found by comparing. */
int yb_mailbox_settle_names(struct yb_mailbox *m) YB_MUST_USE;
/* Both at once: for names with another UID, of which two must not stay. */
int yb_mailbox_move_name(struct yb_mailbox *m, int from_fd, const char *from, int to_fd,
                         const char *to) YB_MUST_USE;
/* Before one of two names of a file is taken away: the other lasts. -1 with errno. */
int yb_mailbox_sync_names(struct yb_mailbox *m) YB_MUST_USE;

/* --- queue.c --- */
/* This thread's turn and the file's lock, nothing more: yb_account_lock() looks at what is there. */
int yb_account_hold(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;
void yb_account_unlock(struct yb_store_account *a);

/* --- mailbox.c; find under the account lock --- */
/* The open mailbox of a folder, with a reference. PERM 5.2.0, YB_ERR_NOT_FOUND; `create` makes it.
 */
int yb_mailbox_find(struct yb_store_account *a, const struct yb_folder_dir *dir, bool create,
                    struct yb_mailbox **m, struct yb_err *err) YB_MUST_USE;
/* The same while the mailbox is open and the one meant, also without the lock; else NULL. */
struct yb_mailbox *yb_mailbox_kept(struct yb_store_account *a, const struct yb_folder_dir *dir,
                                   uint32_t uidvalidity) YB_MUST_USE;
/* Out of the map: the handle stays with its users. */
void yb_mailbox_unlist(struct yb_mailbox *m);
/* Drops the map's opinion of a folder (deleted, renamed). */
void yb_mailbox_forget(struct yb_store_account *a, const struct yb_folder_dir *dir);
void yb_mailbox_forget_all(struct yb_store_account *a);
/* PERM 5.2.0, YB_ERR_NOT_FOUND. */
int yb_mailbox_err_gone(struct yb_err *err);

/* --- head.c; under the account lock unless it says otherwise --- */
/* Takes the index that lies under its name now into use (m->index_fd is -1 when there is none). */
void yb_mailbox_reopen_index(struct yb_mailbox *m);
/* Writes m->head and n records as a new index file in place of the old one. */
int yb_index_replace(struct yb_mailbox *m, struct yb_index_slot *slots, size_t n,
                     struct yb_err *err) YB_MUST_USE;
/* An open index of the first form is written anew, synced, with what yubin-cache holds: 1 with
 * m->head, 0 when it is none, or broken. */
int yb_index_renew(struct yb_mailbox *m, struct yb_err *err) YB_MUST_USE;
/* Notes what a look at the folders saw: times taken before the look. */
void yb_mailbox_looked(struct yb_mailbox *m, int64_t cur_mtime, int64_t new_mtime);
/* True when the folders are as the head says, and their times can be believed. */
bool yb_mailbox_untouched(const struct yb_mailbox *m, const struct yb_index_head *head);
/* Writes the head; what is dirty is noted for tidying. */
int yb_mailbox_write_head(struct yb_mailbox *m, struct yb_err *err) YB_MUST_USE;
/* Marks the head busy and dirty and writes it (with UIDNEXT and MODSEQ as the caller set them). */
int yb_mailbox_begin(struct yb_mailbox *m, struct yb_err *err) YB_MUST_USE;
/* Writes the head with new folder times, not busy any more. */
int yb_mailbox_end(struct yb_mailbox *m, struct yb_err *err) YB_MUST_USE;
/* The record of a UID: *slot and its place; `hint`: where it probably is. False: there is none, or
 * with m->damaged set it could not be read: then nothing is known until the mailbox is entered
 * again. */
bool yb_mailbox_slot(struct yb_mailbox *m, uint32_t uid, size_t hint, struct yb_index_slot *slot,
                     size_t *place);
/* For m->damaged: TEMP. */
int yb_mailbox_err_damaged(struct yb_err *err);
/* The folder of a record. */
int yb_mailbox_place_fd(const struct yb_mailbox *m, const struct yb_index_slot *slot);
/* Not under the lock: the head as it is on disk now; false when it has to be read under the lock.
 */
bool yb_mailbox_peek(struct yb_mailbox *m, struct yb_index_head *head);
void yb_mailbox_log(const struct yb_mailbox *m, const char *event, const struct yb_err *err);

#endif
