/*
 * Makes an index true: what the folders hold, read off the names, is compared with the records.
 *
 *   the folders have          the index has            becomes
 *   our name, UID counts      the same UID, alive      the record follows the file (flags, place)
 *                             a tombstone              foreign: it was buried, others were told
 *                             nothing, UID is last     a record (its maker died after the link)
 *                             nothing, UID is older    the whole index made anew
 *   nothing                   a live record            a tombstone
 *   a second file of a UID                             foreign; a second name of one file goes
 *   any other name                                     foreign: new UID, renamed to our form
 *   after an unclean stop: size is not S=              moved to yubin-lost/, it was never answered
 *
 * Order of writes: ceilings synced; busy marks and UIDNEXT (index made anew: the old one removed);
 * renames; records; head. Dying anywhere leads here again.
 */
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/store/cache.h"
#include "lib/store/dirty.h"
#include "lib/store/merge.h"
#include "lib/store/notify.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <unistd.h>

/* --- what there is --- */

static int
load_old(struct yb_compare *c)
{
    struct yb_mailbox *m = c->m;

    c->n_old = m->head.slots;
    c->old = yb_alloc(c->n_old + 1, sizeof(*c->old));
    return yb_index_read_slots(m->index_fd, 0, c->n_old, c->old) == c->n_old ? 0 : -1;
}

/* An index made anew begins at the ceilings: whatever was told before is below them. A mailbox that
 * got its UIDVALIDITY just now has told nothing. */
static void
begin_anew(struct yb_compare *c, const struct yb_uidfile *u)
{
    struct yb_mailbox *m = c->m;

    c->valid = false;
    c->n_old = 0;
    m->head = (struct yb_index_head){ .uidvalidity = u->uidvalidity,
                                      .uidnext = m->fresh ? 1 : u->uid_ceiling,
                                      .modseq = m->fresh ? 0 : u->modseq_ceiling,
                                      .generation = (uint64_t)yb_clock_now_us() };
    memcpy(m->head.boot, m->account->store->boot, YB_ID_BYTES);
}

/* Does the valid index know of everything that carries a UID? If not it is older than the names. */
static bool
index_is_older(const struct yb_compare *c)
{
    uint32_t last = c->n_old == 0 ? 0 : c->old[c->n_old - 1].uid;
    size_t k = 0;

    for (size_t i = 0; i < c->n_ours; i++) {
        uint32_t uid = c->scan.v[i].name.uid;

        if (uid >= c->m->head.uidnext)
            return true;
        while (k < c->n_old && c->old[k].uid < uid)
            k++;
        if (uid < last && c->old[k].uid != uid)
            return true;
    }
    return false;
}

/* A file that was buried and is back is not that message to those who were told: it is foreign. */
static void
disown_buried(struct yb_compare *c)
{
    size_t k = 0;
    bool any = false;

    for (size_t i = 0; i < c->n_ours; i++) {
        struct yb_found *f = &c->scan.v[i];
        char buf[YB_NAME_MAX];

        while (k < c->n_old && c->old[k].uid < f->name.uid)
            k++;
        if (k == c->n_old || c->old[k].uid != f->name.uid || (c->old[k].state & YB_SLOT_LIVE) != 0)
            continue;
        if (f->text == NULL)
            f->text = yb_arena_dup(c->scan.arena, yb_str_from(yb_found_text(f, buf))).p;
        f->ours = false;
        any = true;
    }
    if (any)
        c->n_ours = yb_scan_order(&c->scan);
}

/* How many records follow their files, as these are now. */
static size_t
count_changes(const struct yb_compare *c)
{
    struct yb_compare trial = *c;
    size_t n = 0;

    trial.out = yb_alloc(c->n_old + c->scan.n + 1, sizeof(*trial.out));
    trial.changed = yb_alloc(c->n_old + c->scan.n + 1, sizeof(*trial.changed));
    yb_compare_merge(&trial);
    for (size_t i = 0; i < trial.n_out; i++)
        n += trial.changed[i];
    yb_free(trial.out);
    yb_free(trial.changed);
    return n;
}

