/*
 * Where one fsync of a file keeps its name too (lib/store/form.h), a file without a name is written,
 * linked and synced; elsewhere a .tmp is written, synced and renamed, and its folder synced.
 */
#include "relayd/body.h"

#include "lib/base/fault.h"
#include "lib/store/form.h"
#include "lib/store/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PIECE (64 * 1024)
/* "ab/" 32 hex "." 20 digits, NUL; and ".tmp" */
#define PATH_SIZE (3 + YB_ID_TEXT + 1 + 20 + 8)

static char *
path_of(struct yb_message_id mid, uint64_t m, char path[PATH_SIZE])
{
    char hex[YB_ID_TEXT];

    yb_message_id_text(mid, hex);
    snprintf(path, PATH_SIZE, "%.2s/%s.%llu", hex, hex, (unsigned long long)m);
    return path;
}

int
relayd_bodies_open(struct relayd_bodies *b, int dir_fd, struct yb_err *err)
{
    bool portable = yb_fault_setting("YB_PORTABLE") != NULL;
    const char *why;
    char name[3];

    b->fd = yb_sys_enter(dir_fd, "body", true);
    if (b->fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open the folder of bodies");
    b->form = yb_form_of(b->fd, portable ? YB_STORE_PORTABLE : YB_STORE_AUTO, &why);
    for (unsigned i = 0; i < 256; i++) {
        snprintf(name, sizeof(name), "%02x", i);
        if (yb_sys_mkdir(b->fd, name) < 0)
            return yb_err_sys(err, YB_TEMP, "4.3.0", "make the folder body/%s", name);
    }
    if (yb_sys_fsync(b->fd) < 0 || yb_sys_fsync(dir_fd) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "sync the folder of bodies");
    return 0;
}

void
relayd_bodies_close(struct relayd_bodies *b)
{
    yb_sys_close(&b->fd);
}

static int
fill(int fd, const struct yb_msgbuf *octets, struct yb_err *err)
{
    uint64_t at = 0;
    struct yb_str all;
    char *piece;
    ssize_t n = 0;
    int rc = 0;

    if (yb_msgbuf_view(octets, &all)) {
        if (yb_sys_pwrite(fd, all.p, all.n, 0) < 0)
            return yb_err_sys(err, YB_TEMP, "4.3.0", "write a body");
        return 0;
    }
    piece = yb_alloc(PIECE, 1);
    while (rc == 0 && (n = yb_msgbuf_pread(octets, piece, PIECE, at, err)) > 0) {
        if (yb_sys_pwrite(fd, piece, (size_t)n, (off_t)at) < 0)
            rc = yb_err_sys(err, YB_TEMP, "4.3.0", "write a body");
        at += (uint64_t)n;
    }
    yb_free(piece);
    return n < 0 ? -1 : rc;
}

static int
write_linked(const struct relayd_bodies *b, const char *path, const struct yb_msgbuf *octets,
             struct yb_err *err)
{
    char folder[3] = { path[0], path[1], '\0' };
    int fd = yb_sys_open(b->fd, folder, O_TMPFILE | O_WRONLY), rc = 0;

    if (fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "create a body");
    if (fill(fd, octets, err) < 0) {
        rc = -1;
    } else if (yb_sys_link_fd(fd, b->fd, path) < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "link body/%s", path);
    } else if (yb_sys_fsync(fd) < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "sync body/%s", path);
        (void)unlinkat(b->fd, path, 0); /* else the next start finds it without a row */
    }
    close(fd);
    return rc;
}

static int
sync_folder(const struct relayd_bodies *b, const char *path)
{
    char folder[3] = { path[0], path[1], '\0' };
    int fd = yb_sys_open(b->fd, folder, O_RDONLY | O_DIRECTORY), rc;

    if (fd < 0)
        return -1;
    rc = yb_sys_fsync(fd);
    close(fd);
    return rc;
}

