/*
 * COPY and MOVE inside an account. Order under the lock, for up to YB_BATCH messages:
 *
 *   COPY  busy marks, UIDNEXT and MODSEQ of the target; links; records; head; usage
 *   MOVE  busy marks of both, UIDNEXT, MODSEQs; per message: rename, tombstone; records; heads
 *
 * then, without the lock, the folders are synced. A name without a record, or a record without its
 * name, is found by comparing. A COPY that fails takes back what it copied; of a MOVE the caller is
 * told what moved.
 */
#include "lib/base/fault.h"
#include "lib/store/deeds.h"
#include "lib/store/notify.h"
#include "lib/store/sys.h"
#include "lib/store/table.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct job {
    struct yb_mailbox *from, *to;
    bool move;
    uint64_t quota_bytes;
    const uint32_t *uids;
    size_t n;
    struct yb_copy *out;
    bool adopted; /* some files were never synced by us */
    struct batch *batch;
    uint32_t *places; /* where the target's index holds the copies, in the order of `uids` */
};

/* What one batch is about: records found, in the order of the UIDs. */
struct batch {
    struct yb_index_slot slots[YB_BATCH], made[YB_BATCH];
    struct yb_keyword_ref keywords[YB_BATCH]; /* in the target */
    size_t places[YB_BATCH], which[YB_BATCH];
    size_t n;
    uint64_t bytes;
};

static void
find_batch(struct job *j, size_t first, size_t n, struct batch *b)
{
    size_t hint = 0;

    b->n = 0;
    b->bytes = 0;
    for (size_t i = first; i < first + n; i++) {
        if (!yb_mailbox_slot(j->from, j->uids[i], hint, &b->slots[b->n], &b->places[b->n]))
            continue;
        hint = b->places[b->n] + 1;
        if ((b->slots[b->n].state & YB_SLOT_LIVE) == 0)
            continue;
        b->bytes += b->slots[b->n].size;
        b->which[b->n++] = i;
    }
}

/* All of it has to fit, or nothing is begun. */
static int
check_quota(struct job *j, struct yb_err *err)
{
    uint64_t used = j->from->account->head.bytes, want = 0;

    if (j->quota_bytes == 0 || j->move)
        return 0;
    for (size_t i = 0, hint = 0; i < j->n; i++) {
        struct yb_index_slot slot;
        size_t place;

        if (!yb_mailbox_slot(j->from, j->uids[i], hint, &slot, &place))
            continue;
        hint = place + 1;
        want += (slot.state & YB_SLOT_LIVE) != 0 ? slot.size : 0;
    }
    if (used <= j->quota_bytes && want <= j->quota_bytes - used)
        return 0;
    return yb_err_as(err, YB_ERR_FULL, YB_PERM, "5.2.2", "Mailbox full");
}

/* Keywords go over by their names, those that a message has; what the target has no room for stays
 * behind. */
static int
name_one(struct yb_keyword_job *from, struct yb_keyword_job *to, const struct yb_index_slot *slot,
         struct yb_arena *arena, struct yb_keyword_ref *out, struct yb_err *err)
{
    const struct yb_keyword_ref nothing = { 0, 0 };
    struct yb_record r = { .keywords = slot->keywords, .keyword_set = slot->set };
    struct yb_str *names = yb_arena_alloc(arena, YB_KEYWORDS_MOST, sizeof(*names)), name;
    struct yb_keyword_op op = { .op = YB_FLAGS_SET, .names = names, .partly = true };
    char room[YB_KEYWORD_TEXT];
    size_t at = 0;

    while (yb_keywords_of(from->k, &r, &at, room, &name))
        names[op.n++] = name.p == room ? yb_arena_dup(arena, name) : name;
    return yb_keywords_apply(to, &op, &nothing, out, err);
}

