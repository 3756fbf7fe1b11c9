/*
 * A small file of a program's own beside the messages of a mailbox: what it worked out once and can
 * work out again. "YBMEMO1", a zero, the checksum of the rest. Never truth, never synced: what is not
 * whole is as if it were not there.
 */
#include "lib/store/deeds.h"
#include "lib/store/sum.h"
#include "lib/store/sys.h"

#include <fcntl.h>
#include <stdio.h>

#define MAGIC "YBMEMO1"
#define HEAD 16
#define MEMO_LIMIT ((size_t)32 << 20)

bool
yb_mailbox_memo_read(struct yb_mailbox *m, const char *name, struct yb_arena *arena,
                     struct yb_str *out)
{
    char *bytes = NULL;
    size_t n = 0;
    uint64_t sum;
    bool ok = yb_sys_read_file(m->dir_fd, name, MEMO_LIMIT, &bytes, &n) == 0 && n >= HEAD &&
              memcmp(bytes, MAGIC, sizeof(MAGIC)) == 0;

    if (ok) {
        memcpy(&sum, bytes + sizeof(MAGIC), sizeof(sum));
        *out = yb_str(bytes + HEAD, n - HEAD);
        ok = yb_sum(out->p, out->n) == sum;
    }
    if (ok)
        *out = yb_arena_dup(arena, *out);
    yb_free(bytes);
    return ok;
}

void
yb_mailbox_memo_write(struct yb_mailbox *m, const char *name, struct yb_str bytes)
{
    char head[HEAD] = MAGIC, fresh[64];
    uint64_t sum = yb_sum(bytes.p, bytes.n);
    int fd;
    bool ok;

    if (bytes.n > MEMO_LIMIT - HEAD)
        return;
    memcpy(head + sizeof(MAGIC), &sum, sizeof(sum));
    snprintf(fresh, sizeof(fresh), "%s.tmp", name);
    fd = yb_sys_open(m->dir_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
    if (fd < 0)
        return;
    ok = yb_sys_pwrite(fd, head, HEAD, 0) == 0 && yb_sys_pwrite(fd, bytes.p, bytes.n, HEAD) == 0;
    yb_sys_close(&fd);
    if (!ok || yb_sys_replace(m->dir_fd, fresh, name) < 0)
        (void)!yb_sys_unlink(m->dir_fd, fresh);
}
