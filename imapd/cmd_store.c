/*
 * STORE, in slices: each is changed under the account's lock, and what changed meanwhile (by this
 * session or others) is told. RFC 3501 §6.4.6; UNCHANGEDSINCE and MODIFIED of RFC 7162 §3.1.3.
 */
#include "imapd/cmd.h"
#include "imapd/reply.h"
#include "imapd/sync.h"

#include "lib/base/map.h"

#define SLICE 1024
/* Fewer where many names are asked for, each looked up for each message, or where all that a message
 * can have is long to tell. */
#define SLICE_NAMES 65536
#define SLICE_OCTETS ((size_t)2 << 20)

struct store_job {
    struct imapd_store args;
    struct yb_store_flags op;
    struct yb_map *asked;       /* the names of op, in small letters */
    size_t octets;              /* of them all */
    const struct yb_rows *rows; /* before the slice; under the same numbers all the time */
    uint64_t told;              /* MODSEQ up to which the client knew them then */
    uint32_t *uids;
    size_t n, done;
    bool gone;
    uint32_t *failed; /* all UIDs that were changed since */
    size_t n_failed;
};

static void
store_end(struct imapd_cmd *c)
{
    struct store_job *j = c->job;

    if (j->rows != NULL)
        yb_rows_release(&j->rows);
    yb_map_free(&j->asked);
}

static struct yb_str
fold(struct yb_str name, char room[IMAPD_KEYWORD_MAX])
{
    yb_lower_bytes(room, name.p, name.n);
    return yb_str(room, name.n);
}

/* The names, each once, for as long as the command goes on. */
static void
keep_keywords(struct imapd_cmd *c, struct store_job *j)
{
    const struct imapd_flags *flags = &j->args.flags;
    struct yb_str *names = yb_arena_alloc(c->arena, flags->n_keywords + 1, sizeof(*names));
    char room[IMAPD_KEYWORD_MAX];

    j->asked = yb_map_new();
    for (size_t i = 0; i < flags->n_keywords; i++) {
        if (yb_map_put(j->asked, fold(flags->keywords[i], room), j) != NULL)
            continue;
        names[j->op.n_keywords++] = yb_arena_dup(c->arena, flags->keywords[i]);
        j->octets += flags->keywords[i].n + 1;
    }
    j->op.keywords = names;
}

static uint32_t
apply(enum yb_flag_op op, uint32_t have, uint32_t bits)
{
    switch (op) {
    case YB_FLAGS_SET:
        return bits;
    case YB_FLAGS_ADD:
        return have | bits;
    case YB_FLAGS_REMOVE:
        return have & ~bits;
    }
    return have;
}

static bool
is_failed(const struct store_job *j, uint32_t uid)
{
    for (size_t i = 0; i < j->op.n_failed; i++) {
        if (j->op.failed[i] == uid)
            return true;
    }
    return false;
}

static bool
is_asked(const struct store_job *j, struct yb_str name)
{
    char room[IMAPD_KEYWORD_MAX];

    return yb_map_get(j->asked, fold(name, room)) != NULL;
}

/* Does `now` have the keywords that the command leaves of `was`? Asked both ways: each of one is right in
 * the other. */
static bool
keywords_as_asked(struct imapd_cmd *c, const struct store_job *j, const struct yb_record *was,
                  const struct yb_record *now)
{
    const struct yb_keywords *k = imapd_cmd_keywords(c);
    char room[YB_KEYWORD_TEXT];
    struct yb_str name;

    if (k == NULL)
        return false;
    for (size_t at = 0; yb_keywords_of(k, now, &at, room, &name);) {
        bool had = j->op.op != YB_FLAGS_SET && yb_keywords_has(k, was, yb_keywords_find(k, name));

        if (j->op.op == YB_FLAGS_REMOVE ? !had || is_asked(j, name) : !had && !is_asked(j, name))
            return false;
    }
    for (size_t at = 0; j->op.op != YB_FLAGS_SET && yb_keywords_of(k, was, &at, room, &name);) {
        if (!yb_keywords_has(k, now, yb_keywords_find(k, name)) &&
            (j->op.op == YB_FLAGS_ADD || !is_asked(j, name)))
            return false;
    }
    for (size_t i = 0; j->op.op != YB_FLAGS_REMOVE && i < j->op.n_keywords; i++) {
        if (!yb_keywords_has(k, now, yb_keywords_find(k, j->op.keywords[i])))
            return false;
    }
    return true;
}

/* True when the change is exactly what the client asked for silently, and so knows of. */
static bool
is_own(struct imapd_cmd *c, const struct store_job *j, const struct yb_record *now)
{
    size_t i = yb_rows_find(j->rows, now->uid);
    const struct yb_record *was = &j->rows->v[i];

    return i < j->rows->n && was->uid == now->uid && was->modseq <= j->told &&
           apply(j->op.op, was->flags, j->op.flags) == now->flags &&
           keywords_as_asked(c, j, was, now);
}

static size_t
find_uid(const uint32_t *uids, size_t n, uint32_t uid)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (uids[mid] < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && uids[lo] == uid ? lo : n;
}

