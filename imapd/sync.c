/*
 * What is new in the selected mailbox, told at the moments RFC 3501 §5.2 and §7.4.1 allow. A view
 * is four numbers; lib/store compares them with the mailbox and says what the session does not know
 * yet.
 */
#include "imapd/sync.h"

int
imapd_look(struct imapd_cmd *c, bool expunges, struct yb_changes *out, struct yb_err *err)
{
    struct imapd_session *s = c->s;

    *out = (struct yb_changes){ 0 };
    if (imapd_resume(s, err) < 0) {
        out->invalid = err->class == YB_PERM;
        return out->invalid ? 0 : -1;
    }
    return yb_view_changes(s->mailbox, &s->view, expunges, c->scratch, out, err);
}

int
imapd_changes(struct imapd_cmd *c, bool expunges, struct yb_changes *out, struct yb_err *err)
{
    struct imapd_session *s = c->s;

    if (imapd_look(c, expunges, out, err) < 0)
        return -1;
    c->untold = out->untold > 0;
    if (out->invalid && !s->closing) {
        yb_buf_add(c->out, YB_STR("* BYE The mailbox was deleted or replaced, select anew\r\n"));
        s->closing = true;
    }
    return 0;
}

const struct yb_keywords *
imapd_cmd_keywords(struct imapd_cmd *c)
{
    struct imapd_session *s = c->s;
    const struct yb_keywords *now = NULL;
    struct yb_err err = { 0 };

    if (c->has_keywords)
        return s->keywords;
    if (yb_mailbox_keywords(s->mailbox, &now, &err) < 0)
        yb_log_err(YB_LOG_WARN, yb_conn_log(c->conn), "imap.error", &err);
    yb_keywords_release(&s->keywords);
    s->keywords = now;
    c->has_keywords = true;
    return now;
}

void
imapd_tell_keywords(struct imapd_cmd *c)
{
    const struct yb_keywords *k = imapd_cmd_keywords(c);
    struct yb_buf *b = c->out;

    yb_buf_add(b, YB_STR("* FLAGS "));
    imapd_put_all_flags(b, k, false);
    yb_buf_add(b, YB_STR("\r\n* OK [PERMANENTFLAGS "));
    if (c->s->view.read_only) {
        yb_buf_add(b, YB_STR("()] Nothing may be changed\r\n"));
    } else {
        imapd_put_all_flags(b, k, k != NULL && !yb_keywords_full(k));
        yb_buf_add(b, YB_STR("] Flags are kept\r\n"));
    }
    if (k != NULL)
        c->s->view.keywords = yb_keywords_version(k);
}

const struct yb_keywords *
imapd_told_keywords(struct imapd_cmd *c)
{
    const struct yb_keywords *k = imapd_cmd_keywords(c);

    if (k != NULL && yb_keywords_version(k) != c->s->view.keywords)
        imapd_tell_keywords(c);
    return k;
}

void
imapd_tell_flags(struct imapd_cmd *c, uint32_t seq, const struct yb_record *r)
{
    const struct yb_keywords *keywords = imapd_told_keywords(c);
    struct imapd_session *s = c->s;
    struct yb_buf *b = c->out;

    yb_buf_add(b, YB_STR("* "));
    yb_buf_add_u64(b, seq);
    yb_buf_add(b, YB_STR(" FETCH ("));
    if (c->uid || s->condstore) {
        yb_buf_add(b, YB_STR("UID "));
        yb_buf_add_u64(b, r->uid);
        yb_buf_add_c(b, ' ');
    }
    yb_buf_add(b, YB_STR("FLAGS "));
    imapd_put_flags(b, r, keywords, yb_view_is_recent(&s->view, r->uid));
    if (s->condstore) {
        yb_buf_add(b, YB_STR(" MODSEQ ("));
        yb_buf_add_u64(b, r->modseq);
        yb_buf_add_c(b, ')');
    }
    yb_buf_add(b, YB_STR(")\r\n"));
}

