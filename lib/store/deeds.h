/*
 * The fourth floor of lib/store: what is done to mailboxes. Most of it is in store.h; this is what
 * the deeds do for each other and for the floor above.
 */
#ifndef YB_STORE_DEEDS_H
#define YB_STORE_DEEDS_H

#include "lib/base/arena.h"
#include "lib/store/keywordfile.h"
#include "lib/store/truth.h"

/* --- expunge.c --- */
/* Not under the lock: takes a message out again that was never answered for, and forgets its id. */
void yb_expunge_one(struct yb_mailbox *m, uint32_t uid);

/* --- keywords.c; under the account lock, the mailbox entered --- */
/* What a record says of keywords. */
struct yb_keyword_ref {
    uint32_t letters, set;
};
struct yb_keyword_op {
    enum yb_flag_op op;
    const struct yb_str *names;
    size_t n;
    bool partly; /* what there is no room for, or what is no keyword, is left out */
};
/* The keywords of a batch of messages. */
struct yb_keyword_job {
    struct yb_mailbox *m;
    const struct yb_keywords *k;
    struct yb_keywords *grown; /* with what was noted since, or NULL */
    struct yb_buf *lines;
    struct yb_keyword_ref given[YB_BATCH];
    size_t n_given;
    const struct yb_keyword_bits *pending; /* of the message at hand */
    bool given_back;                       /* once is enough */
    struct yb_keyword_bits members;        /* of all sets, if has_members */
    bool has_members;
};
int yb_keywords_begin(struct yb_keyword_job *j, struct yb_mailbox *m,
                      struct yb_err *err) YB_MUST_USE;
/* What a message has after the operation; at most YB_BATCH times. PERM, YB_ERR_LIMIT, YB_ERR_CANNOT. */
int yb_keywords_apply(struct yb_keyword_job *j, const struct yb_keyword_op *op,
                      const struct yb_keyword_ref *have, struct yb_keyword_ref *out,
                      struct yb_err *err) YB_MUST_USE;
/* Before anything on disk says so: what was made is on the disk. */
int yb_keywords_keep(struct yb_keyword_job *j, struct yb_err *err) YB_MUST_USE;
void yb_keywords_end(struct yb_keyword_job *j);

/* --- recent.c --- */
/* May a range that begins with this UID be added? */
bool yb_recent_room(const struct yb_view *v, uint32_t from);
/* UIDs [from, to) are \Recent to the session, as far as there is room. */
void yb_recent_add(struct yb_view *v, uint32_t from, uint32_t to);
/* Under the account lock, entered: what no read-write session was told of yet, nor this one, is
 * \Recent to it, and to no other. */
int yb_recent_claim(struct yb_mailbox *m, struct yb_view *v, struct yb_err *err) YB_MUST_USE;
/* Under the account lock, which is given back between batches, entered: moves new/ to cur/. -2: the
 * lock is gone. */
int yb_recent_take(struct yb_mailbox *m, struct yb_err *err) YB_MUST_USE;

/* --- remember.c --- */
/* Not under the lock: places that are only in memory go into the records. */
void yb_cache_flush(struct yb_mailbox *m);

/* --- subscribe.c --- */
/* The lines of a small list file; "" when there is none. */
int yb_listfile_read(struct yb_store_account *a, const char *file, struct yb_arena *arena,
                     struct yb_str *out, struct yb_err *err) YB_MUST_USE;
/* Under the account lock: the mailbox (its name in its one form) that is about to be made gets this
 * use. PERM 5.2.0, YB_ERR_USE: there is no such, or a mailbox has it. */
int yb_special_take(struct yb_store_account *a, struct yb_str name, struct yb_str use,
                    struct yb_err *err) YB_MUST_USE;
struct yb_renamed {
    struct yb_str from, to; /* in their one form */
};
/* Under the account lock: special uses and subscriptions go with their mailbox. */
int yb_lists_renamed(struct yb_store_account *a, struct yb_renamed *names,
                     struct yb_err *err) YB_MUST_USE;

#endif
