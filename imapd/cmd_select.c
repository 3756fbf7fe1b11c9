/* A mailbox is opened, watched in IDLE, and let go. */
#include "imapd/cmd.h"
#include "imapd/reply.h"
#include "imapd/sync.h"

static void
tell_code(struct yb_buf *b, struct yb_str code, uint64_t number, struct yb_str text)
{
    yb_buf_add(b, YB_STR("* OK ["));
    yb_buf_add(b, code);
    yb_buf_add_u64(b, number);
    yb_buf_add(b, YB_STR("] "));
    yb_buf_add(b, text);
    yb_buf_add(b, YB_STR("\r\n"));
}

/* RFC 3501 §6.3.1, and HIGHESTMODSEQ of RFC 7162 §3.1.2. */
static void
tell_mailbox(struct imapd_cmd *c, const struct yb_rows *rows)
{
    const struct yb_view *view = &c->s->view;
    size_t recent = yb_rows_recent(rows, view), unseen = 0;
    struct yb_buf *b = c->out;

    imapd_tell_keywords(c);
    yb_buf_add(b, YB_STR("* "));
    yb_buf_add_u64(b, rows->n);
    yb_buf_add(b, YB_STR(" EXISTS\r\n* "));
    yb_buf_add_u64(b, recent);
    yb_buf_add(b, YB_STR(" RECENT\r\n"));
    while (unseen < rows->n && (rows->v[unseen].flags & YB_FLAG_SEEN) != 0)
        unseen++;
    if (unseen < rows->n)
        tell_code(b, YB_STR("UNSEEN "), unseen + 1, YB_STR("The first one not seen"));
    tell_code(b, YB_STR("UIDVALIDITY "), view->uidvalidity, YB_STR("UIDs are valid"));
    tell_code(b, YB_STR("UIDNEXT "), view->uidnext, YB_STR("The next UID"));
    tell_code(b, YB_STR("HIGHESTMODSEQ "), view->modseq, YB_STR("The highest mod-sequence"));
}

static int
select_mailbox(struct imapd_cmd *c, bool read_only, struct yb_err *err)
{
    struct imapd_session *s = c->s;
    const struct yb_rows *rows = NULL;
    struct imapd_select args;
    struct yb_mailbox *m = NULL;
    struct yb_view view;
    uint32_t watched;

    if (!imapd_parse_select(&c->lex, &args))
        return imapd_wrong(c, err);
    /* Whatever comes of it, the mailbox of before is no longer selected (§6.3.1). */
    imapd_deselect(s);
    if (yb_mailbox_open(s->account, args.mailbox, &m, err) < 0)
        return -1;
    watched = yb_mailbox_watch(m); /* before the view, so that no change falls between */
    if (yb_view_begin(m, read_only, &view, err) < 0) {
        yb_store_unwatch(s->server->store, s->account_id, watched);
        yb_mailbox_close(&m);
        return -1;
    }
    imapd_session_select(s, c->conn, m, &view, watched);
    if (yb_view_rows(m, &view, &rows, err) < 0) {
        imapd_deselect(s);
        return -1;
    }
    tell_mailbox(c, rows);
    yb_rows_release(&rows);
    s->condstore |= args.condstore;
    yb_buf_add(c->out, c->tag);
    yb_buf_add(c->out, read_only ? YB_STR(" OK [READ-ONLY] EXAMINE completed\r\n")
                                 : YB_STR(" OK [READ-WRITE] SELECT completed\r\n"));
    return 0;
}

int
imapd_cmd_select(struct imapd_cmd *c, struct yb_err *err)
{
    return select_mailbox(c, false, err);
}

int
imapd_cmd_examine(struct imapd_cmd *c, struct yb_err *err)
{
    return select_mailbox(c, true, err);
}

int
imapd_cmd_check(struct imapd_cmd *c, struct yb_err *err YB_UNUSED)
{
    imapd_ok(c, YB_STR("CHECK completed"));
    return 0;
}

/* Removes what is marked, telling nobody (§6.4.2). */
static int
expunge_silently(struct imapd_cmd *c, struct yb_err *err)
{
    struct imapd_session *s = c->s;
    const struct yb_rows *rows = NULL;
    uint32_t *uids;
    size_t n = 0;
    int rc = 0;

    if (yb_view_rows(s->mailbox, &s->view, &rows, err) < 0)
        return -1;
    uids = yb_arena_alloc(c->arena, rows->n + 1, sizeof(*uids));
    for (size_t i = 0; i < rows->n; i++) {
        if ((rows->v[i].flags & YB_FLAG_DELETED) != 0 && !rows->v[i].expunged)
            uids[n++] = rows->v[i].uid;
    }
    if (n > 0)
        rc = yb_mailbox_expunge(s->mailbox, uids, n, true, false, err);
    yb_rows_release(&rows);
    return rc;
}

int
imapd_cmd_close(struct imapd_cmd *c, struct yb_err *err)
{
    if (!c->s->view.read_only && expunge_silently(c, err) < 0)
        return -1;
    imapd_deselect(c->s);
    imapd_ok(c, YB_STR("CLOSE completed"));
    return 0;
}

int
imapd_cmd_unselect(struct imapd_cmd *c, struct yb_err *err YB_UNUSED)
{
    imapd_deselect(c->s);
    imapd_ok(c, YB_STR("UNSELECT completed"));
    return 0;
}

/* --- IDLE (RFC 2177) --- */

int
imapd_cmd_idle(struct imapd_cmd *c, struct yb_err *err YB_UNUSED)
{
    struct imapd_session *s = c->s;

    s->mode = IMAPD_IN_IDLE;
    s->tag = yb_dup(c->tag.p, c->tag.n);
    yb_buf_add(c->out, YB_STR("+ Idling\r\n"));
    if (s->state != IMAPD_ST_BOX)
        return 0;
    imapd_push_idle(s->server->push, &s->push, true);
    /* What changed before the table knew of us. */
    if (imapd_sync(c, true))
        imapd_push_again(s->server->push, &s->push);
    return 0;
}

void
imapd_idle_line(struct yb_conn *conn, struct imapd_session *s, struct yb_str line)
{
    char *tag = s->tag;
    struct imapd_cmd c;

    imapd_push_idle(s->server->push, &s->push, false);
    s->mode = IMAPD_IN_COMMAND;
    s->tag = NULL;
    imapd_cmd_begin(&c, conn, yb_str_from(tag));
    if (yb_str_eqi(line, YB_STR("DONE")))
        imapd_ok(&c, YB_STR("IDLE completed"));
    else
        imapd_bad(&c, YB_STR("DONE was expected"));
    imapd_cmd_flush(&c);
    yb_free(tag);
}

void
imapd_idle_woken(struct yb_conn *conn, struct imapd_session *s)
{
    struct imapd_cmd c;

    if (s->state != IMAPD_ST_BOX)
        return;
    imapd_cmd_begin(&c, conn, YB_STR("*"));
    if (imapd_sync(&c, true))
        imapd_push_again(s->server->push, &s->push);
    if (yb_buf_size(c.out) > 0)
        imapd_count(s->server, IMAPD_COUNT_PUSHED, 1);
    imapd_cmd_flush(&c);
}
