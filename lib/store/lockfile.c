#include "lib/store/lockfile.h"

#include "lib/base/clock.h"
#include "lib/base/fault.h"
#include "lib/base/io.h"
#include "lib/store/sum.h"
#include "lib/store/sys.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>

#define DURABLE_AT 1024
#define WANTED_AT 3072
#define RING_AT 4096
#define WANTED_MS 100

static const char head_magic[8] = "YBLOCK2\n", durable_magic[8] = "YBLAST2\n";
static const char old_head_magic[8] = "YBLOCK1\n", old_durable_magic[8] = "YBLAST1\n";

struct durable_slot {
    char magic[8];
    uint64_t sequence;
    uint32_t last_uidvalidity, state;
    uint8_t store[YB_ID_BYTES];
    uint64_t move;
    uint64_t change_ceiling;
    uint64_t spare[4];
    uint64_t sum; /* of what is before it */
};

/* The first form. Its states were HOME 0, MOVING 1, MOVED 2. */
struct old_slot {
    char magic[8];
    uint64_t sequence;
    uint32_t last_uidvalidity, state;
    uint64_t spare;
    uint64_t sum; /* of all, taken as 0 */
    uint64_t end;
};

struct ring_slot {
    uint8_t id[YB_ID_BYTES];
    uint32_t uidvalidity, uid;
    uint64_t sum;
};
_Static_assert(sizeof(struct durable_slot) == 96 && sizeof(struct old_slot) == 48 &&
                   sizeof(struct ring_slot) == 32,
               "sizes on disk");

/* What stands before the sign of a waiting process. */
struct front {
    union {
        struct yb_lock_head head;
        char head_room[DURABLE_AT];
    };
    union {
        struct durable_slot slot;
        struct old_slot old;
        char room[DURABLE_AT];
    } durable[2];
};
_Static_assert(sizeof(struct front) == WANTED_AT, "places on disk");

/* --- the head --- */

static uint64_t
head_sum(const struct yb_lock_head *head)
{
    return yb_sum(head, offsetof(struct yb_lock_head, sum));
}

static uint64_t
old_head_sum(const struct yb_lock_head *head)
{
    struct yb_lock_head copy = *head;

    copy.sum = 0;
    return yb_sum_old(&copy, sizeof(copy));
}

static bool
head_is(const struct yb_lock_head *head, const char magic[8], uint64_t sum)
{
    return memcmp(head->magic, magic, sizeof(head->magic)) == 0 && head->sum == sum &&
           head->ring_next < YB_RING;
}

bool
yb_lockfile_read(int fd, struct yb_lock_head *head)
{
    return yb_pread_full(fd, head, sizeof(*head), 0) == sizeof(*head) &&
           head_is(head, head_magic, head_sum(head));
}

void
yb_lockfile_boot(int fd, const uint8_t boot[YB_ID_BYTES], uint8_t out[YB_ID_BYTES])
{
    uint64_t file[YB_ID_BYTES / 8] = { 0 };
    struct statx st;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) == 0) {
        file[0] = st.stx_ino;
        if ((st.stx_mask & STATX_BTIME) != 0)
            file[1] = (uint64_t)st.stx_btime.tv_sec * 1000000000 + st.stx_btime.tv_nsec;
    } else {
        yb_random(file, sizeof(file)); /* which file it is cannot be told: never the same */
    }
    memcpy(out, file, YB_ID_BYTES);
    for (size_t i = 0; i < YB_ID_BYTES; i++)
        out[i] ^= boot[i];
}

int
yb_lockfile_write(int fd, struct yb_lock_head *head)
{
    memcpy(head->magic, head_magic, sizeof(head_magic));
    head->sum = head_sum(head);
    return yb_sys_pwrite(fd, head, sizeof(*head), 0);
}

/* --- the slots --- */

static uint64_t
durable_sum(const struct durable_slot *s)
{
    return yb_sum(s, offsetof(struct durable_slot, sum));
}

static uint64_t
old_slot_sum(const struct old_slot *s)
{
    struct old_slot copy = *s;

    copy.sum = 0;
    return yb_sum_old(&copy, sizeof(copy));
}

static void
durable_tell(const struct durable_slot *s, struct yb_lock_durable *d)
{
    if (s->sum != durable_sum(s) || s->sequence <= d->sequence || s->state == YB_ACCOUNT_UNKNOWN ||
        s->state > YB_ACCOUNT_ARRIVING)
        return;
    *d = (struct yb_lock_durable){ .sequence = s->sequence,
                                   .last_uidvalidity = s->last_uidvalidity,
                                   .state = s->state,
                                   .move = s->move,
                                   .change_ceiling = s->change_ceiling };
    memcpy(d->store, s->store, sizeof(d->store));
}

static void
old_tell(const struct old_slot *s, struct yb_lock_durable *d)
{
    if (s->sum != old_slot_sum(s) || s->sequence <= d->sequence || s->state > 2)
        return;
    *d = (struct yb_lock_durable){ .sequence = s->sequence,
                                   .last_uidvalidity = s->last_uidvalidity,
                                   .state = YB_ACCOUNT_HOME + s->state };
}

