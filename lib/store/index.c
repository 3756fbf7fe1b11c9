#include "lib/store/index.h"

#include "lib/base/io.h"
#include "lib/store/store.h"
#include "lib/store/sum.h"
#include "lib/store/sys.h"

#include <stddef.h>

static const char magic[8] = "YBINDEX2", old_magic[8] = "YBINDEX1";

static uint64_t
head_sum(const struct yb_index_head *head)
{
    return yb_sum(head, offsetof(struct yb_index_head, sum));
}

static bool
head_makes_sense(const struct yb_index_head *head)
{
    return head->uidvalidity != 0 && head->uidnext != 0 && head->dead <= head->slots &&
           head->messages == head->slots - head->dead;
}

bool
yb_index_read_head(int fd, struct yb_index_head *head)
{
    return yb_pread_full(fd, head, sizeof(*head), 0) == sizeof(*head) &&
           memcmp(head->magic, magic, sizeof(magic)) == 0 && head->sum == head_sum(head) &&
           head_makes_sense(head);
}

/* The first form's sums leave out the last 16 bytes: a spare word that was always 0, and the sum. Its
 * `letters` was how many were given, from 'a' on. */
bool
yb_index_old_head(int fd, struct yb_index_head *head)
{
    if (yb_pread_full(fd, head, sizeof(*head), 0) != sizeof(*head) ||
        memcmp(head->magic, old_magic, sizeof(magic)) != 0 ||
        head->sum != yb_sum_old(head, sizeof(*head) - 16) || !head_makes_sense(head))
        return false;
    head->letters = head->letters < 32 ? (1u << head->letters) - 1 : 0;
    return true;
}

bool
yb_index_read_seen(int fd, struct yb_index_head *head)
{
    if (!yb_index_read_head(fd, head))
        return false;
    head->modseq = head->seen_modseq;
    head->uidnext = head->seen_uidnext;
    return true;
}

int
yb_index_write_head(int fd, struct yb_index_head *head)
{
    memcpy(head->magic, magic, sizeof(magic));
    head->changes++;
    if ((head->marks & YB_INDEX_BUSY) == 0) {
        head->seen_modseq = head->modseq;
        head->seen_uidnext = head->uidnext;
    }
    head->sum = head_sum(head);
    return yb_sys_pwrite(fd, head, sizeof(*head), 0);
}

static uint64_t
slot_sum(const struct yb_index_slot *s)
{
    return yb_sum(s, offsetof(struct yb_index_slot, sum));
}

off_t
yb_index_size(size_t slots)
{
    return (off_t)(sizeof(struct yb_index_head) + slots * sizeof(struct yb_index_slot));
}

/* Reads what is there of n records. */
static size_t
slots_read(int fd, size_t first, size_t n, struct yb_index_slot *out)
{
    ssize_t got = yb_pread_full(fd, out, n * sizeof(*out), yb_index_size(first));

    return got < 0 ? 0 : (size_t)got / sizeof(*out);
}

size_t
yb_index_read_slots(int fd, size_t first, size_t n, struct yb_index_slot *out)
{
    size_t there = slots_read(fd, first, n, out);

    for (size_t i = 0; i < there; i++) {
        if (out[i].sum != slot_sum(&out[i]) || out[i].uid == 0)
            return i;
    }
    return there;
}

size_t
yb_index_old_slots(int fd, size_t first, size_t n, struct yb_index_slot *out)
{
    size_t there = slots_read(fd, first, n, out);

    for (size_t i = 0; i < there; i++) {
        if (out[i].sum != yb_sum_old(&out[i], sizeof(*out) - 16) || out[i].uid == 0)
            return i;
    }
    return there;
}

int
yb_index_write_slots(int fd, size_t first, size_t n, struct yb_index_slot *slots)
{
    for (size_t i = 0; i < n; i++)
        slots[i].sum = slot_sum(&slots[i]);
    return yb_sys_pwrite(fd, slots, n * sizeof(*slots), yb_index_size(first));
}

void
yb_index_count(struct yb_index_head *head, const struct yb_index_slot *slot, int by)
{
    uint32_t one = (uint32_t)by;
    uint64_t size = by > 0 ? slot->size : 0 - slot->size;

    head->messages += one;
    head->bytes += size;
    if (slot->uid >= head->recent_uid)
        head->recent += one;
    if ((slot->flags & YB_FLAG_SEEN) == 0)
        head->unseen += one;
    if ((slot->flags & YB_FLAG_DELETED) == 0)
        return;
    head->deleted += one;
    head->deleted_bytes += size;
}

size_t
yb_index_name(const struct yb_index_head *head, const struct yb_index_slot *slot,
              char out[YB_NAME_MAX])
{
    struct yb_name name = { .time = slot->time,
                            .internal_date = slot->internal_date,
                            .id = slot->id,
                            .node = slot->node,
                            .size = slot->size,
                            .uidvalidity = head->uidvalidity,
                            .uid = slot->uid,
                            .email = slot->email,
                            .flags = slot->flags,
                            .keywords = slot->keywords,
                            .set = slot->set };

    return yb_name_format(&name, (slot->state & YB_SLOT_NEW) != 0, out);
}