static int
write_renamed(const struct relayd_bodies *b, const char *path, const struct yb_msgbuf *octets,
              struct yb_err *err)
{
    char tmp[PATH_SIZE + 4];
    int fd, rc = 0;

    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    fd = yb_sys_open(b->fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
    if (fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "create body/%s", tmp);
    if (fill(fd, octets, err) < 0)
        rc = -1;
    else if (yb_sys_fsync(fd) < 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "sync body/%s", tmp);
    else if (yb_sys_rename(b->fd, tmp, b->fd, path) < 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "rename body/%s", tmp);
    close(fd);
    if (rc < 0) {
        (void)unlinkat(b->fd, tmp, 0);
    } else if (sync_folder(b, path) < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "sync the folder of body/%s", path);
        (void)unlinkat(b->fd, path, 0);
    }
    return rc;
}

int
relayd_body_write(const struct relayd_bodies *b, struct yb_message_id mid, uint64_t m,
                  const struct yb_msgbuf *octets, struct yb_err *err)
{
    char path[PATH_SIZE];
    int rc;

    path_of(mid, m, path);
    rc = (b->form & YB_FORM_LINKED) != 0 ? write_linked(b, path, octets, err)
                                         : write_renamed(b, path, octets, err);
    if (rc < 0 && (err->sys == ENOSPC || err->sys == EDQUOT))
        err->kind = YB_ERR_FULL;
    return rc;
}

int
relayd_body_open(const struct relayd_bodies *b, struct yb_message_id mid, uint64_t m)
{
    char path[PATH_SIZE];

    return yb_sys_open_message(b->fd, path_of(mid, m, path));
}

bool
relayd_body_is(const struct relayd_bodies *b, struct yb_message_id mid, uint64_t m)
{
    char path[PATH_SIZE];

    return faccessat(b->fd, path_of(mid, m, path), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void
relayd_body_remove(const struct relayd_bodies *b, struct yb_message_id mid, uint64_t m)
{
    char path[PATH_SIZE];

    (void)yb_sys_unlink(b->fd, path_of(mid, m, path));
}

/* The name as path_of() writes it, and nothing else. */
static bool
name_read(const char *folder, const char *name, struct yb_message_id *mid, uint64_t *m)
{
    char path[PATH_SIZE];
    struct yb_str id, number = yb_str_from(name);

    if (!yb_str_split(&number, '.', &id) || !yb_message_id_parse(id, mid) ||
        !yb_str_u64(number, INT64_MAX, m))
        return false;
    path_of(*mid, *m, path);
    return strncmp(path, folder, 2) == 0 && strcmp(path + 3, name) == 0;
}

static int
tidy_folder(const struct relayd_bodies *b, const char *folder,
            int (*wanted)(void *arg, struct yb_message_id mid, uint64_t m, struct yb_err *err),
            void *arg, size_t *removed, struct yb_err *err)
{
    int fd = yb_sys_open(b->fd, folder, O_RDONLY | O_DIRECTORY), rc = 1;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir == NULL) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "read the folder body/%s", folder);
        yb_sys_close(&fd);
        return rc;
    }
    for (struct dirent *e; rc >= 0 && (e = readdir(dir)) != NULL;) {
        struct yb_message_id mid;
        uint64_t m;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        rc = name_read(folder, e->d_name, &mid, &m) ? wanted(arg, mid, m, err) : 0;
        if (rc == 0 && yb_sys_unlink(fd, e->d_name) == 0)
            (*removed)++;
    }
    closedir(dir);
    return rc < 0 ? -1 : 0;
}

int
relayd_bodies_tidy(const struct relayd_bodies *b,
                   int (*wanted)(void *arg, struct yb_message_id mid, uint64_t m,
                                 struct yb_err *err),
                   void *arg, size_t *removed, struct yb_err *err)
{
    char folder[3];
    int rc = 0;

    *removed = 0;
    for (unsigned i = 0; rc == 0 && i < 256; i++) {
        snprintf(folder, sizeof(folder), "%02x", i);
        rc = tidy_folder(b, folder, wanted, arg, removed, err);
    }
    return rc;
}