static int
take_stock(struct yb_compare *c, bool valid, struct yb_err *err)
{
    struct yb_mailbox *m = c->m;
    struct yb_uidfile u;
    int rc = yb_uidfile_read(m->dir_fd, &u, err);

    if (rc < 0)
        return -1;
    if (rc == 0 || u.uidvalidity != m->uidvalidity)
        return yb_mailbox_doubt(m, err);
    c->valid = valid && load_old(c) == 0;
    if (c->valid) { /* an older yubin-uid may have been put back */
        u.uid_ceiling = m->head.uid_ceiling > u.uid_ceiling ? m->head.uid_ceiling : u.uid_ceiling;
        u.modseq_ceiling =
            m->head.modseq_ceiling > u.modseq_ceiling ? m->head.modseq_ceiling : u.modseq_ceiling;
    }
    if (!c->valid)
        begin_anew(c, &u);
    c->scan = (struct yb_scan){ .cur_fd = m->cur_fd,
                                .new_fd = m->new_fd,
                                .uidvalidity = m->uidvalidity,
                                .uid_ceiling = u.uid_ceiling,
                                .known = c->old,
                                .n_known = c->n_old };
    c->cur_mtime = yb_sys_mtime(m->cur_fd);
    c->new_mtime = yb_sys_mtime(m->new_fd);
    if (yb_scan_read(&c->scan, err) < 0)
        return -1;
    c->n_ours = yb_scan_order(&c->scan);
    if (c->valid && index_is_older(c)) {
        begin_anew(c, &u);
    } else if (c->valid) {
        disown_buried(c);
    }
    c->n_expected = c->valid ? count_changes(c) : c->n_ours; /* made anew: each of them */
    return 0;
}

/* --- writing the index --- */

/* What stands in file names is given to nobody else, whatever yubin-keywords says of it. */
static void
keywords_cover(struct yb_compare *c)
{
    struct yb_index_head *head = &c->m->head;

    head->letters |= c->keywords;
    if (c->sets > head->sets)
        head->sets = c->sets;
}

static void
count_out(struct yb_compare *c)
{
    struct yb_index_head *head = &c->m->head;

    head->slots = (uint32_t)c->n_out;
    head->dead = head->messages = head->recent = head->unseen = head->deleted = 0;
    head->bytes = head->deleted_bytes = 0;
    if (!c->valid) {
        head->recent_uid = head->uidnext;
        for (size_t i = 0; i < c->n_out; i++) {
            if ((c->out[i].state & YB_SLOT_NEW) != 0 && c->out[i].uid < head->recent_uid)
                head->recent_uid = c->out[i].uid;
        }
    }
    for (size_t i = 0; i < c->n_out; i++) {
        if ((c->out[i].state & YB_SLOT_LIVE) != 0)
            yb_index_count(head, &c->out[i], 1);
        else
            head->dead++;
    }
}

/* In place: only what changed, in runs. */
static int
write_changed(struct yb_compare *c)
{
    for (size_t i = 0, end; i < c->n_out; i = end) {
        for (end = i + 1; end < c->n_out && c->changed[end] == c->changed[i];)
            end++;
        if (c->changed[i] && yb_index_write_slots(c->m->index_fd, i, end - i, c->out + i) < 0)
            return -1;
    }
    return 0;
}

/* The times before the reading count when nobody else changed anything until we did. */
static void
note_times(struct yb_compare *c, bool quiet)
{
    struct yb_mailbox *m = c->m;

    m->head.marks &= ~(YB_INDEX_BUSY | YB_INDEX_FOREIGN);
    if (!c->renamed) {
        yb_mailbox_looked(m, c->cur_mtime, c->new_mtime);
        return;
    }
    yb_mailbox_looked(m, yb_sys_mtime(m->cur_fd), yb_sys_mtime(m->new_fd));
    if (!quiet)
        m->head.marks |= YB_INDEX_FOREIGN;
}

static int
write_index(struct yb_compare *c, bool quiet, struct yb_err *err)
{
    struct yb_mailbox *m = c->m;
    bool existing = false;

    count_out(c);
    for (size_t i = 0; c->valid && i < c->n_old; i++)
        existing |= c->changed[i] && c->out[i].modseq >= c->first_modseq;
    if (existing || !c->valid)
        m->head.changed_modseq = c->last_modseq;
    if (!c->valid)
        m->head.compacted_modseq = c->last_modseq;
    note_times(c, quiet);
    m->head.marks |= YB_INDEX_DIRTY;
    if (!c->valid && yb_index_replace(m, c->out, c->n_out, err) < 0)
        return -1;
    if (c->valid && write_changed(c) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_INDEX_FILE);
    if (c->valid && yb_mailbox_write_head(m, err) < 0)
        return -1;
    m->damaged = m->fresh = false;
    yb_tidy_note(m);
    return 0;
}

