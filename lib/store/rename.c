/*
 * Names of messages changed and moved. On a file system without a journal the two halves of a rename
 * reach the disk in any order, each by the sync of its folder or whenever the kernel likes: the file
 * may be in neither for a while, and a power cut then takes a message that was answered long ago. So
 * there the new name is made beside the old one (a link), synced, and only then the old one goes:
 *
 *   yb_mailbox_rename()        link                       two names of one file
 *   yb_mailbox_settle_names()  fsync of the new folders   the new names last
 *                              unlink of the old names
 *
 * A process that dies between leaves two names with one UID: comparing takes one away.
 */
#include "lib/store/cache.h"

#include <errno.h>
#include <unistd.h>

static bool
is_ordered(const struct yb_mailbox *m)
{
    return (atomic_load(&m->account->form) & YB_FORM_ORDERED) != 0;
}

static int
new_name(const struct yb_mailbox *m, int from_fd, const char *from, int to_fd, const char *to)
{
    if (is_ordered(m))
        return yb_sys_rename(from_fd, from, to_fd, to);
    if (yb_sys_second_name(from_fd, from, to_fd, to) == 0)
        return 0;
    if (errno != EPERM && errno != EMLINK)
        return -1;
    /* Another user's file, which may not be linked (fs.protected_hardlinks), or one with too many names:
     * by the folder's right it can be renamed, and settling makes at least that last. */
    return yb_sys_rename(from_fd, from, to_fd, to);
}

int
yb_mailbox_rename(struct yb_mailbox *m, int from_fd, const char *from, int to_fd, const char *to)
{
    struct yb_old_name *old;

    if (m->n_old_names == YB_BATCH && yb_mailbox_settle_names(m) < 0)
        return -1;
    if (new_name(m, from_fd, from, to_fd, to) < 0) {
        if (errno != ENOSPC && errno != EDQUOT)
            return -1;
        if (!yb_room_give(m->account->store))
            yb_cache_reset(m); /* this can be made again */
        if (new_name(m, from_fd, from, to_fd, to) < 0)
            return -1;
    }
    if (is_ordered(m))
        return 0;
    if (m->old_names == NULL)
        m->old_names = yb_alloc(YB_BATCH, sizeof(*m->old_names));
    old = &m->old_names[m->n_old_names++];
    *old = (struct yb_old_name){ .fd = from_fd, .new_fd = to_fd };
    yb_assert(yb_str_copy(yb_str_from(from), old->name, sizeof(old->name)));
    return 0;
}

int
yb_mailbox_settle_names(struct yb_mailbox *m)
{
    int synced[2] = { -1, -1 }; /* there are two folders that names go to, as a rule */
    size_t n = m->n_old_names;

    m->n_old_names = 0;
    for (size_t i = 0; i < n; i++) {
        int fd = m->old_names[i].new_fd;

        if (fd == synced[0] || fd == synced[1])
            continue;
        if (yb_sys_fsync(fd) < 0)
            return -1;
        synced[1] = synced[0];
        synced[0] = fd;
    }
    for (size_t i = 0; i < n; i++) {
        if (yb_sys_unlink(m->old_names[i].fd, m->old_names[i].name) < 0 && errno != ENOENT)
            return -1;
    }
    return 0;
}

int
yb_mailbox_move_name(struct yb_mailbox *m, int from_fd, const char *from, int to_fd, const char *to)
{
    int saved;

    if (yb_mailbox_rename(m, from_fd, from, to_fd, to) < 0)
        return -1;
    if (yb_mailbox_settle_names(m) == 0)
        return 0;
    saved = errno;
    (void)!unlinkat(to_fd, to, 0); /* the old name is the one that is left */
    errno = saved;
    return -1;
}

int
yb_mailbox_sync_names(struct yb_mailbox *m)
{
    if (is_ordered(m))
        return 0;
    return yb_sys_fsync(m->cur_fd) < 0 || yb_sys_fsync(m->new_fd) < 0 ? -1 : 0;
}
