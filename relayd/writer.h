/*
 * The thread that changes the queue: takes all operations that wait as one transaction, then tells
 * each owner; between two of them it writes the log back, forgets what was done long ago, and gives
 * free pages back. It owns the writing connection and what is known of delivery ids.
 */
#ifndef RELAYD_WRITER_H
#define RELAYD_WRITER_H

#include "relayd/apply.h"
#include "relayd/body.h"
#include "relayd/disk.h"

struct relayd_writer;

/* What it works with; all of it outlives the writer. */
struct relayd_writer_conf {
    struct relayd_db *db;
    struct relayd_known *known;
    struct relayd_room *room;
    struct relayd_disk *disk;
    const struct relayd_bodies *bodies;
    uint64_t wal_bytes;
    int64_t idle_ms;
    struct relayd_queue_owner owner;
    const struct yb_err *damaged; /* found before it began; NULL: nothing was */
};

/* The thread begins. */
int relayd_writer_new(const struct relayd_writer_conf *conf, struct relayd_writer **w,
                      struct yb_err *err) YB_MUST_USE;
/* Ends it, after all that was posted. False: what is on disk is not known to be sound. */
bool relayd_writer_free(struct relayd_writer **w);
/* Returns when it is committed, or will never be: then -1. If all recipients are known already nothing
 * is written. */
int relayd_writer_put(struct relayd_writer *w, struct relayd_put *put,
                      struct yb_err *err) YB_MUST_USE;
/* The op is copied. */
void relayd_writer_post(struct relayd_writer *w, const struct relayd_op *op);
/* The database is found to be damaged: nothing is changed from now on. Any thread. */
void relayd_writer_damaged(struct relayd_writer *w, const struct yb_err *why);
bool relayd_writer_is_damaged(struct relayd_writer *w);
/* Bytes that stand in the log. */
uint64_t relayd_writer_wal_bytes(const struct relayd_writer *w);
/* commits, ops, checkpoints, busy_checkpoints, longest_commit_us, done. */
void relayd_writer_stats(struct relayd_writer *w, struct relayd_queue_stats *out);

#endif
