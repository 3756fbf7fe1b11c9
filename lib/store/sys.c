#include "lib/store/sys.h"

#include "lib/base/fault.h"
#include "lib/base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int
yb_sys_open(int dir_fd, const char *path, int flags)
{
    struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
    long fd;

    if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE)
        how.mode = 0600;
    do
        fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
    while (fd < 0 &&
           (errno == EINTR || errno == EAGAIN)); /* EAGAIN: a rename raced with the walk */
    return (int)fd;
}

int
yb_sys_open_message(int dir_fd, const char *name)
{
    int fd = yb_sys_open(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
        yb_sys_close(&fd);
        errno = ENOENT;
    } else if (fd < 0 && (errno == ELOOP || errno == ENXIO)) { /* a link, a socket */
        errno = ENOENT;
    }
    return fd;
}

int
yb_sys_mkdir(int dir_fd, const char *name)
{
    return mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

int
yb_sys_enter(int dir_fd, const char *name, bool create)
{
    int fd = yb_sys_open(dir_fd, name, O_RDONLY | O_DIRECTORY);

    if (fd >= 0 || errno != ENOENT || !create || yb_sys_mkdir(dir_fd, name) < 0)
        return fd;
    return yb_sys_open(dir_fd, name, O_RDONLY | O_DIRECTORY);
}

int
yb_sys_pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (yb_fault_fails("store.write"))
        return -1;
    return yb_pwrite_all(fd, yb_str(p, n), at);
}

int
yb_sys_writev(int fd, const struct iovec *v, int n, uint64_t *written)
{
    for (int i = 0; i < n;) {
        int few = n - i < 64 ? n - i : 64;
        ssize_t got = yb_fault_fails("store.write") ? -1 : writev(fd, v + i, few);
        size_t left;

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        *written += (uint64_t)got;
        left = (size_t)got;
        while (i < n && left >= v[i].iov_len)
            left -= v[i++].iov_len;
        if (left == 0)
            continue;
        /* A short write inside v[i]: the rest of it, then on with the next. */
        if (yb_write_all(fd, yb_str((char *)v[i].iov_base + left, v[i].iov_len - left)) < 0)
            return -1;
        *written += v[i++].iov_len - left;
    }
    return 0;
}

int
yb_sys_fsync(int fd)
{
    return yb_fault_fails("store.fsync") ? -1 : fsync(fd);
}

int
yb_sys_fdatasync(int fd)
{
    return yb_fault_fails("store.fsync") ? -1 : fdatasync(fd);
}

int
yb_sys_syncfs(int fd)
{
    return yb_fault_fails("store.fsync") ? -1 : syncfs(fd);
}

int
yb_sys_write_out(int fd)
{
    const unsigned how =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

    return yb_fault_fails("store.fsync") ? -1 : sync_file_range(fd, 0, 0, how);
}

int
yb_sys_link_fd(int fd, int dir_fd, const char *name)
{
    char path[40];

    if (yb_fault_fails("store.link"))
        return -1;
    /* Newer kernels let the opener of an unnamed file link it; older ones want the way by /proc. */
    if (linkat(fd, "", dir_fd, name, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != ENOENT && errno != EPERM)
        return -1;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, path, dir_fd, name, AT_SYMLINK_FOLLOW);
}

int
yb_sys_link(int from_fd, const char *from, int to_fd, const char *to)
{
    return yb_fault_fails("store.link") ? -1 : linkat(from_fd, from, to_fd, to, 0);
}

