#include "lib/store/lockfile.h"

#include "lib/base/clock.h"
#include "lib/base/io.h"
#include "lib/store/sum.h"
#include "lib/store/sys.h"

#define DURABLE_AT 1024
#define WANTED_AT 3072
#define RING_AT 4096
#define WANTED_MS 100

static const char head_magic[8] = "YBLOCK1\n", durable_magic[8] = "YBLAST1\n";

struct durable_slot {
    char magic[8];
    uint64_t sequence;
    uint32_t last_uidvalidity, state;
    uint64_t spare;
    uint64_t sum;
    uint64_t end;
};

struct ring_slot {
    uint8_t id[YB_ID_BYTES];
    uint32_t uidvalidity, uid;
    uint64_t sum;
};
_Static_assert(sizeof(struct durable_slot) == 48 && sizeof(struct ring_slot) == 32,
               "sizes on disk");

static uint64_t
head_sum(const struct yb_lock_head *head)
{
    struct yb_lock_head copy = *head;

    copy.sum = 0;
    return yb_sum(&copy, sizeof(copy));
}

bool
yb_lockfile_read(int fd, struct yb_lock_head *head)
{
    return yb_pread_full(fd, head, sizeof(*head), 0) == sizeof(*head) &&
           memcmp(head->magic, head_magic, sizeof(head_magic)) == 0 &&
           head->sum == head_sum(head) && head->ring_next < YB_RING;
}

int
yb_lockfile_write(int fd, struct yb_lock_head *head)
{
    memcpy(head->magic, head_magic, sizeof(head_magic));
    head->sum = head_sum(head);
    return yb_sys_pwrite(fd, head, sizeof(*head), 0);
}

static uint64_t
durable_sum(const struct durable_slot *s)
{
    struct durable_slot copy = *s;

    copy.sum = 0;
    return yb_sum(&copy, sizeof(copy));
}

void
yb_lockfile_read_durable(int fd, struct yb_lock_durable *d)
{
    *d = (struct yb_lock_durable){ 0 };
    for (int i = 0; i < 2; i++) {
        struct durable_slot s = { 0 };

        if (yb_pread_full(fd, &s, sizeof(s), DURABLE_AT * (1 + i)) == sizeof(s) &&
            memcmp(s.magic, durable_magic, sizeof(s.magic)) == 0 && s.sum == durable_sum(&s) &&
            s.sequence > d->sequence && s.state <= YB_ACCOUNT_MOVED)
            *d = (struct yb_lock_durable){ s.sequence, s.last_uidvalidity, s.state };
    }
}

int
yb_lockfile_write_durable(int fd, struct yb_lock_durable *d)
{
    struct durable_slot s = { .sequence = d->sequence + 1,
                              .last_uidvalidity = d->last_uidvalidity,
                              .state = d->state };

    memcpy(s.magic, durable_magic, sizeof(s.magic));
    s.sum = durable_sum(&s);
    if (yb_sys_pwrite(fd, &s, sizeof(s), DURABLE_AT * (1 + (off_t)(s.sequence & 1))) < 0 ||
        yb_sys_fdatasync(fd) < 0)
        return -1;
    d->sequence = s.sequence;
    return 0;
}

static uint64_t
ring_sum(const struct ring_slot *s)
{
    struct ring_slot copy = *s;

    copy.sum = 0;
    return yb_sum(&copy, sizeof(copy));
}

int
yb_lockfile_ring_find(int fd, struct yb_delivery_id id, struct yb_ring_entry *out)
{
    struct ring_slot *ring = yb_alloc(YB_RING, sizeof(*ring));
    ssize_t n = yb_pread_full(fd, ring, YB_RING * sizeof(*ring), RING_AT);
    int place = -1;

    for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(*ring); i++) {
        if (memcmp(ring[i].id, id.v, sizeof(id.v)) != 0 || ring[i].sum != ring_sum(&ring[i]))
            continue;
        *out = (struct yb_ring_entry){ id, ring[i].uidvalidity, ring[i].uid };
        place = (int)i;
    }
    yb_free(ring);
    return place;
}

static struct ring_slot
ring_slot_of(const struct yb_ring_entry *entry)
{
    struct ring_slot s = { .uidvalidity = entry->uidvalidity, .uid = entry->uid };

    memcpy(s.id, entry->id.v, sizeof(s.id));
    s.sum = ring_sum(&s);
    return s;
}

int
yb_lockfile_ring_put(int fd, uint32_t place, const struct yb_ring_entry *entry)
{
    struct ring_slot s = { 0 };

    if (entry != NULL)
        s = ring_slot_of(entry);
    return yb_sys_pwrite(fd, &s, sizeof(s), RING_AT + (off_t)(place % YB_RING) * (off_t)sizeof(s));
}

int
yb_lockfile_ring_fill(int fd, const struct yb_ring_entry *entries, size_t n)
{
    struct ring_slot *ring = yb_alloc(YB_RING, sizeof(*ring));
    int rc;

    for (size_t i = 0; i < n && i < YB_RING; i++)
        ring[i] = ring_slot_of(&entries[i]);
    rc = yb_sys_pwrite(fd, ring, YB_RING * sizeof(*ring), RING_AT);
    yb_free(ring);
    return rc;
}

void
yb_lockfile_want(int fd)
{
    int64_t now = yb_clock_ms();

    (void)!yb_pwrite_all(fd, yb_str((const char *)&now, sizeof(now)), WANTED_AT); /* a hint only */
}

bool
yb_lockfile_wanted(int fd)
{
    int64_t then = 0, now = yb_clock_ms();

    return yb_pread_full(fd, &then, sizeof(then), WANTED_AT) == sizeof(then) && then <= now &&
           now - then < WANTED_MS;
}
