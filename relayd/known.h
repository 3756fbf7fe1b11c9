/*
 * Which delivery ids are in the queue, and which were in it lately: what XREPEAT is judged by. A map
 * in memory, as large as the queue and what was done within `done_ms`, and the times at which rows of
 * the table `done` were appended, by this process's monotonic clock: a wall clock that jumps empties
 * nothing. Changes since relayd_known_mark() can be taken back. One owner: the writer.
 */
#ifndef RELAYD_KNOWN_H
#define RELAYD_KNOWN_H

#include "lib/base/id.h"

struct relayd_known;

/* Empty. `keep_ms`, `most`: how long, and how many at most, are remembered after they are done. */
struct relayd_known *relayd_known_new(int64_t keep_ms, uint64_t most) YB_MUST_USE;
void relayd_known_free(struct relayd_known **k);
/* Is it queued, or was it done lately? */
bool relayd_known_has(const struct relayd_known *k, struct yb_delivery_id id) YB_MUST_USE;
/* It is in the queue from now on. */
void relayd_known_queued(struct relayd_known *k, struct yb_delivery_id id);
/* It is out of the queue, and remembered as number `s` of `done`, which is one more than the last. */
void relayd_known_done(struct relayd_known *k, struct yb_delivery_id id, uint64_t s,
                       int64_t now_ms);
/* Row `s` of `done` is gone; an id that is queued again stays. */
void relayd_known_forget(struct relayd_known *k, struct yb_delivery_id id, uint64_t s);
/* The number of the next row of `done`. */
uint64_t relayd_known_next(const struct relayd_known *k);
/* Rows of `done` up to this number are to go; 0: none. */
uint64_t relayd_known_due(const struct relayd_known *k, int64_t now_ms);
/* When the next will be due; -1: there is none. */
int64_t relayd_known_due_ms(const struct relayd_known *k);
/* Rows of `done` that are remembered. */
uint64_t relayd_known_done_count(const struct relayd_known *k);

/* From here on changes can be undone; the mark before is forgotten. */
void relayd_known_mark(struct relayd_known *k);
/* As it was at the mark. */
void relayd_known_undo(struct relayd_known *k);

#endif
