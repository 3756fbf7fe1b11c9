/*
 * Keywords of a mailbox, and those of a change: under the account's lock names become letters and sets,
 * what is missing is made, and synced before a file name needs it.
 *
 *   yb_keywords_begin()   what the file says now; the first form is written anew
 *   yb_keywords_apply()   for each message: what it shall have; new names and sets are noted
 *   yb_keywords_keep()    what was noted is appended and synced: from here on names may be used
 *   yb_keywords_end()
 *
 * Where there is no room what nobody uses any more is given back first: the file is written anew with
 * what living records need.
 */
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/store/deeds.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 512       /* records read at once */
#define LINE_MOST 12000 /* octets of a set's line with all numbers */

/* --- what is shared --- */

static void
log_lost(const struct yb_mailbox *m, const struct yb_keywords *k)
{
    struct yb_log_line l;
    char id[YB_ID_TEXT];

    yb_log_begin(&l, YB_LOG_ERROR, NULL, "store.keywords.lost");
    yb_log_str(&l, "account", yb_str_from(yb_account_id_text(m->account->id, id)));
    yb_log_str(&l, "folder", yb_str_from(m->dir.s));
    yb_log_num(&l, "names", (int64_t)k->n_named);
    yb_log_num(&l, "broken", (int64_t)k->broken);
    yb_log_end(&l);
}

/* The handle's opinion from now on; takes the reference. */
static void
publish(struct yb_mailbox *m, const struct yb_keywords *k)
{
    const struct yb_keywords *before;

    pthread_mutex_lock(&m->mutex);
    before = m->keywords;
    m->keywords = k;
    pthread_mutex_unlock(&m->mutex);
    yb_keywords_release(&before);
}

static const struct yb_keywords *
shared(struct yb_mailbox *m)
{
    const struct yb_keywords *k;

    pthread_mutex_lock(&m->mutex);
    k = m->keywords == NULL ? NULL : yb_keywords_ref(m->keywords);
    pthread_mutex_unlock(&m->mutex);
    return k;
}

/* With a reference: the file as it is now. */
static int
current(struct yb_mailbox *m, uint32_t letters, const struct yb_keywords **out, struct yb_err *err)
{
    struct yb_keywords *k;

    *out = shared(m);
    if (*out != NULL && yb_keywords_current(*out, m->dir_fd, letters))
        return 0;
    yb_keywords_release(out);
    if (yb_keywordfile_read(m->dir_fd, letters, &k, err) < 0)
        return -1;
    if (k->broken > 0)
        log_lost(m, k);
    *out = k;
    publish(m, yb_keywords_ref(k));
    return 0;
}

int
yb_mailbox_keywords(struct yb_mailbox *m, const struct yb_keywords **k, struct yb_err *err)
{
    struct yb_index_head head;

    return current(m, yb_mailbox_peek(m, &head) ? head.letters : 0, k, err);
}

/* --- giving back --- */

/* What living records need, and the message at hand. */
struct used {
    struct yb_keyword_bits keep;
    uint32_t letters;
    uint32_t *sets; /* ascending */
    size_t n_sets, room;
};

static int
number_order(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

    return a < b ? -1 : a > b;
}

static void
used_add(struct used *u, uint32_t letters, uint32_t set)
{
    u->letters |= letters;
    if (set == 0 || (u->n_sets > 0 && u->sets[u->n_sets - 1] == set))
        return;
    if (u->n_sets == u->room) {
        u->room = u->room * 2 + 64;
        u->sets = yb_realloc(u->sets, u->room, sizeof(*u->sets));
    }
    u->sets[u->n_sets++] = set;
}