static void
tell_number(struct yb_buf *b, uint64_t number, struct yb_str what)
{
    yb_buf_add(b, YB_STR("* "));
    yb_buf_add_u64(b, number);
    yb_buf_add(b, what);
}

void
imapd_tell(struct imapd_cmd *c, const struct yb_changes *changes)
{
    if (changes->invalid)
        return;
    for (size_t i = 0; i < changes->n_expunged; i++)
        tell_number(c->out, changes->expunged[i], YB_STR(" EXPUNGE\r\n"));
    if (changes->more) {
        tell_number(c->out, changes->exists, YB_STR(" EXISTS\r\n"));
        tell_number(c->out, changes->recent, YB_STR(" RECENT\r\n"));
    }
    c->has_keywords = false; /* what changed may have keywords that came since */
    for (size_t i = 0; i < changes->n_flags; i++)
        imapd_tell_flags(c, changes->flags[i].seq, &changes->flags[i].record);
}

bool
imapd_sync(struct imapd_cmd *c, bool expunges)
{
    struct yb_changes changes;
    struct yb_err err = { 0 };

    if (imapd_changes(c, expunges, &changes, &err) < 0) {
        yb_log_err(YB_LOG_WARN, yb_conn_log(c->conn), "imap.error", &err);
        return false;
    }
    imapd_tell(c, &changes);
    return changes.unfinished;
}

void
imapd_enable_condstore(struct imapd_cmd *c)
{
    struct imapd_session *s = c->s;

    if (s->condstore)
        return;
    s->condstore = true;
    if (s->state != IMAPD_ST_BOX)
        return;
    yb_buf_add(c->out, YB_STR("* OK [HIGHESTMODSEQ "));
    yb_buf_add_u64(c->out, s->view.modseq);
    yb_buf_add(c->out, YB_STR("] CONDSTORE is enabled\r\n"));
}

/* --- sets --- */

int
imapd_targets(struct imapd_cmd *c, struct imapd_set *set, bool uid, const struct yb_rows *rows,
              struct imapd_set *seqs, struct yb_err *err)
{
    uint32_t n = (uint32_t)rows->n;

    *seqs = (struct imapd_set){ 0 };
    if (!uid) {
        /* RFC 3501 §9, seq-number; "1:*" of an empty mailbox names nothing, and everybody says
         * it. */
        bool all = set->n == 1 && set->v[0].lo == 1 && set->v[0].hi == IMAPD_STAR;

        if (imapd_set_largest(set) > n && !(n == 0 && all))
            return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4",
                             "There is no message of that number");
        if (n == 0)
            return 0;
        imapd_set_resolve(set, n);
        *seqs = *set;
        return 0;
    }
    if (n == 0)
        return 0;
    imapd_set_resolve(set, rows->v[n - 1].uid);
    seqs->v = yb_arena_alloc(c->arena, set->n, sizeof(seqs->v[0]));
    for (size_t i = 0; i < set->n; i++) {
        size_t from = yb_rows_find(rows, set->v[i].lo);
        size_t to = set->v[i].hi == UINT32_MAX ? rows->n : yb_rows_find(rows, set->v[i].hi + 1);

        if (from < to)
            seqs->v[seqs->n++] =
                (struct imapd_range){ .lo = (uint32_t)from + 1, .hi = (uint32_t)to };
    }
    return 0;
}

uint32_t *
imapd_uids(struct imapd_cmd *c, const struct imapd_set *seqs, const struct yb_rows *rows, size_t *n,
           bool *gone)
{
    uint32_t *uids;
    size_t room = 0;

    for (size_t i = 0; i < seqs->n; i++)
        room += (size_t)seqs->v[i].hi - seqs->v[i].lo + 1;
    uids = yb_arena_alloc(c->arena, room + 1, sizeof(*uids));
    *n = 0;
    *gone = false;
    for (size_t i = 0; i < seqs->n; i++) {
        for (uint32_t seq = seqs->v[i].lo; seq <= seqs->v[i].hi; seq++) {
            if (rows->v[seq - 1].expunged)
                *gone = true;
            else
                uids[(*n)++] = rows->v[seq - 1].uid;
        }
    }
    return uids;
}
