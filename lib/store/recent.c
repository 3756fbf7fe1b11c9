/*
 * What is new: \Recent, and the files in new/. A message is \Recent to one read-write session, the
 * first that is told of it (RFC 3501 §2.3.2); the head's `recent_uid` says from where on nobody was.
 * What is claimed while a mailbox is selected stays in new/ until the next SELECT, which moves all
 * that lies there: to be told of a message costs a write of the head, and no rename.
 */
#include "lib/base/fault.h"
#include "lib/store/deeds.h"
#include "lib/store/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

/* --- \Recent --- */

bool
yb_view_is_recent(const struct yb_view *v, uint32_t uid)
{
    for (unsigned i = 0; i < v->n_recent; i++) {
        if (uid >= v->recent[i].from && uid < v->recent[i].to)
            return true;
    }
    return false;
}

bool
yb_recent_room(const struct yb_view *v, uint32_t from)
{
    return v->n_recent < YB_RECENT_RANGES || v->recent[v->n_recent - 1].to == from;
}

void
yb_recent_add(struct yb_view *v, uint32_t from, uint32_t to)
{
    if (from >= to || !yb_recent_room(v, from))
        return;
    if (v->n_recent > 0 && v->recent[v->n_recent - 1].to == from)
        v->recent[v->n_recent - 1].to = to;
    else
        v->recent[v->n_recent++] = (struct yb_recent){ from, to };
}

int
yb_recent_claim(struct yb_mailbox *m, struct yb_view *v, struct yb_err *err)
{
    uint32_t from = m->head.recent_uid, to = m->head.uidnext;

    if (from < v->uidnext) /* told when it could not be claimed: it is another's */
        from = v->uidnext;
    if (from >= to || !yb_recent_room(v, from))
        return 0;
    m->head.recent_uid = to;
    m->head.recent = 0;
    if (yb_mailbox_write_head(m, err) < 0)
        return -1;
    yb_recent_add(v, from, to);
    return 0;
}

/* --- taking new messages --- */

/* One message from new/ to cur/, same UID; its record follows. */
static int
take_slot(struct yb_mailbox *m, struct yb_index_slot *slot, size_t place, struct yb_err *err)
{
    char from[YB_NAME_MAX], to[YB_NAME_MAX];

    yb_index_name(&m->head, slot, from);
    slot->state &= (uint16_t)~YB_SLOT_NEW;
    yb_index_name(&m->head, slot, to);
    if (yb_mailbox_rename(m, m->new_fd, from, m->cur_fd, to) < 0) {
        if (errno != ENOSPC && errno != EDQUOT)
            return yb_err_sys(err, YB_TEMP, "4.3.0", "take a new message");
        slot->state |= YB_SLOT_NEW; /* who may not look cannot delete, either: it stays there */
        return 0;
    }
    yb_fault("store.take.renamed");
    if (yb_index_write_slots(m->index_fd, place, 1, slot) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_INDEX_FILE);
    return 0;
}

/* Up to a batch of records from *place on. */
static int
take_batch(struct yb_mailbox *m, size_t *place, struct yb_err *err)
{
    struct yb_index_slot slots[YB_BATCH];
    size_t left = m->head.slots - *place, n = left < YB_BATCH ? left : YB_BATCH;

    if (yb_index_read_slots(m->index_fd, *place, n, slots) != n) {
        m->damaged = true;
        return yb_mailbox_err_damaged(err);
    }
    if (yb_account_busy(m->account, err) < 0 || yb_mailbox_begin(m, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if ((slots[i].state & YB_SLOT_LIVE) != 0 && (slots[i].state & YB_SLOT_NEW) != 0 &&
            take_slot(m, &slots[i], *place + i, err) < 0)
            return -1;
    }
    *place += n;
    if (yb_mailbox_end(m, err) < 0)
        return -1;
    return yb_account_settle(m->account, err);
}

/* The lowest UID of a file in new/, above `above`; UINT32_MAX: there is none. */
static uint32_t
first_new(const struct yb_mailbox *m, uint32_t above)
{
    int fd = yb_sys_open(m->new_fd, ".", O_RDONLY | O_DIRECTORY);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    uint32_t first = UINT32_MAX;

    if (list == NULL) {
        yb_sys_close(&fd);
        return first; /* it stays there: nothing depends on it */
    }
    for (const struct dirent *e; (e = readdir(list)) != NULL;) {
        struct yb_name name;

        if (yb_name_parse(yb_str_from(e->d_name), &name) && name.uidvalidity == m->uidvalidity &&
            name.uid > above && name.uid < first)
            first = name.uid;
    }
    closedir(list);
    return first;
}

/* The place of the first record from this UID on. */
static size_t
place_of(struct yb_mailbox *m, uint32_t uid)
{
    size_t low = 0, high = m->head.slots;

    while (low < high) {
        size_t at = low + (high - low) / 2;
        struct yb_index_slot slot;

        if (yb_index_read_slots(m->index_fd, at, 1, &slot) != 1)
            return 0;
        if (slot.uid < uid)
            low = at + 1;
        else
            high = at;
    }
    return low;
}

int
yb_recent_take(struct yb_mailbox *m, struct yb_err *err)
{
    uint32_t uid = m->head.slots == 0 ? UINT32_MAX : first_new(m, 0);
    uint64_t generation = m->head.generation;
    size_t place = uid == UINT32_MAX ? m->head.slots : place_of(m, uid);

    while (place < m->head.slots) {
        if (take_batch(m, &place, err) < 0) {
            yb_mailbox_mend(m);
            return -1;
        }
        if (place >= m->head.slots)
            break;
        if (yb_account_breathe(m->account, err) < 0)
            return -2; /* the lock is gone */
        if (yb_mailbox_enter(m, err) < 0)
            return -1;
        if (m->head.generation != generation) { /* compacted: its records stand elsewhere */
            generation = m->head.generation;
            place = place_of(m, uid);
        }
    }
    return 0;
}