int
yb_sys_rename(int from_fd, const char *from, int to_fd, const char *to)
{
    if (yb_fault_fails("store.rename"))
        return -1;
    if (renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    /* A file system without RENAME_NOREPLACE: names hold random ids, only a look is left. */
    if (faccessat(to_fd, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(from_fd, from, to_fd, to);
}

int
yb_sys_second_name(int from_fd, const char *from, int to_fd, const char *to)
{
    return yb_fault_fails("store.rename") ? -1 : linkat(from_fd, from, to_fd, to, 0);
}

int
yb_sys_replace(int dir_fd, const char *from, const char *to)
{
    return yb_fault_fails("store.rename") ? -1 : renameat(dir_fd, from, dir_fd, to);
}

int
yb_sys_unlink(int dir_fd, const char *name)
{
    return yb_fault_fails("store.unlink") ? -1 : unlinkat(dir_fd, name, 0);
}

int64_t
yb_sys_mtime(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -1;
    return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

bool
yb_sys_scarce(int sys)
{
    return sys == EMFILE || sys == ENFILE || sys == ENOMEM;
}

struct yb_file_id
yb_sys_id(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return (struct yb_file_id){ 0 };
    return (struct yb_file_id){ st.st_dev, st.st_ino };
}

bool
yb_sys_id_eq(struct yb_file_id a, struct yb_file_id b)
{
    return a.ino == b.ino && a.dev == b.dev;
}

bool
yb_sys_is(int dir_fd, const char *name, struct yb_file_id id)
{
    struct stat st;

    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == id.ino &&
           st.st_dev == id.dev;
}

bool
yb_sys_same(int dir_fd, const char *name, int fd)
{
    struct stat named, open;

    return fstatat(dir_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &open) == 0 &&
           named.st_ino == open.st_ino && named.st_dev == open.st_dev;
}

bool
yb_sys_same_file(int fd, int other)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && fstat(other, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

#define BOOT_TEXT 36 /* 8-4-4-4-12 hex digits */

static bool
boot_read(const char *path, uint8_t id[YB_ID_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[BOOT_TEXT];
    size_t n = 0;
    bool whole = fd >= 0 && yb_pread_full(fd, text, sizeof(text), 0) == sizeof(text);

    for (size_t i = 0; whole && i < sizeof(text); i++) {
        if (text[i] != '-')
            text[n++] = text[i];
    }
    yb_sys_close(&fd);
    return whole && yb_unhex(yb_str(text, n), id, YB_ID_BYTES);
}

bool
yb_sys_boot_id(const char *path, uint8_t id[YB_ID_BYTES])
{
    const char *told = yb_fault_setting("YB_BOOT_ID");

    if ((told != NULL && yb_unhex(yb_str_from(told), id, YB_ID_BYTES)) || boot_read(path, id))
        return true;
    yb_random(id, YB_ID_BYTES);
    return false;
}

int
yb_sys_remove_tree(int dir_fd, const char *name, int depth)
{
    int fd = yb_sys_open(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int rc = 0;

    if (dir == NULL) {
        yb_sys_close(&fd);
        return errno == ENOENT ? 0 : -1;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, e->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (depth > 0 && (errno == EISDIR || errno == EPERM))
            rc |= yb_sys_remove_tree(fd, e->d_name, depth - 1);
        else
            rc = -1;
    }
    closedir(dir);
    return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -1 : rc;
}

int
yb_sys_read_file(int dir_fd, const char *name, size_t limit, char **data, size_t *size)
{
    int fd = yb_sys_open(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), saved;
    struct stat st;
    ssize_t n = -1;

    if (fd < 0)
        return -1;
    errno = EISDIR; /* or whatever it is: no file */
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        size_t want = st.st_size < (off_t)limit ? (size_t)st.st_size : limit;

        *data = yb_alloc(want + 1, 1);
        n = yb_pread_full(fd, *data, want, 0);
        if (n < 0)
            yb_free(*data);
        *size = (size_t)n;
    }
    saved = errno;
    close(fd);
    errno = saved;
    return n < 0 ? -1 : 0;
}

int
yb_sys_write_file(int dir_fd, const char *name, const void *p, size_t n)
{
    char tmp[300];
    int fd, rc = -1;

    snprintf(tmp, sizeof(tmp), "%s.tmp", name);
    fd = yb_sys_open(dir_fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    if (yb_sys_pwrite(fd, p, n, 0) == 0 && yb_sys_fdatasync(fd) == 0 &&
        yb_sys_replace(dir_fd, tmp, name) == 0)
        rc = yb_sys_fsync(dir_fd);
    close(fd);
    return rc;
}

void
yb_sys_close(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}
