/*
 * A suspect's trial: its file is found and read as FETCH and SEARCH do it, in a process that serves
 * nobody. If it was this message that ended the serving process, it ends this one.
 */
#include "imapd/message.h"
#include "imapd/seek.h"
#include "imapd/suspect.h"

#include "lib/home/home.h"

#define LOCK_MS 3000 /* an account that others work on: tried again later */
#define ARENA 65536

/* All that FETCH and SEARCH make of it, its cached form too: a text that is nowhere is looked for
 * everywhere. */
static int
try_message(struct imapd_message *m, struct yb_err *err)
{
    struct imapd_needle nowhere = { .where = IMAPD_SEEK_TEXT };
    struct imapd_seek *seek;
    struct yb_str bytes;
    int rc;

    if (yb_mailbox_cache_get(m->from.mailbox, m->record, m->arena, &bytes))
        (void)!imapd_parsed_decode(bytes, m->arena, &m->parsed);
    if (imapd_message_parse(m, err) < 0)
        return -1;
    nowhere.text = nowhere.squeezed = YB_STR("\xff nowhere");
    seek = imapd_seek_new(&nowhere, 1, NULL);
    imapd_seek_begin(seek, m);
    rc = imapd_seek_run(seek, IMAPD_SOUGHT_ALL, err);
    imapd_seek_free(&seek);
    return rc;
}

static int
try_uid(struct yb_mailbox *mailbox, const struct imapd_work *work, struct yb_err *err)
{
    struct imapd_source from = { .mailbox = mailbox };
    const struct yb_rows *rows = NULL;
    struct imapd_message message;
    struct yb_arena *arena;
    struct yb_view view;
    size_t at;
    int rc;

    if (yb_view_begin(mailbox, true, &view, err) < 0)
        return -1;
    rc = yb_view_rows(mailbox, &view, &rows, err);
    at = rc < 0 ? 0 : yb_rows_find(rows, work->uid);
    if (rc == 0 && at < rows->n && rows->v[at].uid == work->uid) {
        arena = yb_arena_new(ARENA);
        imapd_message_begin(&message, &from, &rows->v[at], arena);
        rc = imapd_message_work(&message, INT64_MAX, err);
        if (rc == 0)
            rc = try_message(&message, err);
        imapd_message_end(&message);
        yb_arena_free(&arena);
    }
    if (rows != NULL)
        yb_rows_release(&rows);
    yb_view_end(mailbox, &view);
    return rc;
}

static int
try_work(struct yb_store *store, const struct imapd_work *work, struct yb_err *err)
{
    struct yb_store_account *account = NULL;
    struct yb_mailbox *mailbox = NULL;
    int rc = yb_store_open(store, work->account, false, &account, err);

    if (rc == 0) {
        rc = yb_mailbox_resume(account, "", work->uidvalidity, &mailbox, err);
        if (rc == 0) {
            rc = try_uid(mailbox, work, err);
            yb_mailbox_close(&mailbox);
        }
        yb_store_close(&account);
    }
    return rc < 0 && err->class == YB_PERM ? 0 : rc; /* it is gone */
}

int
imapd_probe(const struct yb_conf *conf, const struct yb_note *note, struct yb_err *err)
{
    struct yb_log_line l;
    char account[YB_ID_TEXT];
    struct imapd_work work;
    struct yb_node_id node;
    struct yb_store *store = NULL;
    int rc;

    imapd_work_decode(note, &work);
    yb_log_begin(&l, YB_LOG_WARN, NULL, "imap.suspect");
    yb_log_str(&l, "account", yb_str_from(yb_account_id_text(work.account, account)));
    yb_log_num(&l, "uidvalidity", work.uidvalidity);
    yb_log_num(&l, "uid", work.uid);
    yb_log_end(&l);
    if (yb_home_open(yb_conf_common(conf), LOCK_MS, 1, &node, &store, err) < 0)
        return -1;
    rc = try_work(store, &work, err);
    yb_store_root_close(&store);
    return rc;
}
