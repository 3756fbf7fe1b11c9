/*
 * The folder of the queue: made, locked, on a file system that keeps what it is told, with its
 * ballast: blocks that are given up when the disk is full, so that results can always be recorded.
 * The ballast is the writer's; the rest any thread's.
 */
#ifndef RELAYD_DISK_H
#define RELAYD_DISK_H

#include "lib/base/err.h"

#include <stdatomic.h>

struct relayd_disk {
    int dir_fd, lock_fd, ballast_fd;
    char *dir;
    uint64_t reserve, ballast;
    atomic_bool has_ballast;
    bool released;               /* that it was given up is told; its return is too */
    _Atomic uint64_t free_bytes; /* as of looked_ms */
    _Atomic int64_t looked_ms;
};

/* Is a file system of this kind (statfs) another machine's? SQLite's shared memory and locks do not
 * reach that far. */
bool relayd_disk_is_remote(unsigned magic);
/* Makes the folder when it is missing, and takes its lock. -1: YB_TEMP, with what to do. */
int relayd_disk_open(struct relayd_disk *d, const char *dir, uint64_t reserve, uint64_t ballast,
                     struct yb_err *err) YB_MUST_USE;
void relayd_disk_close(struct relayd_disk *d);
/* Are there, beside the reserve, so many bytes for intake, and the ballast in place? -1: YB_TEMP,
 * YB_ERR_FULL 4.3.1. */
int relayd_disk_room(struct relayd_disk *d, uint64_t bytes, struct yb_err *err) YB_MUST_USE;
/* Is there less than the ballast would give? */
bool relayd_disk_is_full(struct relayd_disk *d);
/* Gives the ballast up. False: it was gone already. */
bool relayd_disk_release(struct relayd_disk *d);
/* Takes it back if that leaves the reserve, and as much again, so that it does not come and go. */
void relayd_disk_retake(struct relayd_disk *d);

#endif
