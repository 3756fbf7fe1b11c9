/*
 * `yubin-uid`: what a mailbox may never forget. Two checksummed slots in sectors of their own are
 * written in turn and synced; the readable one with the higher sequence counts. No UID or MODSEQ at
 * or above a ceiling is given before a higher one is on disk. The digit in the magic word is the
 * version; the first form is read, and what is written next is of this one.
 */
#ifndef YB_STORE_UIDFILE_H
#define YB_STORE_UIDFILE_H

#include "lib/base/err.h"

#define YB_UID_AHEAD 1024
#define YB_UID_LEFT 128
#define YB_MODSEQ_AHEAD 65536
#define YB_MODSEQ_LEFT 8192

struct yb_uidfile {
    uint32_t uidvalidity, uid_ceiling;
    uint64_t modseq_ceiling;
    bool old; /* as read: a slot is of the first form */
};

/* True and *out when a slot is readable; false when both are not, or there is no file. An I/O error
 * is an error: -1. Returns 1, 0 or -1. */
int yb_uidfile_read(int dir_fd, struct yb_uidfile *out, struct yb_err *err) YB_MUST_USE;
/* A new file (with the folder synced) for a mailbox without a readable one. */
int yb_uidfile_create(int dir_fd, const struct yb_uidfile *first, struct yb_err *err) YB_MUST_USE;
/*
 * Makes the ceilings at least those given and syncs them; processes take turns by flock() on the
 * file. *u becomes what the file says. PERM when the file is lost, unreadable or another mailbox's.
 */
int yb_uidfile_raise(int dir_fd, struct yb_uidfile *u, uint32_t uid_ceiling,
                     uint64_t modseq_ceiling, struct yb_err *err) YB_MUST_USE;

#endif
