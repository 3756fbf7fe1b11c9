/*
 * An account made whole: after another boot, a torn head or a busy mark every mailbox is compared,
 * usage is counted again from their heads, and the ring of delivery ids is filled again.
 */
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/store/sys.h"
#include "lib/store/truth.h"

#include <stdlib.h>

#define TAIL 1024 /* records of a mailbox that are looked at for the ring */

/* What a count over all mailboxes gathers. */
struct tally {
    struct yb_store_account *a;
    uint64_t bytes, messages;
    bool ring;
    struct tail *tail; /* newest records of each mailbox, when the ring is to be filled */
    size_t n_tail, room;
};

struct tail {
    int64_t time;
    struct yb_ring_entry entry;
};

static void
tally_tail(struct tally *t, struct yb_mailbox *m)
{
    struct yb_index_slot *slots = yb_alloc(TAIL, sizeof(*slots));
    size_t first = m->head.slots > TAIL ? m->head.slots - TAIL : 0;
    size_t n = yb_index_read_slots(m->index_fd, first, m->head.slots - first, slots);

    if (t->n_tail + n > t->room) {
        t->room = (t->n_tail + n) * 2;
        t->tail = yb_realloc(t->tail, t->room, sizeof(*t->tail));
    }
    for (size_t i = 0; i < n; i++) {
        if (!yb_delivery_id_is_zero(slots[i].id)) /* zero: what was withdrawn */
            t->tail[t->n_tail++] =
                (struct tail){ slots[i].time, { slots[i].id, m->head.uidvalidity, slots[i].uid } };
    }
    yb_free(slots);
}

/*
 * A mailbox that cannot be mended now is logged, and the others go on. It counts as its index says:
 * mending adds the difference, or counts all again where the index is not believed.
 */
static void
tally_troubled(struct tally *t, const struct yb_mailbox *m, const struct yb_err *trouble)
{
    struct yb_index_head head;

    yb_mailbox_log(m, "store.mailbox.trouble", trouble);
    if (m->index_fd < 0 || !yb_index_read_head(m->index_fd, &head))
        return;
    t->bytes += head.bytes;
    t->messages += head.messages;
}

static int
tally_folder(void *arg, const struct yb_folder_dir *dir, struct yb_err *err)
{
    struct tally *t = arg;
    struct yb_mailbox *m = NULL;
    struct yb_err trouble = { 0 };

    if (yb_mailbox_find_entered(t->a, dir, false, &m, &trouble) < 0 && m == NULL) {
        if (yb_sys_scarce(trouble.sys)) { /* every other one would be missed, too */
            *err = trouble;
            return -1;
        }
        if (trouble.class != YB_PERM)
            yb_log_err(YB_LOG_ERROR, NULL, "store.mailbox.trouble", &trouble);
        return 0;
    }
    if (trouble.class == YB_PERM && (m->head.marks & YB_INDEX_GONE) != 0) {
        yb_mailbox_forget(t->a, dir);
        yb_folder_finish_delete(t->a, dir);
    } else if (trouble.class != YB_OK) {
        tally_troubled(t, m, &trouble);
    } else {
        t->bytes += m->head.bytes;
        t->messages += m->head.messages;
        if (t->ring)
            tally_tail(t, m);
    }
    yb_mailbox_close(&m);
    return 0;
}

static int
tail_order(const void *a, const void *b)
{
    const struct tail *x = a, *y = b;

    return x->time < y->time ? -1 : x->time > y->time;
}

/* The ring of another boot is void: the newest ids of all mailboxes take its place. */
static int
ring_refill(struct yb_store_account *a, struct tally *t)
{
    struct yb_ring_entry *entries = yb_alloc(YB_RING, sizeof(*entries));
    size_t n = t->n_tail < YB_RING ? t->n_tail : YB_RING;
    int rc;

    if (t->n_tail > 0)
        qsort(t->tail, t->n_tail, sizeof(*t->tail), tail_order);
    for (size_t i = 0; i < n; i++)
        entries[i] = t->tail[t->n_tail - n + i].entry;
    rc = yb_lockfile_ring_fill(a->lock_fd, entries, n);
    a->head.ring_next = (uint32_t)(n % YB_RING);
    yb_free(entries);
    return rc;
}

static int
count_all(struct yb_store_account *a, bool ring, struct yb_err *err)
{
    struct tally t = { .a = a, .ring = ring };
    struct yb_err why = { 0 };
    int rc;

    rc = yb_account_folders(a, tally_folder, &t, &why);
    if (rc < 0 && err != NULL)
        *err = why;
    if (rc == 0 && ring && ring_refill(a, &t) < 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_LOCK_FILE);
    if (rc == 0) { /* what compares on the way noted is among it */
        a->head.bytes = t.bytes;
        a->head.messages = t.messages;
        a->usage_unknown = false;
    }
    yb_free(t.tail);
    return rc;
}

int
yb_account_settle(struct yb_store_account *a, struct yb_err *err)
{
    if (a->usage_unknown && count_all(a, false, err) < 0)
        return -1;
    return yb_account_write_usage(a, err);
}

int
yb_account_repair(struct yb_store_account *a, bool head_valid, struct yb_err *err)
{
    int rc;

    if (yb_account_may_change(a, err) < 0)
        return -1;
    if (!head_valid) {
        /* A number no other process can have seen, so that all forget which name is which folder.
         */
        uint32_t folders = (uint32_t)yb_clock_now();

        a->head = (struct yb_lock_head){ .folders = folders | 1, .change = a->head.change };
        memcpy(a->head.boot, a->boot, YB_ID_BYTES);
    }
    yb_mailbox_forget_all(a);
    a->folders_seen = a->head.folders;
    if (yb_account_busy(a, err) < 0)
        return -1;
    yb_fault("store.repair");
    a->unclean = !head_valid;
    rc = count_all(a, !head_valid, err);
    a->unclean = false;
    if (rc < 0)
        return -1;
    yb_folder_empty_trash(a);
    return yb_account_settle(a, err);
}