/* What the keywords of a batch are called in the target; there when this returns. */
static int
name_keywords(const struct job *j, struct batch *b, struct yb_err *err)
{
    struct yb_keyword_job from = { .m = NULL }, to = { .m = NULL };
    struct yb_arena *arena = yb_arena_new(4096);
    int rc = 0;

    for (size_t k = 0; k < b->n && rc == 0; k++) {
        const struct yb_index_slot *slot = &b->slots[k], *last = &b->slots[k > 0 ? k - 1 : 0];

        b->keywords[k] = (struct yb_keyword_ref){ slot->keywords, slot->set };
        if (j->from == j->to || (slot->keywords == 0 && slot->set == 0))
            continue;
        if (k > 0 && slot->keywords == last->keywords && slot->set == last->set) {
            b->keywords[k] = b->keywords[k - 1];
            continue;
        }
        if (to.m == NULL &&
            (yb_keywords_begin(&from, j->from, err) < 0 || yb_keywords_begin(&to, j->to, err) < 0))
            rc = -1;
        else
            rc = name_one(&from, &to, slot, arena, &b->keywords[k], err);
        yb_arena_reset(arena);
    }
    if (rc == 0 && to.m != NULL)
        rc = yb_keywords_keep(&to, err);
    yb_keywords_end(&from);
    yb_keywords_end(&to);
    yb_arena_free(&arena);
    return rc;
}

static struct yb_index_slot
target_slot(const struct job *j, const struct batch *b, size_t k, uint32_t uid)
{
    const struct yb_index_slot *source = &b->slots[k];
    struct yb_index_slot slot = *source;

    slot.uid = uid;
    slot.cache = 0;
    slot.modseq = j->to->head.modseq;
    slot.keywords = b->keywords[k].letters;
    slot.set = b->keywords[k].set;
    slot.state = YB_SLOT_LIVE | (source->state & YB_SLOT_ADOPTED);
    if (slot.flags == 0 && slot.keywords == 0 && slot.set == 0)
        slot.state |= YB_SLOT_NEW;
    if (j->move)
        return slot;
    slot.time = yb_clock_now();
    slot.id = yb_delivery_id_new();
    slot.node = j->to->account->store->conf.node;
    return slot;
}

/* One message: the name in the target, and for a MOVE the tombstone in the source. */
static int
copy_one(struct job *j, struct batch *b, size_t k, struct yb_err *err)
{
    struct yb_index_slot *source = &b->slots[k], *made = &b->made[k];
    char from[YB_NAME_MAX], to[YB_NAME_MAX];
    int from_fd = yb_mailbox_place_fd(j->from, source), to_fd = yb_mailbox_place_fd(j->to, made);

    yb_index_name(&j->from->head, source, from);
    yb_index_name(&j->to->head, made, to);
    if (!j->move) {
        if (yb_sys_link(from_fd, from, to_fd, to) < 0)
            return yb_err_sys(err, YB_TEMP, "4.3.0", "copy a message");
        yb_fault("store.copy.linked");
        return 0;
    }
    if (yb_mailbox_move_name(j->from, from_fd, from, to_fd, to) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "move a message");
    yb_fault("store.move.renamed");
    yb_index_count(&j->from->head, source, -1);
    j->from->head.dead++;
    source->state = YB_SLOT_DEAD;
    source->modseq = j->from->head.changed_modseq;
    source->died = yb_clock_now();
    if (yb_index_write_slots(j->from->index_fd, b->places[k], 1, source) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_INDEX_FILE);
    yb_table_tell(j->from, source, b->places[k]);
    return 0;
}

