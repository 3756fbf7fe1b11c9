#include "lib/daemon/heap.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

/* Memory that is back within half a minute is not missed; to look more often would only cost. */
#define LOOK_MS 10000
/* So much is kept: to take so much anew costs 4096 page faults, some 6 ms of processor
 * time in LOOK_MS, and the machine does not feel it. */
#define KEEP ((int64_t)16 << 20)

void
yb_heap_open(struct yb_heap *h)
{
    h->fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    h->usual = 0;
    h->next = yb_deadline_in(LOOK_MS);
}

void
yb_heap_close(struct yb_heap *h)
{
    if (h->fd >= 0)
        close(h->fd);
    h->fd = -1;
}

/*
 * Resident memory beyond the blocks in use: what is free, and what is no block (stacks, the
 * program's own data), less what is in use and was never touched. False: it cannot be told.
 */
static bool
surplus(const struct yb_heap *h, int64_t *out)
{
    struct mallinfo2 blocks = mallinfo2();
    long long resident, shared;
    char text[200];
    ssize_t n = h->fd < 0 ? -1 : pread(h->fd, text, sizeof(text) - 1, 0);

    if (n <= 0)
        return false;
    text[n] = 0;
    if (sscanf(text, "%*u %lld %lld", &resident, &shared) != 2)
        return false;
    *out = (resident - shared) * sysconf(_SC_PAGESIZE) - (int64_t)blocks.uordblks -
           (int64_t)blocks.hblkhd;
    return true;
}

/*
 * Of glibc's means only malloc_trim() helps: fixed thresholds of mmap and trim leave half of a burst
 * where a small block that lives stands behind it, and they cost at every large block. With nothing
 * to give back it takes some 0.1 ms; so it is simply done when nothing is known.
 */
void
yb_heap_settle(struct yb_heap *h)
{
    int64_t now = 0;

    if (yb_deadline_left(h->next) > 0)
        return;
    h->next = yb_deadline_in(LOOK_MS);
    if (!surplus(h, &now) || now >= h->usual + KEEP) {
        malloc_trim(0);
        if (surplus(h, &now))
            h->usual = now;
    } else if (now < h->usual) {
        h->usual = now;
    }
}
