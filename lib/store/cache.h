/*
 * The file yubin-cache of an open mailbox, and what waits in memory to be written to it.
 */
#ifndef YB_STORE_CACHE_H
#define YB_STORE_CACHE_H

#include "lib/store/handles.h"

#define YB_CACHED_MOST 64 /* entries that wait */

struct yb_cached {
    uint32_t uid, place;
    uint32_t at; /* among the octets that wait */
};

void yb_mailbox_cache_free(struct yb_mailbox *m);
/* How many entries wait, and their octets. */
size_t yb_cache_waiting(struct yb_mailbox *m, size_t *octets);
/* An entry waits from now on; true when they are many enough to be written. */
bool yb_cache_wait(struct yb_mailbox *m, const struct yb_record *r, struct yb_str data);
/* m->mutex held: what waits is written, goes into the table, and out to the caller. */
size_t yb_cache_take(struct yb_mailbox *m, struct yb_cached out[YB_CACHED_MOST]);
/* Under the account lock: leaves out of the file what no living record of `slots`, which is to be
 * the new index, leads to; the records lead into the new file. When that fails nothing changes. */
void yb_cache_compact(struct yb_mailbox *m, struct yb_index_slot *slots, size_t n);
/* The same for a file of the first form; when that fails it is removed. */
void yb_cache_renew(struct yb_mailbox *m, struct yb_index_slot *slots, size_t n);
/* Under the account lock: the index was made anew, so nothing leads to what is cached. */
void yb_cache_reset(struct yb_mailbox *m);

#endif
