/*
 * What shall be: the records that follow from the files and from the records of before, and the
 * files renamed to agree with them.
 */
#include "lib/store/merge.h"

#include "lib/base/fault.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOST "yubin-lost"
#define DAY 86400
/* Records that get one MODSEQ: they are told together, each perhaps with all keywords there can be. */
#define GROUP 64

/* --- after an unclean stop --- */

/* What was not whole when the machine stopped was never answered: out of the way, not deleted. */
static int
move_aside(struct yb_compare *c, struct yb_found *f, const char *text, struct yb_err *err)
{
    struct yb_mailbox *m = c->m;
    struct yb_err note = { .class = YB_TEMP };
    char to[NAME_MAX + 16];

    snprintf(to, sizeof(to), LOST "/%s", text);
    if (yb_sys_mkdir(m->dir_fd, LOST) < 0 ||
        renameat(yb_found_fd(&c->scan, f), text, m->dir_fd, to) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "move a message to " LOST);
    snprintf(note.text, sizeof(note.text), "size is not S=: moved to %.200s", to);
    yb_mailbox_log(m, "store.message.lost", &note);
    f->drop = true;
    c->renamed = true;
    c->lost++;
    return 0;
}

int
yb_compare_sizes(struct yb_compare *c, struct yb_err *err)
{
    for (size_t i = 0; i < c->n_ours; i++) {
        struct yb_found *f = &c->scan.v[i];
        char buf[YB_NAME_MAX];
        const char *text = yb_found_text(f, buf);
        struct stat st;

        if (fstatat(yb_found_fd(&c->scan, f), text, &st, AT_SYMLINK_NOFOLLOW) < 0)
            f->drop = true;
        else if ((uint64_t)st.st_size != f->name.size && move_aside(c, f, text, err) < 0)
            return -1;
    }
    return 0;
}

/* --- what shall be --- */

size_t
yb_compare_groups(size_t n)
{
    return n == 0 ? 1 : (n - 1) / GROUP + 1;
}

/* The MODSEQ of one more change. What files do meanwhile may make more of them than were expected. */
static uint64_t
next_modseq(struct yb_compare *c)
{
    if (c->n_group == GROUP && c->modseq < c->last_modseq) {
        c->modseq++;
        c->n_group = 0;
    }
    c->n_group++;
    return c->modseq;
}

static struct yb_index_slot *
out_add(struct yb_compare *c, const struct yb_index_slot *slot, bool changed)
{
    c->out[c->n_out] = *slot;
    c->changed[c->n_out] = changed;
    if ((slot->state & YB_SLOT_LIVE) != 0)
        c->keywords |= slot->keywords;
    if ((slot->state & YB_SLOT_LIVE) != 0 && slot->set > c->sets)
        c->sets = slot->set;
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
                                   .node = name->node,
                                   .email = name->email,
                                   .set = name->set };
}

bool
yb_found_into_new(const struct yb_found *f)
{
    return f->in_new && f->name.flags == 0 && f->name.keywords == 0 && f->name.set == 0;
}

static void
out_pair(struct yb_compare *c, const struct yb_index_slot *old, const struct yb_found *f)
{
    struct yb_index_slot slot = slot_of(&f->name, yb_found_into_new(f), old->modseq);
    bool told = old->flags != slot.flags || old->keywords != slot.keywords || old->set != slot.set;

    slot.cache = old->cache;
    slot.state = (uint16_t)(slot.state | (old->state & YB_SLOT_ADOPTED));
    if (told)
        slot.modseq = next_modseq(c);
    out_add(c, &slot,
            told || slot.state != old->state || slot.size != old->size || slot.time != old->time ||
                slot.internal_date != old->internal_date ||
                memcmp(&slot.id, &old->id, sizeof(slot.id)) != 0 ||
                memcmp(&slot.node, &old->node, sizeof(slot.node)) != 0 ||
                memcmp(&slot.email, &old->email, sizeof(slot.email)) != 0);
}

