/*
 * The mail store of one node: Maildirs that are the truth, with an index beside them that is a
 * cache (docs/store.md says what lies on disk and in which order it is written). Used by lmtpd,
 * imapd and pop3d, several threads and several processes at once; no database.
 *
 * The wall between users is yb_store_open(): everything else works on what it returned, relative to
 * that account's own descriptor with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS. It is called only with
 * an id from a successful authentication, or from the RCPT of a trusted peer.
 *
 * Mailbox names are UTF-8 with "/" between levels; INBOX in any case is the inbox. Errors: YB_TEMP
 * 4.2.0 / 4.3.x for trouble (err->sys tells ENOSPC), YB_PERM with the status named at each call.
 */
#ifndef YB_STORE_STORE_H
#define YB_STORE_STORE_H

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/id.h"

#include <sys/types.h>
#include <sys/uio.h>

struct yb_store;         /* one root, one per process */
struct yb_store_account; /* an account's part of it, shared and reference counted */
struct yb_mailbox;       /* an open mailbox, shared and reference counted */

/* --- the root --- */

/* Descriptors of an open account with one open mailbox and its cache. */
#define YB_STORE_FILES 8

enum yb_store_form {
    YB_STORE_AUTO,     /* by what the file system keeps; where that is not known as `portable` */
    YB_STORE_PORTABLE, /* for any file system, with a journal or without */
    YB_STORE_LINKED,   /* for those that keep a linked file by one fsync() */
};

struct yb_store_conf {
    const char *root;
    struct yb_node_id node;
    const char *notify_path;  /* imapd's notice socket; NULL: changes are told to nobody */
    int64_t lock_timeout_ms;  /* account lock, default 10 s */
    size_t max_open_accounts; /* idle handles kept, for YB_STORE_FILES descriptors each; 0: 1024, or
                              half of the limit */
    size_t idle_mailboxes;    /* open mailboxes an account keeps that nobody uses; 0: 16 */
    size_t table_budget;      /* bytes of records that the process keeps in memory, least recently
                              used out first, but for the mailbox used last; 0: 64 MiB */
    int64_t tidy_quiet_ms;    /* a mailbox that was not changed for so long is synced, and its dirty
                              mark cleared; 0: 60 s */
    size_t changes_at_once;   /* of those that a session is told; 0: 10 000 */
    uint64_t reserve;         /* bytes of the file system that new messages leave free; 0: none */
    const char *first_mailboxes; /* of a new account: "\Sent=Sent items, Templates"; NULL: none */
    enum yb_store_form form;     /* how messages are made to last */
};

/* Makes .yubin-store with a new store id (text of YB_ID_TEXT). PERM, YB_ERR_EXISTS, when there is one
 * already. */
int yb_store_init(const char *root, char id_text[YB_ID_TEXT], struct yb_err *err) YB_MUST_USE;
/* Opens the root; a missing or foreign .yubin-store is not an error here but of every later call
 * (451 / UNAVAILABLE, "degraded") until it is back. `expected_id` NULL: any id will do. */
int yb_store_root_open(const struct yb_store_conf *conf, const char *expected_id,
                       struct yb_store **s, struct yb_err *err) YB_MUST_USE;
/* Orderly stop: syncs and clears the dirty marks of what this process changed. */
/* What stands in .yubin-store. False while the right one was never there. */
bool yb_store_which(struct yb_store *s, struct yb_store_id *id);
/* Octets that new messages may fill: what is free, less the reserve. False while the root is away. */
bool yb_store_room(struct yb_store *s, uint64_t *room);
void yb_store_root_close(struct yb_store **s);

/* --- an account --- */

/* The directory is made when `create`; else PERM 5.1.1 when there is none yet. Reference counted;
 * shared by all callers of this process. After an unclean stop the first open repairs. */
int yb_store_open(struct yb_store *s, struct yb_account_id id, bool create,
                  struct yb_store_account **a, struct yb_err *err) YB_MUST_USE;
void yb_store_close(struct yb_store_account **a);
struct yb_account_id yb_store_account_id(const struct yb_store_account *a);
/* "<2 hex>/<account id>/Maildir" below the root, for `yubin mailbox path`. */
void yb_store_path(struct yb_account_id id, char *out, size_t size);
/* Removes an account's directory (renamed aside at once, then emptied). For deletion after
 * retirement. */
