/*
 * Taking messages out: unlink, then a tombstone that tells other sessions. Order under the lock,
 * for up to YB_BATCH messages: busy marks and MODSEQ; unlink; record; … head with counts; usage.
 */
#include "lib/base/fault.h"
#include "lib/store/deeds.h"
#include "lib/store/notify.h"
#include "lib/store/sys.h"
#include "lib/store/table.h"

#include <errno.h>
#include <unistd.h>

struct wish {
    struct yb_mailbox *m;
    const uint32_t *uids;
    bool only_deleted;
    bool withdrawn; /* was never answered for: its delivery id is to be found nowhere */
};

/* Removes one live record's file and buries the record. */
static int
expunge_slot(struct yb_mailbox *m, struct yb_index_slot *slot, size_t place,
             const struct wish *wish, struct yb_err *err)
{
    char name[YB_NAME_MAX];

    yb_index_name(&m->head, slot, name);
    if (yb_sys_unlink(yb_mailbox_place_fd(m, slot), name) < 0 && errno != ENOENT)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "remove a message");
    yb_fault("store.expunge.unlinked");
    yb_index_count(&m->head, slot, -1);
    yb_account_use(m->account, -(int64_t)slot->size, -1);
    m->head.dead++;
    slot->state = YB_SLOT_DEAD;
    slot->modseq = m->head.modseq;
    slot->died = yb_clock_now();
    if (wish->withdrawn)
        slot->id = (struct yb_delivery_id){ { 0 } };
    if (yb_index_write_slots(m->index_fd, place, 1, slot) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_INDEX_FILE);
    yb_table_tell(m, slot, place);
    return 0;
}

/* Up to a batch of UIDs, under the lock. */
static int
expunge_batch(struct yb_mailbox *m, const uint32_t *uids, size_t n, const struct wish *wish,
              struct yb_err *err)
{
    size_t hint = 0, place;
    bool begun = false;

    if (yb_mailbox_enter(m, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct yb_index_slot slot;

        if (!yb_mailbox_slot(m, uids[i], hint, &slot, &place)) {
            if (m->damaged)
                return yb_mailbox_err_damaged(err);
            continue;
        }
        hint = place + 1;
        if ((slot.state & YB_SLOT_LIVE) == 0 ||
            (wish->only_deleted && (slot.flags & YB_FLAG_DELETED) == 0))
            continue;
        if (!begun) {
            if (yb_mailbox_reserve(m, 0, 1, err) < 0 || yb_account_busy(m->account, err) < 0)
                return -1;
            yb_table_expect(m);
            m->head.changed_modseq = ++m->head.modseq;
            if (yb_mailbox_begin(m, err) < 0)
                return -1;
            begun = true;
            yb_fault("store.expunge.begun");
        }
        if (expunge_slot(m, &slot, place, wish, err) < 0)
            return -1;
    }
    if (!begun)
        return 0;
    yb_fault("store.expunge.recorded");
    if (yb_mailbox_end(m, err) < 0 || yb_account_settle(m->account, err) < 0)
        return -1;
    yb_table_settle(m);
    return 0;
}

/* A batch; when a record was broken it is tried once more with the index made anew. */
static int
expunge_some(void *arg, size_t first, size_t n, struct yb_err *err)
{
    const struct wish *wish = arg;
    struct yb_mailbox *m = wish->m;
    struct yb_err why = { 0 };

    for (int i = 0; i < 2; i++) {
        bool damaged;

        if (expunge_batch(m, wish->uids + first, n, wish, &why) == 0)
            return 0;
        damaged = m->damaged;
        yb_mailbox_mend(m);
        if (!damaged)
            break;
    }
    if (err != NULL)
        *err = why;
    return -1;
}

static int
expunge(struct wish *wish, size_t n, struct yb_err *err)
{
    struct yb_store_account *a = wish->m->account;
    int rc;

    if ((wish->withdrawn ? yb_account_lock_withdraw : yb_account_lock)(a, err) < 0)
        return -1;
    rc = yb_account_in_batches(a, n, expunge_some, wish, err);
    if (rc != -2)
        yb_account_unlock(a);
    yb_notify_changed(wish->m); /* of what was done, whatever came then */
    return rc < 0 ? -1 : 0;
}

int
yb_mailbox_expunge(struct yb_mailbox *m, const uint32_t *uids, size_t n, bool only_deleted,
                   bool durable, struct yb_err *err)
{
    struct wish wish = { .m = m, .uids = uids, .only_deleted = only_deleted };
    int rc = expunge(&wish, n, err);

    if (rc == 0 && durable && (yb_sys_fsync(m->cur_fd) < 0 || yb_sys_fsync(m->new_fd) < 0))
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "sync a mailbox");
    return rc;
}

void
yb_expunge_one(struct yb_mailbox *m, uint32_t uid)
{
    struct wish wish = { .m = m, .uids = &uid, .withdrawn = true };
    struct yb_err err = { 0 };

    if (expunge(&wish, 1, &err) < 0)
        yb_mailbox_log(m, "store.withdraw.failed", &err);
}