static int
used_read(struct yb_mailbox *m, struct used *u)
{
    struct yb_index_slot *slots = yb_alloc(CHUNK, sizeof(*slots));
    size_t kept = 0, at = 0;

    for (; at < m->head.slots; at += CHUNK) {
        size_t want = m->head.slots - at < CHUNK ? m->head.slots - at : CHUNK;

        if (yb_index_read_slots(m->index_fd, at, want, slots) != want) {
            m->damaged = true;
            break;
        }
        for (size_t i = 0; i < want; i++) {
            if ((slots[i].state & YB_SLOT_LIVE) != 0)
                used_add(u, slots[i].keywords, slots[i].set);
        }
    }
    yb_free(slots);
    if (u->n_sets > 1)
        qsort(u->sets, u->n_sets, sizeof(*u->sets), number_order);
    for (size_t i = 0; i < u->n_sets; i++) {
        if (kept == 0 || u->sets[kept - 1] != u->sets[i])
            u->sets[kept++] = u->sets[i];
    }
    u->n_sets = kept;
    return m->damaged ? -1 : 0;
}

/* The same file with what is used: all that `k` says when `u` is NULL. */
static struct yb_buf *
text_of(const struct yb_keywords *k, const struct used *u)
{
    struct yb_buf *b = yb_buf_new(2 * YB_KEYWORD_FILE_MOST);
    struct yb_keywords *copy = yb_keywordfile_parse(yb_str("", 0), 0);
    const struct yb_keywords *gone = copy;
    struct yb_keyword_bits used = { { 0 } };

    if (u != NULL)
        used = u->keep;
    used.w[0] |= u == NULL ? 0 : u->letters;
    yb_keywordfile_begin(b);
    for (size_t i = 0; i < k->n_sets; i++) {
        const struct yb_keyword_set *s = &k->sets[i];
        struct yb_keyword_bits members = { { 0 } };

        if (u != NULL && (u->n_sets == 0 || bsearch(&s->number, u->sets, u->n_sets,
                                                    sizeof(*u->sets), number_order) == NULL))
            continue;
        for (size_t n = 0; n < s->n; n++) {
            yb_keyword_bit_set(&members, s->v[n], true);
            yb_keyword_bit_set(&used, s->v[n], true);
        }
        (void)yb_keywords_add_set(copy, s->number, &members, b);
    }
    for (size_t i = 0; i < k->n; i++) {
        if (k->names[i].n > 0 && (u == NULL || yb_keyword_bit(&used, i)))
            yb_keywords_add_name(copy, i, k->names[i], b);
    }
    yb_keywords_release(&gone);
    return b;
}

/* The whole file anew, synced, and read again. Letters that go are no letters in use before they have
 * no line: the change that wants the room may come to nothing, and then writes no head. */
static int
rewrite(struct yb_keyword_job *j, const struct used *u, struct yb_err *err)
{
    struct yb_mailbox *m = j->m;
    struct yb_buf *b = text_of(j->k, u);
    struct yb_str text = yb_buf_view(b);
    int rc = 0;

    if (u != NULL) {
        m->head.letters = u->letters;
        rc = yb_mailbox_write_head(m, err);
    }
    if (rc == 0 && yb_sys_write_file(m->dir_fd, YB_KEYWORDS_FILE, text.p, text.n) < 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_KEYWORDS_FILE);
    yb_buf_free(&b);
    yb_keywords_release(&j->k);
    j->has_members = false;
    return rc < 0 ? -1 : current(m, m->head.letters, &j->k, err);
}

/* What is noted counts as used: it is about to be. */
static int
give_back(struct yb_keyword_job *j, struct yb_err *err)
{
    struct used u = { 0 };
    int rc;

    if (yb_keywords_keep(j, err) < 0)
        return -1;
    j->given_back = true;
    if (j->pending != NULL)
        u.keep = *j->pending;
    u.letters = (uint32_t)u.keep.w[0] & YB_LETTER_BITS;
    for (size_t i = 0; i < j->n_given; i++)
        used_add(&u, j->given[i].letters, j->given[i].set);
    rc = used_read(j->m, &u);
    /* A name that was taken off must not come back from a power cut to what its letter will stand for. */
    if (rc == 0 && (yb_sys_fsync(j->m->cur_fd) < 0 || yb_sys_fsync(j->m->new_fd) < 0)) {
        yb_free(u.sets);
        return yb_err_sys(err, YB_TEMP, "4.3.0", "sync a mailbox");
    }
    rc = rc < 0 ? yb_mailbox_err_damaged(err) : rewrite(j, &u, err);
    yb_free(u.sets);
    return rc;
}

