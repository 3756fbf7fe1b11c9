/*
 * Room kept back. To flag a message is to give it another name, and on a truly full disk a folder
 * cannot grow for it: who cannot flag cannot delete, and the disk stays full. So while there is plenty
 * a file of ROOM_BYTES lies in the root, and who finds no room for a name cuts a piece off it.
 */
#include "lib/store/handles.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROOM_FILE ".yubin-room"
#define ROOM_BYTES (1 << 20) /* hundreds of folders' growth */
#define ROOM_PIECE (64 << 10)
#define ROOM_PLENTY 4 /* times ROOM_BYTES, over the reserve: then it is made whole */

bool
yb_room_give(struct yb_store *s)
{
    int root_fd = yb_root_fd(s, NULL), fd;
    struct stat st;
    bool given;

    fd = root_fd < 0 ? -1 : yb_sys_open(root_fd, ROOM_FILE, O_RDWR | O_NOFOLLOW);
    if (fd < 0)
        return false;
    given = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
            ftruncate(fd, st.st_size > ROOM_PIECE ? st.st_size - ROOM_PIECE : 0) == 0 &&
            yb_sys_fsync(fd) == 0; /* a journal frees it when that is written */
    close(fd);
    return given;
}

bool
yb_store_room(struct yb_store *s, uint64_t *room)
{
    int root_fd = yb_root_fd(s, NULL);
    struct statvfs vfs;
    uint64_t left;

    if (root_fd < 0 || fstatvfs(root_fd, &vfs) < 0)
        return false;
    left = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    *room = left > s->conf.reserve ? left - s->conf.reserve : 0;
    return true;
}

void
yb_room_keep(struct yb_store *s)
{
    int root_fd = yb_root_fd(s, NULL), fd;
    struct statvfs vfs;
    struct stat st;

    if (root_fd < 0 || fstatvfs(root_fd, &vfs) < 0 ||
        (uint64_t)vfs.f_bavail * vfs.f_frsize < s->conf.reserve + ROOM_PLENTY * ROOM_BYTES)
        return;
    fd = yb_sys_open(root_fd, ROOM_FILE, O_RDWR | O_CREAT | O_NOFOLLOW);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < ROOM_BYTES)
        (void)!posix_fallocate(fd, 0, ROOM_BYTES);
    yb_sys_close(&fd);
}
