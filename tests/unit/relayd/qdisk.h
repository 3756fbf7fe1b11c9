/*
 * A disk under SQLite that fails when it is told to, and that writes down what was written and synced,
 * so that the files can be made anew as a power cut would have left them. It stands between SQLite
 * and its own access to files; one process, any thread.
 */
#ifndef YB_TEST_RELAYD_QDISK_H
#define YB_TEST_RELAYD_QDISK_H

#include "lib/base/base.h"

enum qdisk_call { QDISK_NONE, QDISK_WRITE, QDISK_SYNC };

/* Every connection that is opened from now on goes through it. */
void qdisk_install(void);
/* The n-th call from now, and all after it, fail with this result of SQLite; the octets of a write that
 * fails, and all before a sync that fails, are in the file all the same. */
void qdisk_fail(enum qdisk_call call, long n, int rc);
/* Has it come to that? */
bool qdisk_failed(void);

/* Writes down from now on; files are told apart by the end of their name. */
void qdisk_record(void);
/* How much is written down so far. */
size_t qdisk_at(void);
/* Makes the files in the folder as a cut after the first `at` calls leaves them: what was synced is
 * there, of the writes after that each is there, is not, or is half there, by `seed`. */
void qdisk_cut(const char *folder, size_t at, unsigned seed);

#endif
