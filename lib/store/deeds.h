/*
 * The fourth floor of lib/store: what is done to mailboxes. Most of it is in store.h; this is what
 * the deeds do for each other and for the floor above.
 */
#ifndef YB_STORE_DEEDS_H
#define YB_STORE_DEEDS_H

#include "lib/base/arena.h"
#include "lib/store/truth.h"

/* --- expunge.c --- */
/* Not under the lock: takes a message out again that was never answered for, and forgets its id. */
void yb_expunge_one(struct yb_mailbox *m, uint32_t uid);

/* --- keywords.c --- */
/* Letters of names, made when missing. Not under the account lock. */
int yb_keywords_mask(struct yb_mailbox *m, const struct yb_str *names, size_t n, uint32_t *mask,
                     struct yb_err *err) YB_MUST_USE;

/* --- remember.c --- */
/* Not under the lock: places that are only in memory go into the records. */
void yb_cache_flush(struct yb_mailbox *m);

/* --- subscribe.c --- */
#define YB_SUBSCRIPTIONS "yubin-subscriptions"
#define YB_SPECIAL "yubin-special"
/* The lines of a small list file; "" when there is none. */
int yb_listfile_read(struct yb_store_account *a, const char *file, struct yb_arena *arena,
                     struct yb_str *out, struct yb_err *err) YB_MUST_USE;
struct yb_renamed {
    struct yb_str from, to; /* in their one form */
};
/* Under the account lock: special uses and subscriptions go with their mailbox. */
int yb_lists_renamed(struct yb_store_account *a, struct yb_renamed *names,
                     struct yb_err *err) YB_MUST_USE;

#endif
