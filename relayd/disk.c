#include "relayd/disk.h"

#include "lib/base/clock.h"
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

/* How long a look at the free space is good for: the reserve is far above what comes meanwhile. */
#define LOOK_MS 100

static const unsigned remote[] = {
    0x6969,     /* NFS */
    0x517b,     /* SMB */
    0xff534d42, /* CIFS */
    0xfe534d42, /* SMB2 */
    0x01021997, /* 9P */
    0x00c36400, /* Ceph */
    0x5346414f, /* AFS */
    0x6b414653, /* kAFS */
    0x73757245, /* Coda */
    0x0bd00bd0, /* Lustre */
    0x47504653, /* GPFS */
    0x01161970, /* GFS2 */
    0x7461636f, /* OCFS2 */
    0x65735546, /* FUSE: mostly another machine's, and never one that a sync is known to reach */
};

bool
relayd_disk_is_remote(unsigned magic)
{
    for (size_t i = 0; i < YB_COUNT(remote); i++) {
        if (remote[i] == magic)
            return true;
    }
    return false;
}

static int
look_at(int fd, const char *dir, struct yb_err *err)
{
    struct statfs fs;
    struct stat st;

    if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "look at the queue's folder %s", dir);
    if (relayd_disk_is_remote((unsigned)fs.f_type))
        return yb_err_inside(err, YB_TEMP, "4.3.0",
                             "the queue's folder %s lies on a network file system; it wants a disk "
                             "of this machine",
                             dir);
    if ((st.st_mode & 077) != 0 && fchmod(fd, 0700) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "make the queue's folder %s private", dir);
    return 0;
}

/* Every folder on the way that is missing is made; it is nobody else's. */
static int
make_folder(const char *dir)
{
    char *path = yb_dup(dir, strlen(dir));
    int rc = 0;

    for (char *slash = path + 1; rc == 0 && (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        rc = mkdir(path, 0700) < 0 && errno != EEXIST ? -1 : 0;
        *slash = '/';
    }
    if (rc == 0)
        rc = mkdir(path, 0700) < 0 && errno != EEXIST ? -1 : 0;
    yb_free(path);
    return rc;
}

static int
take_lock(struct relayd_disk *d, struct yb_err *err)
{
    d->lock_fd = openat(d->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (d->lock_fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open %s/lock", d->dir);
    if (flock(d->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "lock %s/lock", d->dir);
    yb_err_as(err, YB_ERR_IN_USE, YB_TEMP, "4.3.0",
              "another process works on the queue in %s: it has %s/lock", d->dir, d->dir);
    err->internal = true;
    return -1;
}

static int
take_ballast(struct relayd_disk *d, struct yb_err *err)
{
    struct stat st;

    d->ballast_fd = openat(d->dir_fd, "ballast", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (d->ballast_fd < 0 || fstat(d->ballast_fd, &st) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open %s/ballast", d->dir);
    atomic_store(&d->has_ballast, (uint64_t)st.st_blocks * 512 >= d->ballast);
    if (!atomic_load(&d->has_ballast))
        relayd_disk_retake(d);
    return 0;
}

int
relayd_disk_open(struct relayd_disk *d, const char *dir, uint64_t reserve, uint64_t ballast,
                 struct yb_err *err)
{
    *d = (struct relayd_disk){ .dir_fd = -1, .lock_fd = -1, .ballast_fd = -1 };
    d->dir = yb_dup(dir, strlen(dir));
    d->reserve = reserve;
    d->ballast = ballast;
    d->looked_ms = yb_clock_ms() - LOOK_MS;
    if (make_folder(dir) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "make the queue's folder %s", dir);
    d->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->dir_fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open the queue's folder %s", dir);
    if (look_at(d->dir_fd, dir, err) < 0 || take_lock(d, err) < 0)
        return -1;
    return take_ballast(d, err);
}

void
relayd_disk_close(struct relayd_disk *d)
{
    if (d->dir == NULL)
        return;
    yb_sys_close(&d->ballast_fd);
    yb_sys_close(&d->lock_fd);
    yb_sys_close(&d->dir_fd);
    yb_free(d->dir);
    d->dir = NULL;
}

static uint64_t
free_bytes(struct relayd_disk *d, bool now)
{
    struct statvfs vfs;

    if (now || yb_clock_ms() - atomic_load(&d->looked_ms) >= LOOK_MS) {
        if (fstatvfs(d->dir_fd, &vfs) < 0)
            return 0;
        atomic_store(&d->free_bytes, (uint64_t)vfs.f_bavail * vfs.f_frsize);
        atomic_store(&d->looked_ms, yb_clock_ms());
    }
    return atomic_load(&d->free_bytes);
}

int
relayd_disk_room(struct relayd_disk *d, uint64_t bytes, struct yb_err *err)
{
    uint64_t left = free_bytes(d, false);

    if (!atomic_load(&d->has_ballast) || left < d->reserve || left - d->reserve < bytes)
        return yb_err_as(err, YB_ERR_FULL, YB_TEMP, "4.3.1",
                         "Insufficient storage, try again later");
    return 0;
}

bool
relayd_disk_is_full(struct relayd_disk *d)
{
    return free_bytes(d, true) < d->ballast;
}

bool
relayd_disk_release(struct relayd_disk *d)
{
    if (!atomic_exchange(&d->has_ballast, false))
        return false;
    /* Blocks of a file that was cut come back once that is in the journal. */
    if (ftruncate(d->ballast_fd, 0) < 0 || fsync(d->ballast_fd) < 0)
        yb_log(YB_LOG_ERROR, NULL, "relayd.queue.full", "the ballast cannot be released: %s",
               strerror(errno));
    else
        yb_log(YB_LOG_ERROR, NULL, "relayd.queue.full",
               "the disk of %s is full: the ballast is released, nothing new is taken", d->dir);
    d->released = true;
    yb_fault("relay.ballast");
    return true;
}

void
relayd_disk_retake(struct relayd_disk *d)
{
    uint64_t left = free_bytes(d, true);

    if (left < d->reserve || left - d->reserve < 2 * d->ballast)
        return;
    if (posix_fallocate(d->ballast_fd, 0, (off_t)d->ballast) != 0) {
        if (ftruncate(d->ballast_fd, 0) < 0) /* what it got of it is nobody's */
            yb_log(YB_LOG_ERROR, NULL, "relayd.queue.full", "the ballast cannot be cut: %s",
                   strerror(errno));
        return;
    }
    atomic_store(&d->has_ballast, true);
    if (d->released)
        yb_log(YB_LOG_INFO, NULL, "relayd.queue.room",
               "there is room on the disk of %s again: messages are taken", d->dir);
    d->released = false;
}