void
yb_lockfile_look(int fd, struct yb_lock_look *look)
{
    struct front f = { .head_room = { 0 } };

    *look = (struct yb_lock_look){ .whole = false };
    if (yb_pread_full(fd, &f, sizeof(f), 0) < 0)
        return;
    look->head = f.head;
    look->whole = head_is(&f.head, head_magic, head_sum(&f.head));
    if (!look->whole && head_is(&f.head, old_head_magic, old_head_sum(&f.head)))
        look->whole = look->old = look->old_head = true;
    for (int i = 0; i < 2; i++) {
        if (memcmp(f.durable[i].slot.magic, durable_magic, sizeof(durable_magic)) == 0) {
            durable_tell(&f.durable[i].slot, &look->durable);
        } else if (memcmp(f.durable[i].old.magic, old_durable_magic, sizeof(durable_magic)) == 0) {
            old_tell(&f.durable[i].old, &look->durable);
            look->old = true;
        }
    }
}

void
yb_lockfile_read_durable(int fd, struct yb_lock_durable *d)
{
    struct yb_lock_look look;

    yb_lockfile_look(fd, &look);
    *d = look.durable;
}

static struct durable_slot
durable_of(const struct yb_lock_durable *d, uint64_t sequence)
{
    struct durable_slot s = { .sequence = sequence,
                              .last_uidvalidity = d->last_uidvalidity,
                              .state = d->state,
                              .move = d->move,
                              .change_ceiling = d->change_ceiling };

    memcpy(s.magic, durable_magic, sizeof(s.magic));
    memcpy(s.store, d->store, sizeof(s.store));
    s.sum = durable_sum(&s);
    return s;
}

static off_t
durable_at(uint64_t sequence)
{
    return DURABLE_AT * (1 + (off_t)(sequence & 1));
}

int
yb_lockfile_write_durable(int fd, struct yb_lock_durable *d)
{
    struct durable_slot s = durable_of(d, d->sequence + 1);

    if (yb_sys_pwrite(fd, &s, sizeof(s), durable_at(s.sequence)) < 0 || yb_sys_fdatasync(fd) < 0)
        return -1;
    yb_fault("store.durable");
    /* Now that one is on disk, the other may say the same: one that rots is not missed. */
    (void)!yb_sys_pwrite(fd, &s, sizeof(s), durable_at(s.sequence + 1));
    d->sequence = s.sequence;
    return 0;
}

/* The first number of a usage: above all that were given before, should these be lost. */
static uint64_t
change_begin(void)
{
    return (uint64_t)yb_clock_now_us();
}

int
yb_lockfile_begin(int fd)
{
    struct yb_lock_durable d = { .state = YB_ACCOUNT_HOME, .change_ceiling = change_begin() };
    struct yb_lock_head head;

    if (yb_lockfile_read(fd, &head) && head.change_ceiling > d.change_ceiling)
        d.change_ceiling = head.change_ceiling;
    d.change_ceiling += YB_CHANGE_AHEAD;
    return yb_lockfile_write_durable(fd, &d);
}

/* --- the first form --- */

static uint64_t
old_ring_sum(const struct ring_slot *s)
{
    struct ring_slot copy = *s;

    copy.sum = 0;
    return yb_sum_old(&copy, sizeof(copy));
}

static uint64_t
ring_sum(const struct ring_slot *s)
{
    return yb_sum(s, offsetof(struct ring_slot, sum));
}

/* What is of this form already was written by one who died here. */
static int
ring_renew(int fd)
{
    struct ring_slot *ring = yb_alloc(YB_RING, sizeof(*ring));
    int rc = -1;

    if (yb_pread_full(fd, ring, YB_RING * sizeof(*ring), RING_AT) >= 0) {
        for (size_t i = 0; i < YB_RING; i++) {
            if (ring[i].sum == old_ring_sum(&ring[i]))
                ring[i].sum = ring_sum(&ring[i]);
        }
        rc = yb_sys_pwrite(fd, ring, YB_RING * sizeof(*ring), RING_AT);
    }
    yb_free(ring);
    return rc;
}

int
yb_lockfile_renew(int fd, const struct yb_lock_look *look)
{
    struct yb_lock_durable d = look->durable;
    struct yb_lock_head head = look->head;

    if (d.change_ceiling == 0)
        d.change_ceiling = change_begin() + YB_CHANGE_AHEAD;
    if (ring_renew(fd) < 0 || yb_lockfile_write_durable(fd, &d) < 0)
        return -1;
    if (!look->old_head)
        return 0;
    head.change = d.change_ceiling - YB_CHANGE_AHEAD;
    head.change_ceiling = d.change_ceiling;
    head.end = 0;
    return yb_lockfile_write(fd, &head);
}

/* --- the ring of delivery ids --- */

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
