/*
 * The highest floor of lib/store: what lives as long as the store is open, and what is done to look
 * after it.
 */
#ifndef YB_STORE_LIFE_H
#define YB_STORE_LIFE_H

#include "lib/store/deeds.h"

/* --- listen.c --- */
int yb_notify_start(struct yb_store *s, struct yb_err *err) YB_MUST_USE;
void yb_notify_stop(struct yb_store *s);

/* --- watch.c; for the thread of listen.c --- */
/* What inotify has to say. */
void yb_watch_hear(struct yb_notify *n);
/* Looks at the mailboxes whose time has come; *left_ms until the next one, -1: none. */
void yb_watch_look(struct yb_notify *n, int64_t *left_ms);

/* --- tidy.c --- */
int yb_tidy_start(struct yb_store *s, struct yb_err *err) YB_MUST_USE;
/* The orderly stop: one sync, then every mailbox this process changed is marked clean. */
void yb_tidy_stop(struct yb_store *s);

#endif
