#include "lib/store/uidfile.h"

#include "lib/base/fault.h"
#include "lib/base/io.h"
#include "lib/store/sum.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/file.h>
#include <unistd.h>

#define FILE_NAME "yubin-uid"
#define SECTOR 512

static const char magic[8] = "YBUID2\r\n", old_magic[8] = "YBUID1\r\n";

struct slot {
    char magic[8];
    uint64_t sequence;
    uint32_t uidvalidity, uid_ceiling;
    uint64_t modseq_ceiling;
    uint64_t spare[3];
    uint64_t sum;
};
_Static_assert(sizeof(struct slot) == 64, "a slot is 64 bytes on disk");

static uint64_t
slot_sum(const struct slot *s)
{
    return yb_sum(s, offsetof(struct slot, sum));
}

static uint64_t
old_slot_sum(const struct slot *s)
{
    struct slot copy = *s;

    copy.sum = 0;
    return yb_sum_old(&copy, sizeof(copy));
}

static bool
slot_is_old(const struct slot *s)
{
    return memcmp(s->magic, old_magic, sizeof(magic)) == 0;
}

static bool
slot_valid(const struct slot *s)
{
    bool whole = slot_is_old(s)
                     ? s->sum == old_slot_sum(s)
                     : memcmp(s->magic, magic, sizeof(magic)) == 0 && s->sum == slot_sum(s);

    return whole && s->uidvalidity != 0 && s->uid_ceiling != 0 && s->modseq_ceiling != 0;
}

/* The newest readable slot: 1 and its place, 0 none, -1 with errno. */
static int
slots_read(int fd, struct slot *newest, int *place)
{
    char file[2 * SECTOR] = { 0 };
    int found = 0;

    if (yb_pread_full(fd, file, sizeof(file), 0) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        struct slot s;

        memcpy(&s, file + i * SECTOR, sizeof(s));
        if (!slot_valid(&s) || (found && s.sequence < newest->sequence))
            continue;
        *newest = s;
        *place = i;
        found = 1;
    }
    return found;
}

static int
slot_write(int fd, struct slot *s, int place)
{
    memcpy(s->magic, magic, sizeof(magic));
    s->sum = slot_sum(s);
    if (yb_sys_pwrite(fd, s, sizeof(*s), (off_t)place * SECTOR) < 0)
        return -1;
    yb_fault("store.ceiling");
    return yb_sys_fdatasync(fd);
}

static void
slot_tell(const struct slot *s, struct yb_uidfile *out)
{
    *out = (struct yb_uidfile){ s->uidvalidity, s->uid_ceiling, s->modseq_ceiling, slot_is_old(s) };
}

int
yb_uidfile_read(int dir_fd, struct yb_uidfile *out, struct yb_err *err)
{
    int fd = yb_sys_open(dir_fd, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), place, rc;
    struct slot s;

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open " FILE_NAME);
    rc = slots_read(fd, &s, &place);
    if (rc < 0)
        yb_err_sys(err, YB_TEMP, "4.3.0", "read " FILE_NAME);
    if (rc == 1)
        slot_tell(&s, out);
    close(fd);
    return rc;
}

int
yb_uidfile_create(int dir_fd, const struct yb_uidfile *first, struct yb_err *err)
{
    char file[2 * SECTOR] = { 0 };
    struct slot s = { .sequence = 1,
                      .uidvalidity = first->uidvalidity,
                      .uid_ceiling = first->uid_ceiling,
                      .modseq_ceiling = first->modseq_ceiling };

    memcpy(s.magic, magic, sizeof(magic));
    s.sum = slot_sum(&s);
    memcpy(file, &s, sizeof(s));
    memcpy(file + SECTOR, &s, sizeof(s));
    if (yb_sys_write_file(dir_fd, FILE_NAME, file, sizeof(file)) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write " FILE_NAME);
    return 0;
}

int
yb_uidfile_raise(int dir_fd, struct yb_uidfile *u, uint32_t uid_ceiling, uint64_t modseq_ceiling,
                 struct yb_err *err)
{
    int fd = yb_sys_open(dir_fd, FILE_NAME, O_RDWR | O_NOFOLLOW), place = 0, rc = 0;
    struct slot s;

    if (fd < 0 && errno == ENOENT)
        return yb_err_inside(err, YB_PERM, "4.3.0", FILE_NAME " is lost");
    if (fd < 0 || flock(fd, LOCK_EX) < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "open " FILE_NAME);
        yb_sys_close(&fd);
        return rc;
    }
    if (slots_read(fd, &s, &place) != 1 || s.uidvalidity != u->uidvalidity) {
        rc = yb_err_inside(err, YB_PERM, "4.3.0", FILE_NAME " is unreadable or another mailbox's");
    } else {
        /* Written and synced even when the file says enough: whoever wrote that may have died
         * before his sync. Both slots share a page, so this sync covers them. */
        s.uid_ceiling = s.uid_ceiling < uid_ceiling ? uid_ceiling : s.uid_ceiling;
        s.modseq_ceiling = s.modseq_ceiling < modseq_ceiling ? modseq_ceiling : s.modseq_ceiling;
        s.sequence++;
        if (slot_write(fd, &s, 1 - place) < 0)
            rc = yb_err_sys(err, YB_TEMP, "4.3.0", "write " FILE_NAME);
        else /* now that one is on disk, the other may say the same: one that rots is not missed */
            (void)!yb_sys_pwrite(fd, &s, sizeof(s), (off_t)place * SECTOR);
    }
    if (rc == 0)
        slot_tell(&s, u);
    close(fd); /* gives the lock back */
    return rc;
}