static void
out_bury(struct yb_compare *c, const struct yb_index_slot *old)
{
    struct yb_index_slot slot = *old;

    slot.state = YB_SLOT_DEAD;
    slot.modseq = next_modseq(c);
    slot.died = yb_clock_now();
    slot.id =
        (struct yb_delivery_id){ { 0 } }; /* it may have been withdrawn: rather twice than never */
    out_add(c, &slot, true);
}

void
yb_compare_merge(struct yb_compare *c)
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
        slot = slot_of(&f->name, yb_found_into_new(f), next_modseq(c));
        out_add(c, &slot, true);
    }
}

/* Does this mailbox have a message with this delivery id already? (Few ask: linear is enough.) */
static bool
id_taken(const struct yb_compare *c, struct yb_delivery_id id)
{
    for (size_t i = 0; i < c->n_out; i++) {
        if ((c->out[i].state & YB_SLOT_LIVE) != 0 && yb_delivery_id_eq(c->out[i].id, id))
            return true;
    }
    return false;
}

/* A name of ours from another mailbox or UIDVALIDITY keeps its id if nobody else has it. */
static void
adopt_name(struct yb_compare *c, struct yb_found *f, const struct stat *st, uint32_t uid)
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
    if (n->uidvalidity != c->m->uidvalidity)
        n->set = 0; /* of another mailbox */
    n->size = (uint64_t)st->st_size;
    n->uidvalidity = c->m->uidvalidity;
    n->uid = uid;
}

/* --- doing it --- */

/* A foreign name and ours would be two messages, were both left by who dies here: no two stay. */
static int
rename_found(struct yb_compare *c, struct yb_found *f, bool into_new, struct yb_err *err)
{
    struct yb_mailbox *m = c->m;
    int from_fd = yb_found_fd(&c->scan, f), to_fd = into_new ? m->new_fd : m->cur_fd;
    char name[YB_NAME_MAX], buf[YB_NAME_MAX];
    const char *text = yb_found_text(f, buf);

    yb_name_format(&f->name, into_new, name);
    if ((f->ours ? yb_mailbox_rename(m, from_fd, text, to_fd, name)
                 : yb_mailbox_move_name(m, from_fd, text, to_fd, name)) == 0) {
        c->renamed = true;
        return 0;
    }
    if (errno == ENOENT) { /* taken by another program meanwhile */
        f->drop = true;
        return 0;
    }
    return yb_err_sys(err, YB_TEMP, "4.3.0", "rename a message");
}

int
yb_compare_straighten(struct yb_compare *c, struct yb_err *err)
{
    bool synced = false;

    for (size_t i = 0; i < c->scan.n; i++) {
        struct yb_found *f = &c->scan.v[i];
        bool into_new = yb_found_into_new(f);

        if (!f->ours && f->drop) {
            if (!synced && yb_mailbox_sync_names(c->m) < 0)
                return yb_err_sys(err, YB_TEMP, "4.3.0", "sync a mailbox");
            synced = true;
            if (unlinkat(yb_found_fd(&c->scan, f), f->text, 0) < 0 && errno != ENOENT)
                return yb_err_sys(err, YB_TEMP, "4.3.0", "remove a second name");
            c->renamed = true;
        } else if (f->ours && !f->drop && (f->text != NULL || into_new != f->in_new)) {
            if (rename_found(c, f, into_new, err) < 0)
                return -1;
        }
    }
    if (yb_mailbox_settle_names(c->m) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "take old names away");
    return 0;
}

int
yb_compare_adopt(struct yb_compare *c, uint32_t first_uid, struct yb_err *err)
{
    for (size_t i = c->n_ours; i < c->scan.n; i++) {
        struct yb_found *f = &c->scan.v[i];
        bool into_new = yb_found_into_new(f);
        struct yb_index_slot slot;
        struct stat st;

        if (f->drop || fstatat(yb_found_fd(&c->scan, f), f->text, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        adopt_name(c, f, &st, first_uid);
        if (rename_found(c, f, into_new, err) < 0)
            return -1;
        yb_fault("store.adopt");
        if (f->drop)
            continue;
        first_uid++;
        slot = slot_of(&f->name, into_new, next_modseq(c));
        slot.state |= YB_SLOT_ADOPTED;
        out_add(c, &slot, true);
    }
    return 0;
}
