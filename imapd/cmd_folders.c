/* Folders: CREATE, DELETE, RENAME, SUBSCRIBE, STATUS, NAMESPACE. The rules for names are the
 * store's. */
#include "imapd/cmd.h"
#include "imapd/reply.h"
#include "imapd/sync.h"

int
imapd_cmd_namespace(struct imapd_cmd *c, struct yb_err *err YB_UNUSED)
{
    yb_buf_add(c->out, YB_STR("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"));
    imapd_ok(c, YB_STR("NAMESPACE completed"));
    return 0;
}

/* The only argument of a command: a mailbox. */
static int
one_mailbox(struct imapd_cmd *c, struct yb_str *name, struct yb_err *err)
{
    if (!imapd_lex_mailbox(&c->lex, name) || !imapd_lex_end(&c->lex))
        return imapd_wrong(c, err);
    return 0;
}

int
imapd_cmd_create(struct imapd_cmd *c, struct yb_err *err)
{
    struct imapd_create args;
    int rc;

    if (!imapd_parse_create(&c->lex, &args))
        return imapd_wrong(c, err);
    if (args.n_uses > 1)
        return yb_err_as(err, YB_ERR_USE, YB_PERM, "5.2.0", "A mailbox has one use");
    if (args.n_uses == 0)
        rc = yb_store_create(c->s->account, args.mailbox, err);
    else
        rc = yb_store_create_for(c->s->account, args.mailbox, args.uses[0], err);
    if (rc < 0)
        return -1;
    imapd_ok(c, YB_STR("CREATE completed"));
    return 0;
}

/* Who deletes the mailbox that is selected has none selected any more; others hear BYE. */
static void
leave_deleted(struct imapd_cmd *c)
{
    struct imapd_session *s = c->s;
    struct yb_changes changes;
    struct yb_err err = { 0 };

    if (s->state != IMAPD_ST_BOX || imapd_look(c, true, &changes, &err) < 0)
        return;
    if (changes.invalid)
        imapd_deselect(s);
    else
        imapd_tell(c, &changes);
}

int
imapd_cmd_delete(struct imapd_cmd *c, struct yb_err *err)
{
    struct yb_str name;

    if (one_mailbox(c, &name, err) < 0 || yb_store_delete(c->s->account, name, err) < 0)
        return -1;
    leave_deleted(c);
    imapd_ok(c, YB_STR("DELETE completed"));
    return 0;
}

int
imapd_cmd_rename(struct imapd_cmd *c, struct yb_err *err)
{
    struct yb_str from, to;

    if (!imapd_lex_mailbox(&c->lex, &from) || !imapd_lex_space(&c->lex))
        return imapd_wrong(c, err);
    if (one_mailbox(c, &to, err) < 0 || yb_store_rename(c->s->account, from, to, err) < 0)
        return -1;
    imapd_ok(c, YB_STR("RENAME completed"));
    return 0;
}

int
imapd_cmd_subscribe(struct imapd_cmd *c, struct yb_err *err)
{
    struct yb_str name;

    if (one_mailbox(c, &name, err) < 0 || yb_store_subscribe(c->s->account, name, true, err) < 0)
        return -1;
    imapd_ok(c, YB_STR("SUBSCRIBE completed"));
    return 0;
}

int
imapd_cmd_unsubscribe(struct imapd_cmd *c, struct yb_err *err)
{
    struct yb_str name;

    if (one_mailbox(c, &name, err) < 0 || yb_store_subscribe(c->s->account, name, false, err) < 0)
        return -1;
    imapd_ok(c, YB_STR("UNSUBSCRIBE completed"));
    return 0;
}

/* --- STATUS --- */

static void
put_items(struct imapd_cmd *c, unsigned items, const struct yb_mailbox_status *st)
{
    struct yb_buf *b = c->out;
    const struct {
        unsigned item;
        struct yb_str name;
        uint64_t value;
    } rows[] = {
        { IMAPD_STATUS_MESSAGES, YB_STR_INIT("MESSAGES "), st->messages },
        { IMAPD_STATUS_RECENT, YB_STR_INIT("RECENT "), st->recent },
        { IMAPD_STATUS_UIDNEXT, YB_STR_INIT("UIDNEXT "), st->uidnext },
        { IMAPD_STATUS_UIDVALIDITY, YB_STR_INIT("UIDVALIDITY "), st->uidvalidity },
        { IMAPD_STATUS_UNSEEN, YB_STR_INIT("UNSEEN "), st->unseen },
        { IMAPD_STATUS_HIGHESTMODSEQ, YB_STR_INIT("HIGHESTMODSEQ "), st->highest_modseq },
        /* RFC 9208: who announces QUOTA=RES-STORAGE tells it, in octets. */
        { IMAPD_STATUS_DELETED_STORAGE, YB_STR_INIT("DELETED-STORAGE "), st->deleted_bytes },
        { IMAPD_STATUS_APPENDLIMIT, YB_STR_INIT("APPENDLIMIT "), c->s->conf->max_message },
    };
    const char *between = "(";

    for (size_t i = 0; i < YB_COUNT(rows); i++) {
        if ((items & rows[i].item) == 0)
            continue;
        yb_buf_add(b, yb_str_from(between));
        yb_buf_add(b, rows[i].name);
        yb_buf_add_u64(b, rows[i].value);
        between = " ";
    }
    yb_buf_add(b, YB_STR(")\r\n"));
}

int
imapd_put_status(struct imapd_cmd *c, struct yb_str mailbox, unsigned items, struct yb_err *err)
{
    struct yb_mailbox *m = NULL;
    struct yb_mailbox_status st;
    int rc;

    if (yb_mailbox_open(c->s->account, mailbox, &m, err) < 0)
        return -1;
    rc = yb_mailbox_status_read(m, &st, err);
    yb_mailbox_close(&m);
    if (rc < 0)
        return -1;
    yb_buf_add(c->out, YB_STR("* STATUS "));
    imapd_put_mailbox(c->out, mailbox, c->scratch);
    yb_buf_add_c(c->out, ' ');
    put_items(c, items, &st);
    return 0;
}

int
imapd_cmd_status(struct imapd_cmd *c, struct yb_err *err)
{
    struct imapd_status args;

    if (!imapd_parse_status(&c->lex, &args))
        return imapd_wrong(c, err);
    if (imapd_put_status(c, args.mailbox, args.items, err) < 0)
        return -1;
    if ((args.items & IMAPD_STATUS_HIGHESTMODSEQ) != 0)
        imapd_enable_condstore(c);
    imapd_ok(c, YB_STR("STATUS completed"));
    return 0;
}