/* --- a change --- */

int
yb_keywords_begin(struct yb_keyword_job *j, struct yb_mailbox *m, struct yb_err *err)
{
    *j = (struct yb_keyword_job){ .m = m };
    if (current(m, m->head.letters, &j->k, err) < 0)
        return -1;
    return j->k->old ? rewrite(j, NULL, err) : 0;
}

void
yb_keywords_end(struct yb_keyword_job *j)
{
    const struct yb_keywords *grown = j->grown;

    yb_keywords_release(&grown);
    yb_keywords_release(&j->k);
    yb_buf_free(&j->lines);
    *j = (struct yb_keyword_job){ 0 };
}

static const struct yb_keywords *
now(const struct yb_keyword_job *j)
{
    return j->grown != NULL ? j->grown : j->k;
}

/* What may be added to: read once more, for this change alone. */
static int
grow(struct yb_keyword_job *j, struct yb_err *err)
{
    if (j->grown != NULL)
        return 0;
    if (yb_keywordfile_read(j->m->dir_fd, j->m->head.letters, &j->grown, err) < 0)
        return -1;
    j->lines = yb_buf_new(YB_KEYWORD_FILE_MOST);
    if (j->grown->size == 0)
        yb_keywordfile_begin(j->lines);
    else if (j->grown->torn)
        yb_buf_add_c(j->lines, '\n');
    return 0;
}

static bool
has_room(const struct yb_keyword_job *j, size_t names, size_t sets)
{
    const struct yb_keywords *k = now(j);
    size_t lines = j->lines == NULL ? 0 : yb_buf_size(j->lines);

    return k->n_named + names <= YB_KEYWORDS_MOST && k->n_sets + sets <= YB_KEYWORD_SETS_MOST &&
           k->size + lines + names * (YB_KEYWORD_BYTES + 40) + sets * LINE_MOST <=
               YB_KEYWORD_FILE_MOST;
}

/* Room for more, though something has to be given back for it. YB_ERR_LIMIT. */
static int
make_room(struct yb_keyword_job *j, size_t names, size_t sets, struct yb_err *err)
{
    if (!has_room(j, names, sets) && !j->given_back && give_back(j, err) < 0)
        return -1;
    if (!has_room(j, names, sets))
        return yb_err_as(err, YB_ERR_LIMIT, YB_PERM, "5.2.0", "No more keywords in this mailbox");
    return grow(j, err);
}

/* Members of sets, whether they have a name or not: gone through once for all names of a change. */
static const struct yb_keyword_bits *
members(struct yb_keyword_job *j)
{
    const struct yb_keywords *k = now(j);

    if (j->has_members)
        return &j->members;
    j->members = (struct yb_keyword_bits){ { 0 } };
    for (size_t s = 0; s < k->n_sets; s++) {
        for (size_t n = 0; n < k->sets[s].n; n++)
            yb_keyword_bit_set(&j->members, k->sets[s].v[n], true);
    }
    j->has_members = true;
    return &j->members;
}

/* A number that nobody has, not in a set whose names are lost either. */
static size_t
free_number(struct yb_keyword_job *j)
{
    const struct yb_keywords *k = now(j);
    size_t i = 0;

    while (i < YB_LETTERS && yb_keywords_named(k, i).n > 0)
        i++;
    while (i >= YB_LETTERS && i < YB_KEYWORDS_MOST &&
           (yb_keywords_named(k, i).n > 0 || yb_keyword_bit(members(j), i)))
        i++;
    return i;
}

/* Is it a keyword's, if only of one whose name is lost? */
static bool
is_taken(struct yb_keyword_job *j, uint64_t number)
{
    return number < YB_KEYWORDS_MOST && (yb_keywords_named(now(j), (size_t)number).n > 0 ||
                                         yb_keyword_bit(members(j), (size_t)number));
}

