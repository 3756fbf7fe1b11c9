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
#include "lib/store/scan.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOST "yubin-lost"
#define DAY 86400

struct compare {
    struct yb_mailbox *m;
    enum yb_compare_why why;
    bool fresh; /* a mailbox that begins */
    bool valid; /* the records of the index count */
    bool check_sizes;
    bool any;     /* something changes */
    bool renamed; /* we changed the folders ourselves */
    struct yb_scan scan;
    size_t n_ours, n_foreign;
    struct yb_index_slot *old;
    size_t n_old;
    struct yb_index_slot *out; /* the records as they shall be */
    bool *changed;             /* which of them are to be written */
    size_t n_out;
    uint64_t modseq;   /* of all changes */
    uint32_t keywords; /* letters seen */
    uint64_t lost;
    struct yb_index_head before;
    int64_t cur_mtime, new_mtime;
};

/* --- what there is --- */

static int
load_old(struct compare *c)
{
    struct yb_mailbox *m = c->m;

    c->n_old = m->head.slots;
    c->old = yb_alloc(c->n_old + 1, sizeof(*c->old));
    return yb_index_read_slots(m->index_fd, 0, c->n_old, c->old) == c->n_old ? 0 : -1;
}

/* An index made anew begins at the ceilings: whatever was told before is below them. A mailbox that
 * got its UIDVALIDITY just now has told nothing. */
static void
begin_anew(struct compare *c, const struct yb_uidfile *u)
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
index_is_older(const struct compare *c)
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
disown_buried(struct compare *c)
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
        c->n_ours = yb_scan_order(&c->scan, c->m);
}

static int
take_stock(struct compare *c, bool valid, struct yb_err *err)
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
    c->scan = (struct yb_scan){ .known = c->old, .n_known = c->n_old };
    c->cur_mtime = yb_sys_mtime(m->cur_fd);
    c->new_mtime = yb_sys_mtime(m->new_fd);
    if (yb_scan_read(&c->scan, m, u.uid_ceiling, err) < 0)
        return -1;
    c->n_ours = yb_scan_order(&c->scan, m);
    if (c->valid && index_is_older(c)) {
        begin_anew(c, &u);
    } else if (c->valid) {
        disown_buried(c);
    }
    return 0;
}

/* --- after an unclean stop --- */

/* What was not whole when the machine stopped was never answered: out of the way, not deleted. */
static int
move_aside(struct compare *c, struct yb_found *f, const char *text, struct yb_err *err)
{
    struct yb_mailbox *m = c->m;
    struct yb_err note = { .class = YB_TEMP };
    char to[NAME_MAX + 16];

    snprintf(to, sizeof(to), LOST "/%s", text);
    if (yb_sys_mkdir(m->dir_fd, LOST) < 0 || renameat(yb_found_fd(m, f), text, m->dir_fd, to) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "move a message to " LOST);
    snprintf(note.text, sizeof(note.text), "size is not S=: moved to %.200s", to);
    yb_mailbox_log(m, "store.message.lost", &note);
    f->drop = true;
    c->renamed = true;
    c->lost++;
    return 0;
}

static int
check_sizes(struct compare *c, struct yb_err *err)
{
    for (size_t i = 0; i < c->n_ours; i++) {
        struct yb_found *f = &c->scan.v[i];
        char buf[YB_NAME_MAX];
        const char *text = yb_found_text(f, buf);
        struct stat st;

        if (fstatat(yb_found_fd(c->m, f), text, &st, AT_SYMLINK_NOFOLLOW) < 0)
            f->drop = true;
        else if ((uint64_t)st.st_size != f->name.size && move_aside(c, f, text, err) < 0)
            return -1;
    }
    return 0;
}

/* --- what shall be --- */

static struct yb_index_slot *
out_add(struct compare *c, const struct yb_index_slot *slot, bool changed)
{
    c->out[c->n_out] = *slot;
    c->changed[c->n_out] = changed;
    c->any |= changed;
    if ((slot->state & YB_SLOT_LIVE) != 0)
        c->keywords |= slot->keywords;
    return &c->out[c->n_out++];
}

