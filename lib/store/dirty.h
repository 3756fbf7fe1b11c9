/*
 * Which mailboxes this process has changed since they were last synced (tidy.c does that).
 */
#ifndef YB_STORE_DIRTY_H
#define YB_STORE_DIRTY_H

#include "lib/store/handles.h"

struct yb_noted {
    struct yb_account_id account;
    struct yb_folder_dir dir;
    int64_t last_ms;
    uint64_t changes; /* the head's count after our last change */
};

struct yb_tidy {
    struct yb_store *store;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t stop;
    bool stopping;
    struct yb_map *noted;
};

/* This process changed the mailbox: it is cleaned when it has been quiet. */
void yb_tidy_note(struct yb_mailbox *m);
/* Takes up to `max` entries that were quiet until `before_ms`; returns how many. */
size_t yb_dirty_take(struct yb_tidy *t, int64_t before_ms, struct yb_noted *out, size_t max);

#endif
