/*
 * The system calls of lib/store in the one form we use them: below a descriptor, without following
 * symbolic links, files 0600, folders 0700. Syncs are plain fsync(), fdatasync() and
 * sync_file_range(), so that a test can watch them. Fault points: store.write, store.fsync,
 * store.link, store.rename, store.unlink.
 */
#ifndef YB_STORE_SYS_H
#define YB_STORE_SYS_H

#include "lib/base/err.h"
#include "lib/base/id.h"

#include <sys/types.h>
#include <sys/uio.h>

/* openat2() with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS and O_CLOEXEC; -1 with errno. */
int yb_sys_open(int dir_fd, const char *path, int flags);
/* A file for reading that a name of ours leads to; anything else of that name is ENOENT, and nobody
 * waits for it. -1 with errno. */
int yb_sys_open_message(int dir_fd, const char *name);
/* Makes a folder; one that is there is fine. -1 with errno. */
int yb_sys_mkdir(int dir_fd, const char *name);
/* Opens a folder, made when it is not there and `create` is set. It is opened first: to make what is
 * there already would lock the folder above for nothing. -1 with errno. */
int yb_sys_enter(int dir_fd, const char *name, bool create);
/* All bytes at `at`; -1 with errno. */
int yb_sys_pwrite(int fd, const void *p, size_t n, off_t at);
int yb_sys_writev(int fd, const struct iovec *v, int n, uint64_t *written);
int yb_sys_fsync(int fd);
int yb_sys_fdatasync(int fd);
/* Everything of the file system that fd is on: rare. */
int yb_sys_syncfs(int fd);
/* The data of a new file to the disk, without its name (sync_file_range). */
int yb_sys_write_out(int fd);
/* Gives the unnamed file `fd` a name; never overwrites. */
int yb_sys_link_fd(int fd, int dir_fd, const char *name);
int yb_sys_link(int from_fd, const char *from, int to_fd, const char *to);
/* Never overwrites. */
int yb_sys_rename(int from_fd, const char *from, int to_fd, const char *to);
/* The first half of a rename that keeps the old name for now; never overwrites. */
int yb_sys_second_name(int from_fd, const char *from, int to_fd, const char *to);
/* Overwrites. */
int yb_sys_replace(int dir_fd, const char *from, const char *to);
int yb_sys_unlink(int dir_fd, const char *name);
/* Time of the last change of a folder, nanoseconds since 1970; -1 when it cannot be told. */
int64_t yb_sys_mtime(int fd);
/* True for an errno that is about this process or machine, not about the file: out of descriptors
 * or memory. */
bool yb_sys_scarce(int sys);
/* What tells a file or folder from all others, as long as somebody has it open. */
struct yb_file_id {
    dev_t dev;
    ino_t ino;
};
/* Of an open file; all zero when it cannot be told. */
struct yb_file_id yb_sys_id(int fd);
/* Is it what this name, itself no symbolic link, leads to? */
bool yb_sys_is(int dir_fd, const char *name, struct yb_file_id id);
bool yb_sys_id_eq(struct yb_file_id a, struct yb_file_id b);
/* True when this name leads to the open file. */
bool yb_sys_same(int dir_fd, const char *name, int fd);
/* True when both descriptors are open on the same file or folder. */
bool yb_sys_same_file(int fd, int other);
#define YB_BOOT_FILE "/proc/sys/kernel/random/boot_id"
/* The kernel's id of this boot, as it stands in `path`. False: it cannot be read; then `id` is random,
 * which no other process and no later boot takes for its own. */
bool yb_sys_boot_id(const char *path, uint8_t id[YB_ID_BYTES]);
/* Removes a folder with all it holds, two levels deep, whatever it is; -1 with errno. */
int yb_sys_remove_tree(int dir_fd, const char *name, int depth);
/* A whole small file (at most `limit` bytes) below dir_fd for yb_free(); -1 with errno. */
int yb_sys_read_file(int dir_fd, const char *name, size_t limit, char **data, size_t *size);
/* Writes name.tmp, syncs it, renames it to name and syncs the folder; -1 with errno. */
int yb_sys_write_file(int dir_fd, const char *name, const void *p, size_t n);
void yb_sys_close(int *fd);

#endif