static struct yb_index_slot
slot_of(const struct yb_name *name, bool in_new, uint64_t modseq)
{
    return (struct yb_index_slot){ .uid = name->uid,
                                   .flags = (uint16_t)name->flags,
                                   .state = YB_SLOT_LIVE | (in_new ? YB_SLOT_NEW : 0),
                                   .keywords = name->keywords,
                                   .modseq = modseq,
                                   .size = name->size,
                                   .time = name->time,
                                   .internal_date = name->internal_date,
                                   .id = name->id,
                                   .node = name->node };
}

/* A file in new/ has no flags in its name; one that has them belongs into cur/. */
static bool
belongs_into_new(const struct yb_found *f)
{
    return f->in_new && f->name.flags == 0 && f->name.keywords == 0;
}

static void
out_pair(struct compare *c, const struct yb_index_slot *old, const struct yb_found *f)
{
    struct yb_index_slot slot = slot_of(&f->name, belongs_into_new(f), old->modseq);
    bool told = old->flags != slot.flags || old->keywords != slot.keywords;

    slot.cache = old->cache;
    slot.state = (uint16_t)(slot.state | (old->state & YB_SLOT_ADOPTED));
    if (told)
        slot.modseq = c->modseq;
    out_add(c, &slot,
            told || slot.state != old->state || slot.size != old->size || slot.time != old->time ||
                slot.internal_date != old->internal_date ||
                memcmp(&slot.id, &old->id, sizeof(slot.id)) != 0 ||
                memcmp(&slot.node, &old->node, sizeof(slot.node)) != 0);
}

static void
out_bury(struct compare *c, const struct yb_index_slot *old)
{
    struct yb_index_slot slot = *old;

    slot.state = YB_SLOT_DEAD;
    slot.modseq = c->modseq;
    slot.died = yb_clock_now();
    slot.id =
        (struct yb_delivery_id){ { 0 } }; /* it may have been withdrawn: rather twice than never */
    out_add(c, &slot, true);
}

/* Records and files with UIDs, both in UID order. */
static void
merge(struct compare *c)
{
    size_t k = 0;

    for (size_t i = 0; i <= c->n_ours; i++) {
        const struct yb_found *f = i < c->n_ours ? &c->scan.v[i] : NULL;
        struct yb_index_slot slot;

        if (f != NULL && f->drop)
            continue;
        for (; k < c->n_old && (f == NULL || c->old[k].uid < f->name.uid); k++) {
            if ((c->old[k].state & YB_SLOT_LIVE) != 0)
                out_bury(c, &c->old[k]);
            else
                out_add(c, &c->old[k], false);
        }
        if (f == NULL)
            break;
        if (k < c->n_old && c->old[k].uid == f->name.uid) {
            out_pair(c, &c->old[k++], f);
            continue;
        }
        slot = slot_of(&f->name, belongs_into_new(f), c->modseq);
        out_add(c, &slot, true);
    }
}

/* Does this mailbox have a message with this delivery id already? (Few ask: linear is enough.) */
static bool
id_taken(const struct compare *c, struct yb_delivery_id id)
{
    for (size_t i = 0; i < c->n_out; i++) {
        if ((c->out[i].state & YB_SLOT_LIVE) != 0 && yb_delivery_id_eq(c->out[i].id, id))
            return true;
    }
    return false;
}

