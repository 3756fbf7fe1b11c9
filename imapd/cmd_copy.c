/* COPY, MOVE (RFC 6851), EXPUNGE and UID EXPUNGE (RFC 4315). */
#include "imapd/cmd.h"
#include "imapd/reply.h"
#include "imapd/sync.h"

/* "[COPYUID validity from to] " for what was done; nothing when nothing was. */
static void
put_copyuid(struct yb_buf *b, const uint32_t *uids, size_t n, const struct yb_copy *done)
{
    struct imapd_set_writer from = { .out = b }, to = { .out = b };
    size_t copied = 0;

    for (size_t i = 0; i < n && i < done->n_done; i++)
        copied += done->new_uids[i] != 0;
    if (copied == 0)
        return;
    yb_buf_add(b, YB_STR("[COPYUID "));
    yb_buf_add_u64(b, done->uidvalidity);
    yb_buf_add_c(b, ' ');
    for (size_t i = 0; i < n && i < done->n_done; i++) {
        if (done->new_uids[i] != 0)
            imapd_set_add(&from, uids[i]);
    }
    imapd_set_end(&from);
    yb_buf_add_c(b, ' ');
    for (size_t i = 0; i < n && i < done->n_done; i++) {
        if (done->new_uids[i] != 0)
            imapd_set_add(&to, done->new_uids[i]);
    }
    imapd_set_end(&to);
    yb_buf_add(b, YB_STR("] "));
}

/* What COPY and MOVE begin with: the UIDs, and the target. */
struct transfer {
    struct yb_mailbox *to;
    uint32_t *uids;
    size_t n;
    bool gone; /* some of the messages are */
    struct yb_copy done;
};

static int
transfer_begin(struct imapd_cmd *c, struct transfer *t, struct yb_err *err)
{
    struct imapd_session *s = c->s;
    const struct yb_rows *rows = NULL;
    struct imapd_copy args;
    struct imapd_set seqs;
    int rc;

    *t = (struct transfer){ 0 };
    if (!imapd_parse_copy(&c->lex, &args))
        return imapd_wrong(c, err);
    if (yb_view_rows(s->mailbox, &s->view, &rows, err) < 0)
        return -1;
    rc = imapd_targets(c, &args.set, c->uid, rows, &seqs, err);
    if (rc == 0)
        t->uids = imapd_uids(c, &seqs, rows, &t->n, &t->gone);
    yb_rows_release(&rows);
    if (rc < 0)
        return -1;
    t->done.new_uids = yb_arena_alloc(c->arena, t->n + 1, sizeof(uint32_t));
    if (yb_mailbox_open(s->account, args.mailbox, &t->to, err) == 0)
        return 0;
    if (err->kind == YB_ERR_NOT_FOUND)
        yb_err_as(err, YB_ERR_TRY_CREATE, YB_PERM, "5.2.0", "There is no such mailbox");
    return -1;
}

/* Messages that another session expunged, and that this one was not told of yet (RFC 5530); no error
 * where they are named by UID (RFC 3501 §6.4.8). */
static int
nothing_left(const struct imapd_cmd *c, const struct transfer *t, struct yb_err *err)
{
    if (t->n > 0 || !t->gone || c->uid)
        return 0;
    return yb_err_as(err, YB_ERR_GONE, YB_PERM, "5.2.0", "The messages are gone");
}

int
imapd_cmd_copy(struct imapd_cmd *c, struct yb_err *err)
{
    struct imapd_session *s = c->s;
    struct transfer t;
    struct yb_buf *text;
    int rc;

    if (transfer_begin(c, &t, err) < 0)
        return -1;
    rc = nothing_left(c, &t, err);
    if (rc == 0 && t.n > 0)
        rc = yb_mailbox_copy(s->mailbox, t.uids, t.n, t.to, s->quota, &t.done, err);
    yb_mailbox_close(&t.to);
    if (rc < 0)
        return -1;
    text = yb_buf_new((size_t)8 << 20);
    put_copyuid(text, t.uids, t.n, &t.done);
    yb_buf_add(text, YB_STR("COPY completed"));
    imapd_ok(c, yb_buf_view(text));
    yb_buf_free(&text);
    return 0;
}

int
imapd_cmd_move(struct imapd_cmd *c, struct yb_err *err)
{
    struct imapd_session *s = c->s;
    size_t before;
    struct transfer t;
    int rc;

    if (transfer_begin(c, &t, err) < 0)
        return -1;
    rc = nothing_left(c, &t, err);
    if (rc == 0 && t.n > 0)
        rc = yb_mailbox_move(s->mailbox, t.uids, t.n, t.to, &t.done, err);
    yb_mailbox_close(&t.to);
    /* RFC 6851 §4.3: COPYUID comes before the EXPUNGEs, and also when only a part was moved. */
    yb_buf_add(c->out, YB_STR("* OK "));
    before = yb_buf_size(c->out);
    put_copyuid(c->out, t.uids, t.n, &t.done);
    if (yb_buf_size(c->out) > before)
        yb_buf_add(c->out, YB_STR("Moved\r\n"));
    else
        yb_buf_truncate(c->out, before - 5);
    if (rc < 0)
        return -1;
    imapd_ok(c, YB_STR("MOVE completed"));
    return 0;
}

/* --- EXPUNGE --- */

/* All that is marked, or (`uids`, not resolved yet) of these. */
static int
expunge(struct imapd_cmd *c, struct imapd_set *uids, struct yb_err *err)
{
    struct imapd_session *s = c->s;
    const struct yb_rows *rows = NULL;
    uint32_t *dead;
    size_t n = 0;
    int rc = 0;

    if (yb_view_rows(s->mailbox, &s->view, &rows, err) < 0)
        return -1;
    if (uids != NULL && rows->n > 0)
        imapd_set_resolve(uids, rows->v[rows->n - 1].uid);
    dead = yb_arena_alloc(c->arena, rows->n + 1, sizeof(*dead));
    for (size_t i = 0; i < rows->n; i++) {
        if ((rows->v[i].flags & YB_FLAG_DELETED) != 0 && !rows->v[i].expunged &&
            (uids == NULL || imapd_set_has(uids, rows->v[i].uid)))
            dead[n++] = rows->v[i].uid;
    }
    yb_rows_release(&rows);
    if (n > 0)
        rc = yb_mailbox_expunge(s->mailbox, dead, n, true, false, err);
    if (rc == 0)
        imapd_ok(c, YB_STR("EXPUNGE completed"));
    return rc;
}

int
imapd_cmd_expunge(struct imapd_cmd *c, struct yb_err *err)
{
    return expunge(c, NULL, err);
}

int
imapd_cmd_uid_expunge(struct imapd_cmd *c, struct yb_err *err)
{
    struct imapd_set uids;

    if (!imapd_lex_set(&c->lex, &uids) || !imapd_lex_end(&c->lex))
        return imapd_wrong(c, err);
    return expunge(c, &uids, err);
}
