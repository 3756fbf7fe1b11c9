/*
 * libyb_watch.so: preloaded into the daemons by the power-cut tests. It writes down, in the order
 * in which they happened, every change below $YB_WATCH_ROOT, every sync with the bytes it made
 * durable, and every answer that promises something. powercut.py reads the record and knows what
 * would be on disk had the power gone at any moment.
 *
 * $YB_WATCH/log has one line per event, fields by tabs, names in hex, files by inode number:
 *   M parent name ino        directory made          C parent name ino     file created
 *   L parent name ino        linked                  U parent name ino     name removed
 *   R parent name parent name ino   renamed          D ino                 bytes or size changed
 *   S ino snapshot           synced (fsync, fdatasync) with the bytes in $YB_WATCH/snapshot
 *   G ino snapshot           written out (sync_file_range)
 *   F                        all names of the file system synced (syncfs)
 *   A text                   a line of an answer
 * A sync's bytes are copied before the call and written down after it: what changes between counts
 * as not durable. The log is opened for append; a write is one line, so processes may share it.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
/* The library's own function behind ours. */
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int log_fd = -1;
static char folder[PATH_MAX - 64], root[PATH_MAX];
static atomic_uint snapshots;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
watch_start(void)
{
    const char *to = getenv("YB_WATCH"), *below = getenv("YB_WATCH_ROOT");
    char path[PATH_MAX];

    if (to == NULL || below == NULL)
        return;
    snprintf(folder, sizeof(folder), "%s", to);
    snprintf(root, sizeof(root), "%s", below);
    snprintf(path, sizeof(path), "%s/log", to);
    log_fd = NEXT(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

static bool
watching(void)
{
    pthread_once(&once, watch_start);
    return log_fd >= 0;
}

__attribute__((format(printf, 1, 2))) static void
note(const char *fmt, ...)
{
    char line[2048];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(line, sizeof(line) - 1, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(line) - 1)
        abort();
    line[n] = '\n';
    if (NEXT(write)(log_fd, line, (size_t)n + 1) != n + 1)
        abort();
}

static char *
hex(const char *name, char *out)
{
    size_t n = 0;

    for (; *name != '\0' && n < 2 * NAME_MAX; name++)
        n += (size_t)snprintf(out + n, 3, "%02x", (unsigned char)*name);
    out[n] = '\0';
    return out;
}

/* A name below the root: its parent directory's inode and its last component. */
struct place {
    ino_t parent;
    char name[2 * NAME_MAX + 1]; /* in hex */
};

static bool
place_of(int dir, const char *path, struct place *p)
{
    char full[2 * PATH_MAX], link[64], *slash;
    struct stat st;
    ssize_t n = 0;

    if (path[0] != '/') {
        snprintf(link, sizeof(link), dir == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", dir);
        n = readlink(link, full, PATH_MAX - 1);
        if (n < 0)
            return false;
        full[n++] = '/';
    }
    snprintf(full + n, sizeof(full) - (size_t)n, "%s", path);
    if (strncmp(full, root, strlen(root)) != 0)
        return false;
    slash = strrchr(full, '/');
    *slash = '\0';
    if (stat(full, &st) < 0)
        return false;
    p->parent = st.st_ino;
    hex(slash + 1, p->name);
    return true;
}

/* The inode of an open file below the root (unnamed ones too), or 0. */
static ino_t
inode_of(int fd)
{
    char link[64], path[PATH_MAX];
    struct stat st;
    ssize_t n;

    if (!watching() || fstat(fd, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
        return 0;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    if (n < 0)
        return 0;
    path[n] = '\0';
    return strncmp(path, root, strlen(root)) == 0 ? st.st_ino : 0;
}

static void
changed(int fd)
{
    ino_t ino = inode_of(fd);

    if (ino != 0)
        note("D\t%lu", (unsigned long)ino);
}

/* Copies a file's bytes into a new snapshot; directories have none. Returns its name. */
static void
snapshot(int fd, char name[64])
{
    char path[PATH_MAX], bytes[65536], self[64];
    struct stat st;
    int from, to;
    ssize_t n;

    snprintf(name, 64, "-");
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    snprintf(name, 64, "%d.%u", getpid(), atomic_fetch_add(&snapshots, 1));
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    from = NEXT(open)(self, O_RDONLY | O_CLOEXEC);
    to = NEXT(open)(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (from < 0 || to < 0)
        abort();
    while ((n = read(from, bytes, sizeof(bytes))) > 0) {
        if (NEXT(write)(to, bytes, (size_t)n) != n)
            abort();
    }
    close(from);
    close(to);
}

/* --- files made and opened --- */

static bool
exists(int dir, const char *path)
{
    struct stat st;

    return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
opened(int dir, const char *path, int flags, bool existed, int fd)
{
    struct place p;
    struct stat st;

    if (fd < 0 || !watching())
        return;
    if ((flags & O_CREAT) != 0 && !existed && place_of(dir, path, &p) && fstat(fd, &st) == 0)
        note("C\t%lu\t%s\t%lu", (unsigned long)p.parent, p.name, (unsigned long)st.st_ino);
    if ((flags & (O_TRUNC | O_TMPFILE)) != 0)
        changed(fd);
}

static int
watch_open(int dir, const char *path, int flags, mode_t mode)
{
    bool existed = watching() && exists(dir, path);
    int fd = NEXT(openat)(dir, path, flags, mode);

    opened(dir, path, flags, existed, fd);
    return fd;
}

EXPORT int
openat(int dir, const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
    return watch_open(dir, path, flags, mode);
}

EXPORT int
openat64(int dir, const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
    return watch_open(dir, path, flags, mode);
}

EXPORT int
open(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
    return watch_open(AT_FDCWD, path, flags, mode);
}

EXPORT int
open64(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
    return watch_open(AT_FDCWD, path, flags, mode);
}

/* openat2() has no wrapper in the C library: it comes this way. */
EXPORT long
syscall(long number, ...)
{
    long a[6], rc;
    bool existed = false;
    va_list args;

    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (number == SYS_openat2 && watching())
        existed = exists((int)a[0], (const char *)(intptr_t)a[1]);
    rc = NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (number == SYS_openat2) {
        const struct open_how *how = (const void *)(intptr_t)a[2];

        opened((int)a[0], (const char *)(intptr_t)a[1], (int)how->flags, existed, (int)rc);
    }
    return rc;
}

/* --- names --- */

EXPORT int
mkdirat(int dir, const char *path, mode_t mode)
{
    int rc = NEXT(mkdirat)(dir, path, mode);
    struct place p;
    struct stat st;

    if (rc == 0 && watching() && place_of(dir, path, &p) && fstatat(dir, path, &st, 0) == 0)
        note("M\t%lu\t%s\t%lu", (unsigned long)p.parent, p.name, (unsigned long)st.st_ino);
    return rc;
}

EXPORT int
mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

EXPORT int
linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    int rc = NEXT(linkat)(from_dir, from, to_dir, to, flags);
    struct place p;
    struct stat st;

    if (rc == 0 && watching() && place_of(to_dir, to, &p) && fstatat(to_dir, to, &st, 0) == 0)
        note("L\t%lu\t%s\t%lu", (unsigned long)p.parent, p.name, (unsigned long)st.st_ino);
    return rc;
}

EXPORT int
link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT int
unlinkat(int dir, const char *path, int flags)
{
    struct place p;
    struct stat st = { 0 };
    bool ours =
        watching() && fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && place_of(dir, path, &p);
    int rc = NEXT(unlinkat)(dir, path, flags);

    if (rc == 0 && ours)
        note("U\t%lu\t%s\t%lu", (unsigned long)p.parent, p.name, (unsigned long)st.st_ino);
    return rc;
}

EXPORT int
unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int
rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

EXPORT int
renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    struct place a, b;
    struct stat st = { 0 };
    bool ours = watching() && fstatat(from_dir, from, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                place_of(from_dir, from, &a) && place_of(to_dir, to, &b);
    int rc = NEXT(renameat2)(from_dir, from, to_dir, to, flags);

    if (rc == 0 && ours)
        note("R\t%lu\t%s\t%lu\t%s\t%lu", (unsigned long)a.parent, a.name, (unsigned long)b.parent,
             b.name, (unsigned long)st.st_ino);
    return rc;
}

EXPORT int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return renameat2(from_dir, from, to_dir, to, 0);
}

EXPORT int
rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* --- bytes --- */

/* The lines of an answer that may promise something. */
static void
answered(const char *bytes, size_t n)
{
    while (n > 0) {
        const char *end = memchr(bytes, '\n', n);
        size_t line = end == NULL ? n : (size_t)(end - bytes);
        size_t text = line > 0 && bytes[line - 1] == '\r' ? line - 1 : line;

        if (text >= 3 && text < 400 && memchr(bytes, '\t', text) == NULL)
            note("A\t%.*s", (int)text, bytes);
        if (end == NULL)
            return;
        bytes += line + 1;
        n -= line + 1;
    }
}

static bool
is_socket(int fd)
{
    struct stat st;

    return watching() && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

EXPORT ssize_t
write(int fd, const void *bytes, size_t n)
{
    ssize_t rc;

    if (is_socket(fd))
        answered(bytes, n);
    rc = NEXT(write)(fd, bytes, n);
    if (rc > 0)
        changed(fd);
    return rc;
}

EXPORT ssize_t
writev(int fd, const struct iovec *v, int n)
{
    ssize_t rc;

    for (int i = 0; i < n && is_socket(fd); i++)
        answered(v[i].iov_base, v[i].iov_len);
    rc = NEXT(writev)(fd, v, n);
    if (rc > 0)
        changed(fd);
    return rc;
}

EXPORT ssize_t
send(int fd, const void *bytes, size_t n, int flags)
{
    if (is_socket(fd))
        answered(bytes, n);
    return NEXT(send)(fd, bytes, n, flags);
}

EXPORT ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
    for (size_t i = 0; i < m->msg_iovlen && is_socket(fd); i++)
        answered(m->msg_iov[i].iov_base, m->msg_iov[i].iov_len);
    return NEXT(sendmsg)(fd, m, flags);
}

/* TLS: what is answered is told before it is encrypted. */
int SSL_write(void *ssl, const void *bytes, int n);
int SSL_write_ex(void *ssl, const void *bytes, size_t n, size_t *written);

EXPORT int
SSL_write(void *ssl, const void *bytes, int n)
{
    if (watching() && n > 0)
        answered(bytes, (size_t)n);
    return NEXT(SSL_write)(ssl, bytes, n);
}

EXPORT int
SSL_write_ex(void *ssl, const void *bytes, size_t n, size_t *written)
{
    if (watching())
        answered(bytes, n);
    return NEXT(SSL_write_ex)(ssl, bytes, n, written);
}

#define CHANGES(call, type, fd)                                                                    \
    type rc = call;                                                                                \
    if (rc >= 0)                                                                                   \
        changed(fd);                                                                               \
    return rc

EXPORT ssize_t
pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    CHANGES(NEXT(pwrite)(fd, bytes, n, at), ssize_t, fd);
}

EXPORT ssize_t
pwrite64(int fd, const void *bytes, size_t n, off_t at)
{
    CHANGES(NEXT(pwrite)(fd, bytes, n, at), ssize_t, fd);
}

EXPORT ssize_t
pwritev(int fd, const struct iovec *v, int n, off_t at)
{
    CHANGES(NEXT(pwritev)(fd, v, n, at), ssize_t, fd);
}

EXPORT int
ftruncate(int fd, off_t size)
{
    CHANGES(NEXT(ftruncate)(fd, size), int, fd);
}

EXPORT int
fallocate(int fd, int mode, off_t at, off_t n)
{
    CHANGES(NEXT(fallocate)(fd, mode, at, n), int, fd);
}

EXPORT ssize_t
copy_file_range(int in, off_t *in_at, int out, off_t *out_at, size_t n, unsigned flags)
{
    CHANGES(NEXT(copy_file_range)(in, in_at, out, out_at, n, flags), ssize_t, out);
}

EXPORT ssize_t
sendfile(int out, int in, off_t *at, size_t n)
{
    ssize_t (*next)(int, int, off_t *, size_t) =
        (ssize_t(*)(int, int, off_t *, size_t))dlsym(RTLD_NEXT, "sendfile");

    CHANGES(next(out, in, at, n), ssize_t, out);
}

/* --- syncs --- */

/* $YB_WATCH_NO_SYNC: the control of the test itself; the calls do nothing, and are not written
 * down. */
static bool
syncs_off(void)
{
    return getenv("YB_WATCH_NO_SYNC") != NULL;
}

static int
watch_sync(int fd, int (*next)(int fd))
{
    ino_t ino = inode_of(fd);
    char name[64];
    int rc;

    if (ino == 0)
        return next(fd);
    if (syncs_off())
        return 0;
    snapshot(fd, name);
    rc = next(fd);
    if (rc == 0)
        note("S\t%lu\t%s", (unsigned long)ino, name);
    return rc;
}

EXPORT int
fsync(int fd)
{
    return watch_sync(fd, NEXT(fsync));
}

EXPORT int
fdatasync(int fd)
{
    return watch_sync(fd, NEXT(fdatasync));
}

EXPORT int
syncfs(int fd)
{
    int rc;

    if (inode_of(fd) == 0)
        return NEXT(syncfs)(fd);
    if (syncs_off())
        return 0;
    rc = NEXT(syncfs)(fd);
    if (rc == 0)
        note("F");
    return rc;
}

EXPORT int
sync_file_range(int fd, off_t at, off_t n, unsigned flags)
{
    ino_t ino = inode_of(fd);
    char name[64];
    int rc;

    if (ino == 0)
        return NEXT(sync_file_range)(fd, at, n, flags);
    if (syncs_off())
        return 0;
    snapshot(fd, name);
    rc = NEXT(sync_file_range)(fd, at, n, flags);
    if (rc == 0)
        note("G\t%lu\t%s", (unsigned long)ino, name);
    return rc;
}