/* The number of a name, made when it has none; a name that looks as if it were lost is one, too. */
static int
number_make(struct yb_keyword_job *j, struct yb_str name, size_t *number, struct yb_err *err)
{
    uint64_t found = yb_keywords_find(now(j), name);

    if (is_taken(j, found)) {
        *number = (size_t)found;
        return 0;
    }
    if (!yb_keywordfile_fits(name))
        return yb_err_as(err, YB_ERR_CANNOT, YB_PERM, "5.2.0", "Not a keyword");
    if (make_room(j, 1, 0, err) < 0)
        return -1;
    *number = free_number(j);
    if (*number >= YB_KEYWORDS_MOST)
        return yb_err_as(err, YB_ERR_LIMIT, YB_PERM, "5.2.0", "No more keywords in this mailbox");
    yb_keywords_add_name(j->grown, *number, name, j->lines);
    return 0;
}

static bool
any_above_letters(const struct yb_keyword_bits *b)
{
    uint64_t any = b->w[0] >> YB_LETTERS;

    for (size_t i = 1; i < YB_COUNT(b->w); i++)
        any |= b->w[i];
    return any != 0;
}

/* The set of what has no letter, made when there is none. */
static int
set_make(struct yb_keyword_job *j, const struct yb_keyword_bits *bits, uint32_t *set,
         struct yb_err *err)
{
    const struct yb_keyword_set *s;
    uint32_t number = j->m->head.sets;

    *set = 0;
    if (!any_above_letters(bits))
        return 0;
    s = yb_keywords_set_of(now(j), bits);
    if (s == NULL) {
        if (make_room(j, 0, 1, err) < 0)
            return -1;
        if (j->grown->n_sets > 0 && j->grown->sets[j->grown->n_sets - 1].number > number)
            number = j->grown->sets[j->grown->n_sets - 1].number;
        if (number == UINT32_MAX)
            return yb_err_as(err, YB_ERR_LIMIT, YB_PERM, "5.2.0", "No more sets of keywords");
        j->m->head.sets = number + 1; /* written with what is about to change */
        s = yb_keywords_add_set(j->grown, number + 1, bits, j->lines);
        j->has_members = false;
    }
    *set = s->number;
    return 0;
}

/* What a message has, as bits; a set that is lost becomes a keyword that says so. */
static int
bits_of(struct yb_keyword_job *j, const struct yb_keyword_ref *have, struct yb_keyword_bits *bits,
        struct yb_err *err)
{
    const struct yb_keyword_set *s = have->set == 0 ? NULL : yb_keywords_set(now(j), have->set);
    struct yb_record r = { .keyword_set = have->set };
    char room[YB_KEYWORD_TEXT];
    struct yb_str name;
    size_t at = 0, number;

    *bits = (struct yb_keyword_bits){ { have->letters & YB_LETTER_BITS } };
    for (size_t i = 0; s != NULL && i < s->n; i++)
        yb_keyword_bit_set(bits, s->v[i], true);
    if (have->set == 0 || s != NULL)
        return 0;
    if (!yb_keywords_of(now(j), &r, &at, room, &name) || number_make(j, name, &number, err) < 0)
        return -1;
    yb_keyword_bit_set(bits, number, true);
    return 0;
}

/* One name more, or one less; what cannot be had is left out when `partly`. */
static int
apply_name(struct yb_keyword_job *j, bool add, struct yb_str name, bool partly,
           struct yb_keyword_bits *bits, struct yb_err *err)
{
    struct yb_err why = { 0 };
    size_t number;

    if (!add) {
        uint64_t found = yb_keywords_find(now(j), name);

        if (found < YB_KEYWORDS_MOST)
            yb_keyword_bit_set(bits, (size_t)found, false);
        return 0;
    }
    if (number_make(j, name, &number, &why) == 0) {
        yb_keyword_bit_set(bits, number, true);
        return 0;
    }
    if (partly && why.class == YB_PERM)
        return 0;
    if (err != NULL)
        *err = why;
    return -1;
}

