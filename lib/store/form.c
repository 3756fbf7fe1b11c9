#include "lib/store/form.h"

#include "lib/base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define EXT_MAGIC 0xef53
#define XFS_MAGIC 0x58465342
#define BTRFS_MAGIC 0x9123683e
#define TMPFS_MAGIC 0x01021994

/*
 * ext2, ext3 and ext4 look the same to statfs(), with a journal or without. The ext4 driver tells in
 * /sys which task writes the journal of a mounted device, a number; "<none>" without one. Anybody may
 * read that, without a right to the device; units that hide parts of /proc and /dev leave it.
 */
static bool
ext_journal(int fd)
{
    char link[64], path[300], device[256], task[16] = "";
    const char *name;
    struct stat st;
    ssize_t n;
    int file;

    if (fstat(fd, &st) < 0)
        return false;
    snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
    n = readlink(link, device, sizeof(device) - 1);
    if (n <= 0)
        return false;
    device[n] = '\0';
    name = strrchr(device, '/');
    snprintf(path, sizeof(path), "/sys/fs/ext4/%s/journal_task", name == NULL ? device : name + 1);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    n = read(file, task, sizeof(task) - 1);
    close(file);
    return n > 0 && yb_is_digit(task[0]);
}

unsigned
yb_form_of(int fd, enum yb_store_form wanted, const char **why)
{
    struct statfs fs;

    *why = "store_form says so";
    if (wanted == YB_STORE_LINKED)
        return YB_FORM_LINKED | YB_FORM_ORDERED;
    if (wanted == YB_STORE_PORTABLE)
        return 0;
    *why = "it is not known what this file system keeps";
    if (fstatfs(fd, &fs) < 0)
        return 0;
    switch ((unsigned)fs.f_type) {
    case EXT_MAGIC:
        *why = "ext4 without a journal, as far as /sys tells";
        if (!ext_journal(fd))
            return 0;
        *why = "ext4 with a journal";
        return YB_FORM_LINKED | YB_FORM_ORDERED;
    case XFS_MAGIC:
        *why = "XFS";
        return YB_FORM_LINKED | YB_FORM_ORDERED;
    case BTRFS_MAGIC: /* one fsync() keeps the name of a linked file, too, but says so nowhere */
        *why = "btrfs";
        return YB_FORM_ORDERED;
    case TMPFS_MAGIC:
        *why = "tmpfs: nothing outlives a power cut";
        return YB_FORM_ORDERED;
    default:
        return 0;
    }
}
