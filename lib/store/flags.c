/*
 * Flags and keywords of messages: they stand in the file's name. Order under the lock, for up to
 * YB_BATCH messages: busy marks and MODSEQ; rename; record; … head; usage. A name that was changed
 * without its record is found by comparing.
 */
#include "lib/base/fault.h"
#include "lib/store/deeds.h"
#include "lib/store/notify.h"
#include "lib/store/sys.h"
#include "lib/store/table.h"

#include <errno.h>

static uint32_t
combine(enum yb_flag_op op, uint32_t old, uint32_t given)
{
    switch (op) {
    case YB_FLAGS_ADD:
        return old | given;
    case YB_FLAGS_REMOVE:
        return old & ~given;
    case YB_FLAGS_SET:
        break;
    }
    return given;
}

/* What one message shall have. */
struct planned {
    struct yb_index_slot slot;
    size_t place;
    uint32_t flags;
    struct yb_keyword_ref keywords;
};

/* Renames one message and writes its record; a message that is gone keeps its record for the
 * compare. */
static int
change_slot(struct yb_mailbox *m, const struct planned *p, struct yb_err *err)
{
    char from[YB_NAME_MAX], to[YB_NAME_MAX];
    struct yb_index_slot slot = p->slot;
    int from_fd = yb_mailbox_place_fd(m, &slot);

    yb_index_name(&m->head, &slot, from);
    yb_index_count(&m->head, &slot, -1);
    slot.flags = (uint16_t)p->flags;
    slot.keywords = p->keywords.letters;
    slot.set = p->keywords.set;
    slot.state &= (uint16_t)~YB_SLOT_NEW; /* flags are for names in cur/ */
    slot.modseq = m->head.modseq;
    yb_index_count(&m->head, &slot, 1);
    yb_index_name(&m->head, &slot, to);
    if (yb_mailbox_rename(m, from_fd, from, m->cur_fd, to) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "rename a message");
    yb_fault("store.flags.renamed");
    if (yb_index_write_slots(m->index_fd, p->place, 1, &slot) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_INDEX_FILE);
    yb_table_tell(m, &slot, p->place);
    return 0;
}

/* The first change of a batch: nothing before it costs a MODSEQ. */
static int
begin_changes(struct yb_mailbox *m, struct yb_err *err)
{
    if (yb_mailbox_reserve(m, 0, 1, err) < 0 || yb_account_busy(m->account, err) < 0)
        return -1;
    yb_table_expect(m);
    m->head.changed_modseq = ++m->head.modseq;
    if (yb_mailbox_begin(m, err) < 0)
        return -1;
    yb_fault("store.flags.begun");
    return 0;
}

/* What shall become of one message: 1, or 0 when it stays as it is. A message that is gone uses no
 * keyword up. */
static int
plan_one(struct yb_mailbox *m, uint32_t uid, struct yb_store_flags *op, struct yb_keyword_job *j,
         struct planned *p, struct yb_err *err)
{
    const struct yb_keyword_op names = { .op = op->op, .names = op->keywords, .n = op->n_keywords };
    const struct yb_index_slot *slot = &p->slot;
    struct yb_keyword_ref have;

    if ((slot->state & YB_SLOT_LIVE) == 0)
        return 0;
    if (op->unchanged_since != 0 && slot->modseq > op->unchanged_since) {
        if (op->failed != NULL)
            op->failed[op->n_failed++] = uid;
        return 0;
    }
    have = (struct yb_keyword_ref){ slot->keywords, slot->set };
    p->flags = combine(op->op, slot->flags, op->flags);
    if (j->m == NULL && yb_keywords_begin(j, m, err) < 0)
        return -1;
    if (yb_keywords_apply(j, &names, &have, &p->keywords, err) < 0)
        return -1;
    return p->flags != slot->flags || p->keywords.letters != have.letters ||
           p->keywords.set != have.set;
}

/* What shall become of a batch; how many messages change. */
static int
plan(struct yb_mailbox *m, const uint32_t *uids, size_t n, struct yb_store_flags *op,
     struct planned *v, size_t *n_planned, struct yb_err *err)
{
    struct yb_keyword_job j = { .m = NULL };
    size_t hint = 0;
    int rc = 0;

    *n_planned = 0;
    for (size_t i = 0; i < n && rc >= 0; i++) {
        struct planned *p = &v[*n_planned];

        if (yb_mailbox_slot(m, uids[i], hint, &p->slot, &p->place)) {
            hint = p->place + 1;
            rc = plan_one(m, uids[i], op, &j, p, err);
            *n_planned += rc == 1;
        } else if (m->damaged) {
            rc = yb_mailbox_err_damaged(err);
        }
    }
    if (rc >= 0 && j.m != NULL)
        rc = yb_keywords_keep(&j, err);
    yb_keywords_end(&j);
    return rc < 0 ? -1 : 0;
}

static int
store_batch(struct yb_mailbox *m, const uint32_t *uids, size_t n, struct yb_store_flags *op,
            struct planned *v, struct yb_err *err)
{
    size_t n_planned;

    if (plan(m, uids, n, op, v, &n_planned, err) < 0)
        return -1;
    if (n_planned == 0)
        return 0;
    if (begin_changes(m, err) < 0)
        return -1;
    for (size_t i = 0; i < n_planned; i++) {
        if (change_slot(m, &v[i], err) < 0)
            return -1;
    }
    yb_fault("store.flags.recorded");
    if (yb_mailbox_end(m, err) < 0 || yb_account_settle(m->account, err) < 0)
        return -1;
    yb_table_settle(m);
    return 0;
}

struct job {
    struct yb_mailbox *m;
    const uint32_t *uids;
    struct yb_store_flags *op;
};

/* A batch; when a name was not there (another program was quicker), or a record was broken, it is
 * tried once more after the compare that yb_mailbox_mend() makes. */
static int
store_some(void *arg, size_t first, size_t n, struct yb_err *err)
{
    const struct job *j = arg;
    struct yb_mailbox *m = j->m;
    struct yb_store_flags *op = j->op;
    struct planned *v = yb_alloc(YB_BATCH, sizeof(*v));
    size_t n_failed = op->n_failed;
    struct yb_err why = { 0 };
    int rc = -1;

    for (int i = 0; i < 2; i++) {
        bool damaged;

        why = (struct yb_err){ 0 };
        if (yb_mailbox_enter(m, &why) < 0)
            break;
        op->n_failed = n_failed;
        rc = store_batch(m, j->uids + first, n, op, v, &why);
        if (rc == 0)
            break;
        damaged = m->damaged;
        yb_mailbox_mend(m);
        if (why.sys != ENOENT && !damaged)
            break;
    }
    yb_free(v);
    if (rc < 0 && err != NULL)
        *err = why;
    return rc;
}

int
yb_mailbox_store(struct yb_mailbox *m, const uint32_t *uids, size_t n, struct yb_store_flags *op,
                 struct yb_err *err)
{
    struct yb_store_account *a = m->account;
    struct job j = { m, uids, op };
    struct yb_index_head head;
    int rc;

    op->n_failed = 0;
    if (yb_account_lock(a, err) < 0)
        return -1;
    rc = yb_account_in_batches(a, n, store_some, &j, err);
    if (rc != -2) {
        head = m->head;
        yb_account_unlock(a);
    }
    if (rc == 0)
        yb_mailbox_raise_ahead(m, &head);
    yb_notify_changed(m); /* of what was done, whatever came then */
    return rc < 0 ? -1 : 0;
}