/* UIDNEXT, MODSEQs and busy marks. */
static int
begin_batch(struct job *j, struct batch *b, struct yb_err *err)
{
    struct yb_mailbox *from = j->from, *to = j->to;

    if (yb_mailbox_reserve(to, b->n, 2, err) < 0 ||
        (j->move && from != to && yb_mailbox_reserve(from, 0, 1, err) < 0) ||
        yb_account_busy(to->account, err) < 0)
        return -1;
    yb_table_expect(to);
    if (from != to)
        yb_table_expect(from);
    to->head.modseq++;
    for (size_t k = 0; k < b->n; k++)
        b->made[k] = target_slot(j, b, k, to->head.uidnext + (uint32_t)k);
    to->head.uidnext += (uint32_t)b->n;
    if (j->move) {
        from->head.modseq += from != to;
        from->head.changed_modseq = from->head.modseq;
        if (from != to && yb_mailbox_begin(from, err) < 0)
            return -1;
    }
    return yb_mailbox_begin(to, err);
}

/* Records of what was linked or renamed, counts, usage, marks. */
static int
end_batch(struct job *j, struct batch *b, struct yb_err *err)
{
    struct yb_mailbox *from = j->from, *to = j->to;
    size_t first = to->head.slots;

    if (yb_index_write_slots(to->index_fd, first, b->n, b->made) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_INDEX_FILE);
    yb_fault("store.copy.recorded");
    for (size_t k = 0; k < b->n; k++) {
        yb_index_count(&to->head, &b->made[k], 1);
        yb_table_tell(to, &b->made[k], first + k);
    }
    for (size_t k = 0; k < b->n; k++)
        j->places[b->which[k]] = (uint32_t)(first + k);
    to->head.slots += (uint32_t)b->n;
    if (!j->move)
        yb_account_use(to->account, (int64_t)b->bytes, (int64_t)b->n);
    if ((j->move && from != to && yb_mailbox_end(from, err) < 0) || yb_mailbox_end(to, err) < 0 ||
        yb_account_settle(to->account, err) < 0)
        return -1;
    yb_table_settle(to);
    if (from != to)
        yb_table_settle(from);
    return 0;
}

/* Enters both mailboxes, checks what may not be, finds the records. */
static int
prepare_batch(struct job *j, size_t first, size_t n, struct batch *b, struct yb_err *err)
{
    if (yb_mailbox_enter(j->from, err) < 0 ||
        (j->from != j->to && yb_mailbox_enter(j->to, err) < 0))
        return -1;
    if (first == 0 && check_quota(j, err) < 0)
        return -1;
    find_batch(j, first, n, b);
    return j->from->damaged ? yb_mailbox_err_damaged(err) : 0;
}

static int
run_batch(void *arg, size_t first, size_t n, struct yb_err *err)
{
    struct job *j = arg;
    struct batch *b = j->batch;
    int rc = prepare_batch(j, first, n, b, NULL);

    if (rc < 0) /* once more: entering makes an index with a broken record anew */
        rc = prepare_batch(j, first, n, b, err);
    if (rc < 0)
        return -1;
    if (b->n == 0)
        return 0;
    if (name_keywords(j, b, err) < 0 || begin_batch(j, b, err) < 0)
        return -1;
    yb_fault("store.copy.begun");
    for (size_t k = 0; k < b->n; k++) {
        if (copy_one(j, b, k, err) < 0)
            return -1;
        j->out->new_uids[b->which[k]] = b->made[k].uid;
        j->out->n_done++;
        j->adopted |= (b->made[k].state & YB_SLOT_ADOPTED) != 0;
    }
    return end_batch(j, b, err);
}

/* Files that another program put there may never have been synced; their copies shall be. Their bytes
 * are meant: the names are their folder's, which is synced afterwards. */
static int
sync_adopted(const struct job *j, struct yb_err *err)
{
    for (size_t i = 0; j->adopted && i < j->n; i++) {
        struct yb_record r = { .uid = j->out->new_uids[i], .slot = j->places[i] };
        int fd, rc;

        if (r.uid == 0 || yb_mailbox_message(j->to, &r, &fd, NULL) < 0)
            continue;
        rc = yb_sys_fdatasync(fd);
        close(fd);
        if (rc < 0)
            return yb_err_sys(err, YB_TEMP, "4.3.0", "sync a message");
    }
    return 0;
}