/* Tells what the slice changed, each message of it once. */
static void
tell_slice(struct imapd_cmd *c, struct store_job *j, size_t n, struct yb_changes *changes)
{
    const uint32_t *uids = j->uids + j->done;
    bool *told = yb_arena_alloc(c->scratch, n + 1, sizeof(*told));
    bool silent = j->args.silent && !c->s->condstore;
    size_t kept = 0;

    for (size_t i = 0; i < changes->n_flags; i++) {
        size_t at = find_uid(uids, n, changes->flags[i].record.uid);

        if (at < n)
            told[at] = true;
        if (at == n || !silent || !is_own(c, j, &changes->flags[i].record))
            changes->flags[kept++] = changes->flags[i];
    }
    changes->n_flags = kept;
    imapd_tell(c, changes);
    /* A FETCH comes for every message that was asked for, changed or not (§6.4.6). */
    for (size_t i = 0; i < n && !j->args.silent; i++) {
        size_t row = yb_rows_find(j->rows, uids[i]);

        if (!told[i] && !is_failed(j, uids[i]))
            imapd_tell_flags(c, (uint32_t)row + 1, &j->rows->v[row]);
    }
}

/* The tagged answer. */
static int
store_answer(struct imapd_cmd *c, struct store_job *j, struct yb_err *err)
{
    struct yb_buf *text;
    struct imapd_set_writer w;

    /* Who names UIDs is told of no error (§6.4.8), nor who wants no answers: all that could be
     * changed was (RFC 2180 §4.2.1). */
    if (j->gone && !c->uid && !j->args.silent)
        return yb_err_as(err, YB_ERR_GONE, YB_PERM, "5.2.0",
                         "Some of the messages no longer exist");
    text = yb_buf_new((size_t)8 << 20);
    if (j->n_failed > 0) {
        w = (struct imapd_set_writer){ .out = text };
        yb_buf_add(text, YB_STR("[MODIFIED "));
        for (size_t i = 0; i < j->n_failed; i++)
            imapd_set_add(&w, c->uid ? j->failed[i]
                                     : (uint32_t)yb_rows_find(j->rows, j->failed[i]) + 1);
        imapd_set_end(&w);
        yb_buf_add(text, YB_STR("] "));
    } else if (j->gone && !c->uid) {
        yb_buf_add(text, YB_STR("[EXPUNGEISSUED] "));
    }
    yb_buf_add(text, YB_STR("STORE completed"));
    imapd_ok(c, yb_buf_view(text));
    yb_buf_free(&text);
    return 0;
}

/* How many messages. */
static size_t
slice_of(struct imapd_cmd *c, const struct store_job *j)
{
    const struct yb_keywords *k = imapd_cmd_keywords(c);
    size_t octets = (k == NULL ? 0 : yb_keywords_octets(k)) + j->octets;
    size_t by_names = SLICE_NAMES / (j->op.n_keywords + 1) + 1;
    size_t by_octets = SLICE_OCTETS / (octets + 1) + 1;
    size_t n = by_names < by_octets ? by_names : by_octets;

    return n < SLICE ? n : SLICE;
}

static int
store_step(struct imapd_cmd *c, struct yb_err *err)
{
    struct store_job *j = c->job;
    size_t most = slice_of(c, j), n = j->n - j->done < most ? j->n - j->done : most;
    struct yb_changes changes;

    if (n > 0) {
        j->op.failed = yb_arena_alloc(c->scratch, n, sizeof(uint32_t));
        j->op.n_failed = 0;
        c->has_keywords = false; /* the store makes those that are missing */
        if (yb_mailbox_store(c->s->mailbox, j->uids + j->done, n, &j->op, err) < 0 ||
            imapd_changes(c, false, &changes, err) < 0)
            return -1;
        if (changes.invalid)
            return 0;
        if (changes.unfinished) { /* what is not among them is told as it is now */
            yb_rows_release(&j->rows);
            if (yb_view_rows(c->s->mailbox, &c->s->view, &j->rows, err) < 0)
                return -1;
        }
        tell_slice(c, j, n, &changes);
        memcpy(j->failed + j->n_failed, j->op.failed, j->op.n_failed * sizeof(uint32_t));
        j->n_failed += j->op.n_failed;
        j->done += n;
    }
    if (j->done == j->n)
        return store_answer(c, j, err);
    yb_rows_release(&j->rows);
    j->told = c->s->view.modseq;
    return yb_view_rows(c->s->mailbox, &c->s->view, &j->rows, err) < 0 ? -1 : 1;
}

int
imapd_cmd_store(struct imapd_cmd *c, struct yb_err *err)
{
    struct imapd_session *s = c->s;
    struct store_job *j = yb_arena_alloc(c->arena, 1, sizeof(*j));
    struct imapd_set seqs;

    c->job = j;
    c->end = store_end;
    if (!imapd_parse_store(&c->lex, &j->args))
        return imapd_wrong(c, err);
    if (j->args.has_unchanged_since)
        imapd_enable_condstore(c);
    j->op.op = j->args.op == '+'   ? YB_FLAGS_ADD
               : j->args.op == '-' ? YB_FLAGS_REMOVE
                                   : YB_FLAGS_SET;
    j->op.flags = j->args.flags.flags;
    j->op.unchanged_since = j->args.unchanged_since;
    j->told = s->view.modseq;
    if (yb_view_rows(s->mailbox, &s->view, &j->rows, err) < 0 ||
        imapd_targets(c, &j->args.set, c->uid, j->rows, &seqs, err) < 0)
        return -1;
    keep_keywords(c, j);
    j->uids = imapd_uids(c, &seqs, j->rows, &j->n, &j->gone);
    j->failed = yb_arena_alloc(c->arena, j->n + 1, sizeof(uint32_t));
    /* UNCHANGEDSINCE 0 lets nothing through; the store's 0 means no condition (RFC 7162 §3.1.3). */
    if (j->args.has_unchanged_since && j->args.unchanged_since == 0) {
        memcpy(j->failed, j->uids, j->n * sizeof(uint32_t));
        j->n_failed = j->n;
        j->done = j->n;
    }
    c->step = store_step;
    return 0;
}