/* A name of ours from another mailbox or UIDVALIDITY keeps its id if nobody else has it. */
static void
adopt_name(struct compare *c, struct yb_found *f, const struct stat *st, uint32_t uid)
{
    struct yb_name *n = &f->name;
    int64_t mtime = st->st_mtim.tv_sec, now = yb_clock_now();

    if (yb_delivery_id_is_zero(n->id)) {
        uint64_t v;
        struct yb_str digits = yb_str_from(f->text);

        digits = yb_str_head(digits, yb_str_find(digits, '.'));
        n->time = yb_str_u64(digits, (uint64_t)now + DAY, &v) && v > 0 ? (int64_t)v : mtime;
        n->internal_date = mtime;
        n->id = yb_delivery_id_new();
        n->node = c->m->account->store->conf.node;
    } else if (f->name.uidvalidity == c->m->uidvalidity && id_taken(c, n->id)) {
        n->id = yb_delivery_id_new(); /* a second file of a UID of ours: a copy */
    }
    n->size = (uint64_t)st->st_size;
    n->uidvalidity = c->m->uidvalidity;
    n->uid = uid;
}

/* --- doing it --- */

static int
rename_found(struct compare *c, struct yb_found *f, bool into_new, struct yb_err *err)
{
    struct yb_mailbox *m = c->m;
    char name[YB_NAME_MAX], buf[YB_NAME_MAX];

    yb_name_format(&f->name, into_new, name);
    if (yb_sys_rename(yb_found_fd(m, f), yb_found_text(f, buf), into_new ? m->new_fd : m->cur_fd,
                      name) == 0) {
        c->renamed = true;
        return 0;
    }
    if (errno == ENOENT) { /* taken by another program meanwhile */
        f->drop = true;
        return 0;
    }
    return yb_err_sys(err, YB_TEMP, "4.3.0", "rename a message");
}

/* Second names go, names that are not as we write them are written so. */
static int
straighten(struct compare *c, struct yb_err *err)
{
    for (size_t i = 0; i < c->scan.n; i++) {
        struct yb_found *f = &c->scan.v[i];
        bool into_new = belongs_into_new(f);

        if (!f->ours && f->drop) {
            if (unlinkat(yb_found_fd(c->m, f), f->text, 0) < 0 && errno != ENOENT)
                return yb_err_sys(err, YB_TEMP, "4.3.0", "remove a second name");
            c->renamed = true;
        } else if (f->ours && !f->drop && (f->text != NULL || into_new != f->in_new)) {
            if (rename_found(c, f, into_new, err) < 0)
                return -1;
        }
    }
    return 0;
}