static int
apply(struct yb_compare *c, struct yb_err *err)
{
    struct yb_mailbox *m = c->m;
    uint32_t first_uid = m->head.uidnext;
    size_t groups;
    bool quiet;

    c->fresh = m->fresh;
    c->n_foreign = c->scan.n - c->n_ours;
    groups = yb_compare_groups(c->n_expected + c->n_foreign);
    if (yb_mailbox_reserve(m, c->n_foreign, groups, err) < 0)
        return -1;
    c->modseq = c->first_modseq = m->head.modseq + 1;
    c->last_modseq = m->head.modseq + groups;
    m->head.modseq = c->last_modseq;
    m->head.uidnext += (uint32_t)c->n_foreign;
    if (!c->valid && unlinkat(m->dir_fd, YB_INDEX_FILE, 0) < 0 && errno != ENOENT)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "remove " YB_INDEX_FILE);
    if (c->valid && yb_mailbox_begin(m, err) < 0)
        return -1;
    yb_fault("store.compare");
    quiet = c->cur_mtime == yb_sys_mtime(m->cur_fd) && c->new_mtime == yb_sys_mtime(m->new_fd);
    if ((c->check_sizes && yb_compare_sizes(c, err) < 0) || yb_compare_straighten(c, err) < 0)
        return -1;
    c->out = yb_alloc(c->n_old + c->scan.n + 1, sizeof(*c->out));
    c->changed = yb_alloc(c->n_old + c->scan.n + 1, sizeof(*c->changed));
    yb_compare_merge(c);
    if (yb_compare_adopt(c, first_uid, err) < 0)
        return -1;
    keywords_cover(c);
    return write_index(c, quiet, err);
}

/* Nothing to do but to note the look: no MODSEQ is used up and nothing is told. */
static bool
nothing_differs(const struct yb_compare *c)
{
    if (!c->valid || c->scan.n != c->n_ours || (c->m->head.marks & YB_INDEX_BUSY) != 0)
        return false;
    for (size_t i = 0; i < c->n_ours; i++) {
        if (c->scan.v[i].text != NULL || c->scan.v[i].in_new != yb_found_into_new(&c->scan.v[i]))
            return false;
    }
    return c->n_expected == 0;
}

static void
report(const struct yb_compare *c)
{
    static const char *const reasons[] = { "busy", "foreign", "damage", "boot" };
    struct yb_log_line l;
    char id[YB_ID_TEXT];
    struct yb_store_check *sums = c->m->account->check;

    if (sums != NULL) {
        sums->rebuilt += !c->valid && !c->fresh;
        sums->lost += c->lost;
        sums->foreign += c->n_foreign;
    }
    if ((c->fresh || (c->valid && c->why == YB_COMPARE_FOREIGN)) && c->n_foreign == 0)
        return;
    yb_log_begin(&l, c->fresh || c->why == YB_COMPARE_FOREIGN ? YB_LOG_INFO : YB_LOG_WARN, NULL,
                 c->valid ? "store.mailbox.compared" : "store.mailbox.rebuilt");
    yb_log_str(&l, "account", yb_str_from(yb_account_id_text(c->m->account->id, id)));
    yb_log_str(&l, "folder", yb_str_from(c->m->dir.s));
    yb_log_str(&l, "reason", yb_str_from(reasons[c->why]));
    yb_log_num(&l, "messages", c->m->head.messages);
    yb_log_num(&l, "foreign", (int64_t)c->n_foreign);
    yb_log_num(&l, "lost", (int64_t)c->lost);
    yb_log_end(&l);
}

/* The account's usage follows: by the difference when the old counts are known; else whoever has the lock
 * counts when he settles. Of a folder that was made just now nothing was counted. */
static void
note_usage(struct yb_compare *c)
{
    static const struct yb_index_head nothing;
    const struct yb_index_head *now = &c->m->head, *before = c->m->made ? &nothing : &c->before;

    if (!c->valid && !c->m->made) {
        c->m->account->usage_unknown = true;
        return;
    }
    yb_account_use(c->m->account, (int64_t)(now->bytes - before->bytes),
                   (int64_t)now->messages - (int64_t)before->messages);
    c->m->made = false;
}

int
yb_mailbox_compare(struct yb_mailbox *m, bool index_valid, enum yb_compare_why why,
                   struct yb_err *err)
{
    struct yb_store_account *a = m->account;
    struct yb_compare c = { .m = m, .why = why, .before = m->head };
    bool own = a->head.busy == 0;
    int rc = -1;

    if (yb_account_may_change(a, err) < 0)
        return -1;
    m->n_old_names = 0; /* of a change that failed: they are found again */
    c.check_sizes = why == YB_COMPARE_BOOT || a->unclean;
    if (take_stock(&c, index_valid, err) < 0) {
        rc = -1;
    } else if (nothing_differs(&c)) {
        m->head.marks &= ~YB_INDEX_FOREIGN;
        yb_mailbox_looked(m, c.cur_mtime, c.new_mtime);
        rc = yb_mailbox_write_head(m, err);
    } else if ((!own || yb_account_busy(a, err) == 0) && apply(&c, err) == 0) {
        note_usage(&c);
        if (!c.valid)
            yb_cache_reset(m);
        rc = own ? yb_account_settle(a, err) : 0;
        report(&c);
        yb_notify_changed(m);
    }
    if (rc == 0)
        m->replaced = false;
    yb_scan_free(&c.scan);
    yb_free(c.old);
    yb_free(c.out);
    yb_free(c.changed);
    return rc;
}