static int
sync_folders(const struct job *j, struct yb_err *err)
{
    if (j->out->n_done == 0)
        return 0;
    if (sync_adopted(j, err) < 0)
        return -1;
    /* A name may go from new/ to cur/ meanwhile: in this order it is kept. */
    if (yb_sys_fsync(j->to->new_fd) < 0 || yb_sys_fsync(j->to->cur_fd) < 0 ||
        (j->move && (yb_sys_fsync(j->from->cur_fd) < 0 || yb_sys_fsync(j->from->new_fd) < 0)))
        return yb_err_sys(err, YB_TEMP, "4.3.0", "sync a mailbox");
    yb_fault("store.copy.synced");
    return 0;
}

static int
run(struct job *j, struct yb_err *err)
{
    struct yb_store_account *a = j->from->account;
    struct yb_index_head head = { 0 };
    int rc;

    if (yb_account_lock(a, err) < 0)
        return -1;
    j->batch = yb_alloc(1, sizeof(*j->batch));
    rc = yb_account_in_batches(a, j->n, run_batch, j, err);
    yb_free(j->batch);
    if (rc == -2)
        return -1;
    if (rc < 0) {
        yb_mailbox_mend(j->from);
        yb_mailbox_mend(j->to);
    }
    head = j->to->head;
    yb_account_unlock(a);
    if (rc == 0)
        yb_mailbox_raise_ahead(j->to, &head);
    return rc;
}

/* What a failed COPY made is taken out again. */
static void
undo(const struct job *j)
{
    uint32_t *made = yb_alloc(j->n, sizeof(*made));
    struct yb_err err = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < j->n; i++) {
        if (j->out->new_uids[i] != 0)
            made[n++] = j->out->new_uids[i];
        j->out->new_uids[i] = 0;
    }
    if (n > 0 && yb_mailbox_expunge(j->to, made, n, false, false, &err) < 0)
        yb_mailbox_log(j->to, "store.withdraw.failed", &err);
    j->out->n_done = 0;
    yb_free(made);
}

static int
copy_or_move(struct job *j, struct yb_err *err)
{
    int rc;

    yb_assert(j->from->account == j->to->account);
    /* Two handles of one mailbox, opened before and after the folders changed, would be two opinions
     * of its head. */
    if (yb_sys_same_file(j->from->dir_fd, j->to->dir_fd))
        j->to = j->from;
    memset(j->out->new_uids, 0, j->n * sizeof(*j->out->new_uids));
    j->out->n_done = 0;
    j->out->uidvalidity = yb_mailbox_uidvalidity(j->to);
    j->places = yb_alloc(j->n + 1, sizeof(*j->places));
    rc = run(j, err);
    if (rc == 0 || j->move)
        rc = sync_folders(j, rc == 0 ? err : NULL) < 0 ? -1 : rc;
    yb_free(j->places);
    if (rc < 0 && !j->move)
        undo(j);
    yb_notify_changed(j->to);
    if (j->move && j->from != j->to)
        yb_notify_changed(j->from);
    return rc;
}

int
yb_mailbox_copy(struct yb_mailbox *from, const uint32_t *uids, size_t n, struct yb_mailbox *to,
                uint64_t quota_bytes, struct yb_copy *out, struct yb_err *err)
{
    struct job j = {
        .from = from, .to = to, .quota_bytes = quota_bytes, .uids = uids, .n = n, .out = out
    };

    return copy_or_move(&j, err);
}

int
yb_mailbox_move(struct yb_mailbox *from, const uint32_t *uids, size_t n, struct yb_mailbox *to,
                struct yb_copy *out, struct yb_err *err)
{
    struct job j = { .from = from, .to = to, .move = true, .uids = uids, .n = n, .out = out };

    return copy_or_move(&j, err);
}