/* Sets are not counted until a file has their name, so they are remembered while room is made. */
static void
remember(struct yb_keyword_job *j, const struct yb_keyword_ref *ref)
{
    if (ref->letters == 0 && ref->set == 0)
        return;
    yb_assert(j->n_given < YB_COUNT(j->given));
    j->given[j->n_given++] = *ref;
}

static int
apply(struct yb_keyword_job *j, const struct yb_keyword_op *op, const struct yb_keyword_ref *have,
      struct yb_keyword_ref *out, struct yb_err *err)
{
    struct yb_keyword_bits before, bits = { { 0 } };
    struct yb_err why = { 0 };

    j->pending = &bits;
    if (bits_of(j, have, &before, err) < 0)
        return -1;
    if (op->op != YB_FLAGS_SET)
        bits = before;
    for (size_t i = 0; i < op->n; i++) {
        if (apply_name(j, op->op != YB_FLAGS_REMOVE, op->names[i], op->partly, &bits, err) < 0)
            return -1;
    }
    *out = (struct yb_keyword_ref){ (uint32_t)bits.w[0] & YB_LETTER_BITS, have->set };
    before.w[0] ^= (before.w[0] ^ bits.w[0]) & YB_LETTER_BITS;
    if (memcmp(&before, &bits, sizeof(bits)) == 0 || set_make(j, &bits, &out->set, &why) == 0)
        return 0;
    if (op->partly && why.class == YB_PERM) { /* no room for another combination */
        out->set = 0;
        return 0;
    }
    if (err != NULL)
        *err = why;
    return -1;
}

int
yb_keywords_apply(struct yb_keyword_job *j, const struct yb_keyword_op *op,
                  const struct yb_keyword_ref *have, struct yb_keyword_ref *out, struct yb_err *err)
{
    if (op->op != YB_FLAGS_SET && op->n == 0) {
        *out = *have;
    } else if (op->n == 0) {
        *out = (struct yb_keyword_ref){ 0, 0 };
    } else {
        int rc = apply(j, op, have, out, err);

        j->pending = NULL;
        if (rc < 0)
            return -1;
    }
    remember(j, out);
    return 0;
}

int
yb_keywords_keep(struct yb_keyword_job *j, struct yb_err *err)
{
    struct yb_mailbox *m = j->m;
    struct yb_keywords *k = j->grown;
    struct yb_str lines;
    struct stat st = { 0 };
    int fd, rc = 0;

    if (k == NULL)
        return 0;
    lines = yb_buf_view(j->lines);
    fd = yb_sys_open(m->dir_fd, YB_KEYWORDS_FILE, O_RDWR | O_CREAT | O_NOFOLLOW);
    if (fd < 0 || yb_buf_overflowed(j->lines) ||
        yb_sys_pwrite(fd, lines.p, lines.n, (off_t)k->size) < 0 || yb_sys_fdatasync(fd) < 0 ||
        (k->ino == 0 && yb_sys_fsync(m->dir_fd) < 0) || fstat(fd, &st) < 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_KEYWORDS_FILE);
    yb_sys_close(&fd);
    yb_fault("store.keywords");
    yb_buf_free(&j->lines);
    j->grown = NULL;
    if (rc < 0) {
        const struct yb_keywords *gone = k;

        yb_keywords_release(&gone);
        return -1;
    }
    for (size_t i = 0; i < YB_LETTERS; i++)
        m->head.letters |=
            yb_keywords_named(k, i).n > 0 ? 1u << i : 0; /* written with what is about to change */
    k->letters = m->head.letters;
    k->size = (uint64_t)st.st_size;
    k->ino = (uint64_t)st.st_ino;
    k->mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    yb_keywords_release(&j->k);
    j->k = k;
    publish(m, yb_keywords_ref(k));
    return 0;
}