int yb_store_remove(struct yb_store *s, struct yb_account_id id, struct yb_err *err) YB_MUST_USE;

/* Of two reports of one account's usage the one with the higher `change` is the newer, whichever
 * process made it: it grows with every change of bytes or messages, and never goes back. */
struct yb_usage {
    uint64_t bytes, messages;
    uint64_t change;
    bool full; /* of yb_store_changed_usage(): a message did not fit, and nothing changed since */
};
/* Exact; recounted first when the last stop was unclean. */
int yb_store_usage(struct yb_store_account *a, struct yb_usage *out,
                   struct yb_err *err) YB_MUST_USE;
/* The same, and it is among those of the next call below, whoever changed it last: for logins. */
int yb_store_usage_again(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;
/* Accounts changed by this process since the last call, for the report to the database. Returns how
 * many were written (at most max). */
size_t yb_store_changed_usage(struct yb_store *s, struct yb_account_id *ids, struct yb_usage *usage,
                              size_t max);
/*
 * Where an account is at home stands in its lock file. When that cannot be read the account is used
 * for nothing (TEMP, YB_ERR_AWAY) until whoever has the directory has asked it. Those for which
 * somebody came since the last call; returns how many were written (at most max).
 */
size_t yb_store_unknown(struct yb_store *s, struct yb_account_id *ids, size_t max);
/* The directory names this node: that is written, and synced. TEMP, YB_ERR_MOVING, when the account's
 * folder says that it has moved away; no error when it is known already. */
int yb_store_settle(struct yb_store *s, struct yb_account_id id, struct yb_err *err) YB_MUST_USE;
/*
 * A round over all accounts that have a folder here: their usage is among that of
 * yb_store_changed_usage() again, so that what a report missed is mended. Their mailboxes are not
 * looked at, but after an unclean stop. One round, of one caller at a time.
 */
struct yb_store_round;
struct yb_store_round *yb_store_round_new(struct yb_store *s) YB_MUST_USE;
/* Goes on for about `budget_ms`. True while there is more to come; also when so much is waiting to be
 * reported that nothing was done. */
bool yb_store_round_go(struct yb_store_round *r, int64_t budget_ms) YB_MUST_USE;
void yb_store_round_free(struct yb_store_round **r);
/* pop3d's exclusive use: fails at once (TEMP 4.2.0, YB_ERR_IN_USE) when another process
 * or session has it. Deliveries and IMAP go on. Dropped with yb_store_unlock_pop() or the process.
 */
int yb_store_lock_pop(struct yb_store_account *a, int *lock, struct yb_err *err) YB_MUST_USE;
void yb_store_unlock_pop(struct yb_store_account *a, int *lock);

/* --- delivery and APPEND --- */

#define YB_FLAG_SEEN 1u
#define YB_FLAG_ANSWERED 2u
#define YB_FLAG_FLAGGED 4u
#define YB_FLAG_DELETED 8u
#define YB_FLAG_DRAFT 16u
#define YB_FLAG_PASSED 32u /* Maildir "P" ($Forwarded) */

struct yb_put {          /* what is to be stored */
    const char *mailbox; /* NULL: INBOX */
    struct yb_delivery_id id;
    uint32_t flags;
    const struct yb_str *keywords; /* names; n_keywords of them. What there is no room for, and what
                                      is no keyword, is left out */
    size_t n_keywords;
    bool has_date;         /* internal_date is given; else it is now */
    int64_t internal_date; /* seconds since 1970 */
    uint64_t
        quota_bytes; /* limit of the account; 0: none. Over: PERM or TEMP 5.2.2/4.2.2 as asked: */
    bool over_quota_ok;  /* XACCEPTED: stored rather than bounced */
    bool delivery;       /* from outside: for want of room the mailbox counts as full, and a message
                            larger than the quota is PERM 5.2.3, YB_ERR_TOO_BIG */
    bool asked;          /* a check, of a size that was only announced: it makes nothing full */
    bool repeat;         /* XREPEAT: look for the id first; found = synced again, no second copy */
    bool create_mailbox; /* lmtpd's fileinto: make it when it is missing */
    /* Asked under the lock, before it is placed; false: TEMP, YB_ERR_CANCELLED. NULL: it is. */
    bool (*is_awaited)(void *arg);
    void *awaited_arg;
};

struct yb_put_result {
    uint32_t uidvalidity, uid;
    bool duplicate;
};

/*
 * A message on its way in. begin() opens an unnamed file (portable form: tmp/), write() adds bytes
 * as they are, place() does lock … unlock (L1-L4: the message is visible, not durable), commit()
 * syncs (L5) and only then may anybody be told. Several placed messages are committed best one
 * after the other: their syncs merge in the journal. A failed commit expunges the message again.
 * abort() at any time before commit; every path ends in commit or abort, both free *i.
 */
struct yb_incoming;
int yb_store_put_begin(struct yb_store_account *a, uint64_t expected_size, struct yb_incoming **i,
                       struct yb_err *err) YB_MUST_USE;
int yb_store_put_write(struct yb_incoming *i, const struct iovec *v, int n,
                       struct yb_err *err) YB_MUST_USE;
/* Copies `n` bytes of fd from `at` (copy_file_range or read/write). */
int yb_store_put_file(struct yb_incoming *i, int fd, off_t at, uint64_t n,
                      struct yb_err *err) YB_MUST_USE;
/* Over quota: PERM 5.2.2, YB_ERR_FULL; no such mailbox: PERM 5.2.0, YB_ERR_TRY_CREATE; the account
 * leaves this node: TEMP 4.3.2, YB_ERR_MOVING. */
int yb_store_put_place(struct yb_incoming *i, const struct yb_put *put, struct yb_put_result *out,
                       struct yb_err *err) YB_MUST_USE;
/* Would place() take a message of `size` octets now? The same errors; nothing is written but what
 * mends the mailbox or makes it. */
int yb_store_put_check(struct yb_store_account *a, const struct yb_put *put, uint64_t size,
                       struct yb_err *err) YB_MUST_USE;
int yb_store_put_commit(struct yb_incoming **i, struct yb_err *err) YB_MUST_USE;
void yb_store_put_abort(struct yb_incoming **i);

/* --- folders --- */

struct yb_folder {
    struct yb_str name;
    bool exists; /* false: only a parent of others (\NonExistent) */
    bool subscribed, children;
    char special[16]; /* "\\Drafts", "\\Sent", "\\Junk", "\\Trash", "\\Archive", or "" */
};
/* All folders in name order, INBOX first, subscribed names that do not exist among them. */
int yb_store_list(struct yb_store_account *a, struct yb_arena *arena, struct yb_folder **out,
                  size_t *n, struct yb_err *err) YB_MUST_USE;
/* Name rules: NFC UTF-8, as long as the folder's name fits 255 octets, 40 levels, no control
 * characters, no empty level (a trailing "/" is dropped). PERM 5.2.0 is YB_ERR_EXISTS,
 * YB_ERR_NOT_FOUND, YB_ERR_CANNOT or YB_ERR_LIMIT. */
int yb_store_create(struct yb_store_account *a, struct yb_str name, struct yb_err *err) YB_MUST_USE;
/* The same with a special use, one of those above in any case. PERM 5.2.0, YB_ERR_USE, for another, or
 * when a mailbox has it already: then nothing is made. */
int yb_store_create_for(struct yb_store_account *a, struct yb_str name, struct yb_str use,
                        struct yb_err *err) YB_MUST_USE;
int yb_store_delete(struct yb_store_account *a, struct yb_str name, struct yb_err *err) YB_MUST_USE;
/* Special uses and subscriptions go with a mailbox, and with those below it. */
int yb_store_rename(struct yb_store_account *a, struct yb_str from, struct yb_str to,
                    struct yb_err *err) YB_MUST_USE;
int yb_store_subscribe(struct yb_store_account *a, struct yb_str name, bool on,
                       struct yb_err *err) YB_MUST_USE;
int yb_store_set_special(struct yb_store_account *a, struct yb_str name, const char *special,
                         struct yb_err *err) YB_MUST_USE;

/* --- an open mailbox --- */

/* Finds foreign changes (directory mtimes), rebuilds a missing or damaged index. PERM 5.2.0
 * YB_ERR_NOT_FOUND. */
int yb_mailbox_open(struct yb_store_account *a, struct yb_str name, struct yb_mailbox **m,
                    struct yb_err *err) YB_MUST_USE;
struct yb_mailbox *yb_mailbox_ref(struct yb_mailbox *m) YB_MUST_USE;
void yb_mailbox_close(struct yb_mailbox **m);

/*
 * A session at rest holds no handle, and so no descriptors: it keeps this name and its view, whose
 * UIDVALIDITY tells the mailbox from all others that the account ever had. The name is valid while
 * the mailbox is open.
 */
const char *yb_mailbox_folder(const struct yb_mailbox *m);
/* The mailbox again, also when it was renamed meanwhile; without the account's lock while the store
 * still has it open. PERM 5.2.0, YB_ERR_NOT_FOUND: it was deleted or has a new UIDVALIDITY. */
int yb_mailbox_resume(struct yb_store_account *a, const char *folder, uint32_t uidvalidity,
                      struct yb_mailbox **m, struct yb_err *err) YB_MUST_USE;

struct yb_mailbox_status {
    uint32_t uidvalidity, uidnext, messages, recent, unseen, deleted;
    uint64_t highest_modseq, bytes, deleted_bytes;
};
int yb_mailbox_status_read(struct yb_mailbox *m, struct yb_mailbox_status *out,
                           struct yb_err *err) YB_MUST_USE;

/* One message as the index knows it. */
struct yb_record {
    uint32_t uid;
    uint16_t flags;    /* YB_FLAG_… */
    bool expunged;     /* only in views that were not told yet: the message is gone */
    bool recent;       /* set in changes; of rows yb_view_is_recent() knows */
    uint32_t keywords; /* bit i: letter 'a' + i; and a set: for yb_keywords_of() */
    uint32_t keyword_set;
    uint32_t slot; /* the store's own: where the index holds it */
    uint64_t modseq, size;
    int64_t internal_date, saved; /* seconds: INTERNALDATE, and when it came into this mailbox */
    struct yb_delivery_id id;
};

/*
 * What a session was told, and all that a parked one keeps: a record is in the view when its UID is
 * below `uidnext` and it lives, or died at a MODSEQ above `expunged`. Its sequence number is its
 * rank.
 */
#define YB_RECENT_RANGES 8 /* of UIDs; a session that takes turns with others goes without more */
struct yb_view {
    uint32_t uidvalidity, uidnext;
    uint64_t modseq;   /* flags told up to here */
    uint64_t expunged; /* expunges told up to here */
    struct yb_recent {
        uint32_t from, to;      /* UIDs [from, to) are \Recent to this session */
    } recent[YB_RECENT_RANGES]; /* in order */
    unsigned n_recent;
    uint32_t keywords; /* yb_keywords_version() told: the caller's own */
    bool read_only;
};
/* SELECT (read_only: EXAMINE): a view of everything there is now. Read-write moves new/ to cur/ and
 * takes \Recent. Returns through yb_view_rows() what is in it. */
int yb_view_begin(struct yb_mailbox *m, bool read_only, struct yb_view *v,
                  struct yb_err *err) YB_MUST_USE;
/* Is a message \Recent to the session? To one session only, the first read-write one that was told
 * of it (RFC 3501 §2.3.2). */
bool yb_view_is_recent(const struct yb_view *v, uint32_t uid);
/* Nothing is selected any more: the view is cleared, and what the session cached is written. */
void yb_view_end(struct yb_mailbox *m, struct yb_view *v);

/* The records of a view in UID order: sequence number k is rows[k - 1]. Shared, immutable,
 * reference counted; kept by the mailbox while anybody uses it. */
struct yb_rows {
    const struct yb_record *v;
    size_t n;
};
int yb_view_rows(struct yb_mailbox *m, const struct yb_view *v, const struct yb_rows **rows,
                 struct yb_err *err) YB_MUST_USE;
void yb_rows_release(const struct yb_rows **rows);
/* Index of the row with this UID, or of the first above it (`rows->n` when there is none). */
size_t yb_rows_find(const struct yb_rows *rows, uint32_t uid);
/* How many of them are \Recent. */
size_t yb_rows_recent(const struct yb_rows *rows, const struct yb_view *v);

/* What is new since the view was last told; brings the view up to date. Of flag changes and of
 * expunges about conf.changes_at_once are told, the oldest first (a million at once would be as many
 * lines for each session); `unfinished` says that there are more. */
struct yb_change {
    uint32_t seq; /* at the moment it is told, in the order of the list */
    struct yb_record record;
};
struct yb_changes {
    uint32_t *expunged;      /* sequence numbers, each counted after those before it were removed */
    uint32_t *expunged_uids; /* the same, as UIDs (for VANISHED later) */
    size_t n_expunged;
    struct yb_change
        *flags; /* flag or keyword changes of messages already told; seq after expunges */
    size_t n_flags;
    uint32_t exists, recent; /* now (recent: only when something changed) */
    uint32_t untold;         /* expunges that the view still has as messages */
    bool more;               /* exists grew: messages were added */
    bool unfinished;         /* there is more to tell: ask again */
    bool invalid; /* the mailbox is gone or has a new UIDVALIDITY: end the session's SELECT */
    uint64_t highest_modseq;
};
/* `with_expunges` false where RFC 3501 §7.4.1 forbids EXPUNGE (FETCH, STORE, SEARCH): the dead stay
 * in the view, new messages and flags are told all the same. Cheap when nothing changed. */
int yb_view_changes(struct yb_mailbox *m, struct yb_view *v, bool with_expunges,
                    struct yb_arena *arena, struct yb_changes *out, struct yb_err *err) YB_MUST_USE;

/* The keywords of a mailbox as they are now: 2 048 at most. Shared, immutable, reference counted.
 * Records that were read before may have more. */
struct yb_keywords;
int yb_mailbox_keywords(struct yb_mailbox *m, const struct yb_keywords **k,
                        struct yb_err *err) YB_MUST_USE;
void yb_keywords_release(const struct yb_keywords **k);
/* Of two lists with one version the names are the same. */
uint32_t yb_keywords_version(const struct yb_keywords *k);
/* There is room for no other, unless some are given back. */
bool yb_keywords_full(const struct yb_keywords *k);
/* Octets of all names, one more for each: as long as a message's can be. */
size_t yb_keywords_octets(const struct yb_keywords *k);
/* Walks the names: *at is 0 at first. */
bool yb_keywords_next(const struct yb_keywords *k, size_t *at, struct yb_str *name);
/* Walks the names of a record; those that were lost are made up in `room`. */
#define YB_KEYWORD_TEXT 32
bool yb_keywords_of(const struct yb_keywords *k, const struct yb_record *r, size_t *at,
                    char room[YB_KEYWORD_TEXT], struct yb_str *name);
/* A number for yb_keywords_has(), or YB_KEYWORD_NONE, which no record has. */
#define YB_KEYWORD_NONE UINT64_MAX
uint64_t yb_keywords_find(const struct yb_keywords *k, struct yb_str name);
bool yb_keywords_has(const struct yb_keywords *k, const struct yb_record *r, uint64_t number);

/* The message's file for reading (the caller closes it). PERM 5.2.0, YB_ERR_GONE, when it is
 * gone. */
int yb_mailbox_message(struct yb_mailbox *m, const struct yb_record *r, int *fd,
                       struct yb_err *err) YB_MUST_USE;

/* The parsed form of a message (ENVELOPE, BODYSTRUCTURE …), opaque bytes of the caller's own format
 * whose first bytes are a version the caller checks. get(): false when there is none. */
bool yb_mailbox_cache_get(struct yb_mailbox *m, const struct yb_record *r, struct yb_arena *arena,
                          struct yb_str *out);
void yb_mailbox_cache_put(struct yb_mailbox *m, const struct yb_record *r, struct yb_str data);
/* What get() gave is of no use (another version): the next put() takes its place. */
void yb_mailbox_cache_forget(struct yb_mailbox *m, const struct yb_record *r);
/* After a command: what was put and waits in memory is written, unless it is little. */
void yb_mailbox_cache_settle(struct yb_mailbox *m);

/*
 * A small file of the caller's own beside the messages, "yubin-…": what it worked out once and can work
 * out again. read(): false when there is none, or not all of it. One program writes it, one session of
 * the mailbox at a time; not synced, and a failed write is as if it had not been asked for.
 */
bool yb_mailbox_memo_read(struct yb_mailbox *m, const char *name, struct yb_arena *arena,
                          struct yb_str *out) YB_MUST_USE;
void yb_mailbox_memo_write(struct yb_mailbox *m, const char *name, struct yb_str bytes);

/* --- changes --- */

enum yb_flag_op { YB_FLAGS_SET, YB_FLAGS_ADD, YB_FLAGS_REMOVE };
/*
 * Changes flags and keywords of n UIDs (ascending). A record whose modseq is above
 * `unchanged_since` (0: no condition) is left and reported in `failed`. No change, no new MODSEQ.
 * The account lock is given back every 100 messages. PERM, YB_ERR_LIMIT: no room for more keywords;
 * YB_ERR_CANNOT: one is none.
 */
struct yb_store_flags {
    enum yb_flag_op op;
    uint32_t flags;
    const struct yb_str *keywords; /* names; n_keywords of them. Made when a message needs them */
    size_t n_keywords;
    uint64_t unchanged_since;
    uint32_t *failed; /* room for n, or NULL */
    size_t n_failed;
};
int yb_mailbox_store(struct yb_mailbox *m, const uint32_t *uids, size_t n,
                     struct yb_store_flags *op, struct yb_err *err) YB_MUST_USE;
/* Removes these UIDs for good (those that still live; `only_deleted`: and carry \Deleted).
 * `durable`: synced before it returns (POP3's QUIT); IMAP's EXPUNGE need not be. */
int yb_mailbox_expunge(struct yb_mailbox *m, const uint32_t *uids, size_t n, bool only_deleted,
                       bool durable, struct yb_err *err) YB_MUST_USE;
/* Copies (moves) n UIDs (ascending) in order; done and durable before it returns, or (copy) nothing
 * is. new_uids has room for n: 0 for a message that is gone already. MOVE keeps the delivery id and
 * takes no quota; a move that fails half-way reports what moved. Over quota: PERM 5.2.2,
 * YB_ERR_FULL. */
struct yb_copy {
    uint32_t uidvalidity; /* of the target */
    uint32_t *new_uids;
    size_t n_done;
};
int yb_mailbox_copy(struct yb_mailbox *from, const uint32_t *uids, size_t n, struct yb_mailbox *to,
                    uint64_t quota_bytes, struct yb_copy *out, struct yb_err *err) YB_MUST_USE;
int yb_mailbox_move(struct yb_mailbox *from, const uint32_t *uids, size_t n, struct yb_mailbox *to,
                    struct yb_copy *out, struct yb_err *err) YB_MUST_USE;

/* --- notices --- */

/*
 * imapd: listens on conf.notify_path and calls fn(arg, account, uidvalidity) from a thread of its
 * own after every change of a mailbox, whoever made it, this process included; uidvalidity 0 means
 * "look at all open mailboxes" (account zero: of all accounts). fn must not block.
 */
int yb_store_on_change(struct yb_store *s,
                       void (*fn)(void *arg, struct yb_account_id account, uint32_t uidvalidity),
                       void *arg, struct yb_err *err) YB_MUST_USE;
/*
 * lmtpd, pop3d: connects to imapd now, and again whenever that is gone, rather than at the next
 * change: a new connection means "look at everything", which costs little while few sessions of a
 * restarted imapd have come back. Programs that make a change and end do without.
 */
int yb_store_tell(struct yb_store *s, struct yb_err *err) YB_MUST_USE;
/* Foreign programs' changes of this mailbox are noticed too (inotify), whether it is open or not,
 * until each watch is taken back. Returns the UIDVALIDITY to do that with. */
uint32_t yb_mailbox_watch(struct yb_mailbox *m);
void yb_store_unwatch(struct yb_store *s, struct yb_account_id account, uint32_t uidvalidity);
/* A number that is this mailbox's in notices. */
uint32_t yb_mailbox_uidvalidity(const struct yb_mailbox *m);

/* --- looking after it --- */

/* imapd, when the last session has left the mailbox: drops tombstones older than that (30 days),
 * when there are many. A view that was not told of one of them is over. Cheap when there is nothing
 * to do. */
int yb_mailbox_compact(struct yb_mailbox *m, int64_t keep_seconds, struct yb_err *err) YB_MUST_USE;

struct yb_store_check {
    uint64_t mailboxes, messages, rebuilt, lost, foreign;
};
/* Compares index and directory of every mailbox and mends the index (`yubin store check`). */
int yb_store_check_account(struct yb_store_account *a, struct yb_store_check *out,
                           struct yb_err *err) YB_MUST_USE;

#endif
