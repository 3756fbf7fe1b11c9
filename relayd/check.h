/*
 * The look through the whole database after the machine went down while it was open, in a thread of
 * its own, because 20 GB take minutes: nobody waits for it.
 */
#ifndef RELAYD_CHECK_H
#define RELAYD_CHECK_H

#include "relayd/writer.h"

struct relayd_check;

/* Begins; the writer, which hears of damage, outlives it. */
int relayd_check_new(const char *dir, struct relayd_writer *w, uint64_t wal_bytes,
                     struct relayd_check **c, struct yb_err *err) YB_MUST_USE;
/* Ends it. True: it had come to its end before. *c may be NULL: true. */
bool relayd_check_free(struct relayd_check **c);
/* Is it still under way? NULL: no. */
bool relayd_check_runs(const struct relayd_check *c);

#endif