static int
adopt(struct compare *c, uint32_t first_uid, struct yb_err *err)
{
    for (size_t i = c->n_ours; i < c->scan.n; i++) {
        struct yb_found *f = &c->scan.v[i];
        bool into_new = belongs_into_new(f);
        struct yb_index_slot slot;
        struct stat st;

        if (f->drop || fstatat(yb_found_fd(c->m, f), f->text, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        adopt_name(c, f, &st, first_uid);
        if (rename_found(c, f, into_new, err) < 0)
            return -1;
        yb_fault("store.adopt");
        if (f->drop)
            continue;
        first_uid++;
        slot = slot_of(&f->name, into_new, c->modseq);
        slot.state |= YB_SLOT_ADOPTED;
        out_add(c, &slot, true);
    }
    return 0;
}

/* --- writing the index --- */

static void
count_out(struct compare *c)
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
write_changed(struct compare *c)
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
note_times(struct compare *c, bool quiet)
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
write_index(struct compare *c, bool quiet, struct yb_err *err)
{
    struct yb_mailbox *m = c->m;
    bool existing = false;

    count_out(c);
    for (size_t i = 0; c->valid && i < c->n_old; i++)
        existing |= c->changed[i] && c->out[i].modseq == c->modseq;
    if (existing || !c->valid)
        m->head.changed_modseq = c->modseq;
    if (!c->valid)
        m->head.compacted_modseq = c->modseq;
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
apply(struct compare *c, struct yb_err *err)
{
    struct yb_mailbox *m = c->m;
    uint32_t first_uid = m->head.uidnext;
    bool quiet;

    c->fresh = m->fresh;
    c->n_foreign = c->scan.n - c->n_ours;
    if (yb_mailbox_reserve(m, c->n_foreign, 1, err) < 0)
        return -1;
    c->modseq = m->head.modseq + 1;
    m->head.modseq = c->modseq;
    m->head.uidnext += (uint32_t)c->n_foreign;
    if (!c->valid && unlinkat(m->dir_fd, YB_INDEX_FILE, 0) < 0 && errno != ENOENT)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "remove " YB_INDEX_FILE);
    if (c->valid && yb_mailbox_begin(m, err) < 0)
        return -1;
    yb_fault("store.compare");
    quiet = c->cur_mtime == yb_sys_mtime(m->cur_fd) && c->new_mtime == yb_sys_mtime(m->new_fd);
    if ((c->check_sizes && check_sizes(c, err) < 0) || straighten(c, err) < 0)
        return -1;
    c->out = yb_alloc(c->n_old + c->scan.n + 1, sizeof(*c->out));
    c->changed = yb_alloc(c->n_old + c->scan.n + 1, sizeof(*c->changed));
    merge(c);
    if (adopt(c, first_uid, err) < 0 || yb_keywords_cover(m, c->keywords, err) < 0)
        return -1;
    return write_index(c, quiet, err);
}

/* Nothing to do but to note the look: no MODSEQ is used up and nothing is told. */
static bool
nothing_differs(struct compare *c)
{
    struct compare trial = *c;
    bool same;

    if (!c->valid || c->scan.n != c->n_ours || (c->m->head.marks & YB_INDEX_BUSY) != 0)
        return false;
    for (size_t i = 0; i < c->n_ours; i++) {
        if (c->scan.v[i].text != NULL || c->scan.v[i].in_new != belongs_into_new(&c->scan.v[i]))
            return false;
    }
    trial.out = yb_alloc(c->n_old + c->scan.n + 1, sizeof(*trial.out));
    trial.changed = yb_alloc(c->n_old + c->scan.n + 1, sizeof(*trial.changed));
    merge(&trial);
    same = !trial.any;
    yb_free(trial.out);
    yb_free(trial.changed);
    return same;
}

static void
report(const struct compare *c)
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

/* The account's usage follows: by the difference when the old counts are known, else counted again,
 * which looks at every mailbox. Of a folder that was made just now nothing was counted. */
static int
settle_usage(struct compare *c, struct yb_err *err)
{
    static const struct yb_index_head nothing;
    const struct yb_index_head *now = &c->m->head, *before = c->m->made ? &nothing : &c->before;

    if (!c->valid && !c->m->made)
        return yb_account_recount(c->m->account, err);
    yb_account_use(c->m->account, (int64_t)(now->bytes - before->bytes),
                   (int64_t)now->messages - (int64_t)before->messages);
    c->m->made = false;
    return 0;
}

int
yb_mailbox_compare(struct yb_mailbox *m, bool index_valid, enum yb_compare_why why,
                   struct yb_err *err)
{
    struct yb_store_account *a = m->account;
    struct compare c = { .m = m, .why = why, .before = m->head };
    bool own = a->head.busy == 0;
    int rc = -1;

    c.check_sizes = why == YB_COMPARE_BOOT || a->unclean;
    if (take_stock(&c, index_valid, err) < 0) {
        rc = -1;
    } else if (nothing_differs(&c)) {
        m->head.marks &= ~YB_INDEX_FOREIGN;
        yb_mailbox_looked(m, c.cur_mtime, c.new_mtime);
        rc = yb_mailbox_write_head(m, err);
    } else if ((!own || yb_account_busy(a, err) == 0) && apply(&c, err) == 0 &&
               settle_usage(&c, err) == 0) {
        if (!c.valid)
            yb_cache_reset(m);
        rc = own ? yb_account_settle(a, err) : 0;
        report(&c);
        yb_notify_changed(m);
    }
    yb_scan_free(&c.scan);
    yb_free(c.old);
    yb_free(c.out);
    yb_free(c.changed);
    return rc;
}
