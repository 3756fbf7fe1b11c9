#include "lmtpd/deliver.h"

/* Where a recipient's message is on its way; NULL file once it is stored or given up. */
struct hand_over {
    struct yb_store_account *account;
    struct yb_incoming *file;
    struct yb_str head; /* added fields, until they are written with the first block */
    struct yb_err err;  /* class 0: all is well so far */
    struct yb_put_result stored;
};

static struct lmtpd_deliver *
deliver_of(const struct yb_smtp_session *s)
{
    return yb_smtp_server_arg(s->server);
}

/* How long a mailbox has been full is the directory's to know, which answers at RCPT
 * (docs/delivery.md, 6): here a full one is always told to come again. */
static int
mailbox_full(struct yb_err *err)
{
    return yb_err_as(err, YB_ERR_FULL, YB_TEMP, "4.2.2", "Mailbox full");
}

/* Only the daemons of this node hand over: what they say of a recipient is believed. */
static int
on_connect(struct yb_smtp_session *s, struct yb_err *err)
{
    uid_t uid;
    int rc = yb_smtp_peers_check(&deliver_of(s)->peers, s->conn, &uid, err);

    if (rc < 0 && uid != (uid_t)-1)
        yb_log(YB_LOG_WARN, yb_conn_log(s->conn), "lmtpd.peer.refused", "user %u is not in peers",
               (unsigned)uid);
    return rc;
}

/* Whoever connects, it is the tenant whose mail takes the workers' time. */
static int
on_mail(struct yb_smtp_session *s, struct yb_err *err YB_UNUSED)
{
    uint64_t key;

    memcpy(&key, s->tx->x.tenant.v, sizeof(key));
    if (!yb_tenant_id_is_zero(s->tx->x.tenant))
        yb_conn_set_fair_key(s->conn, key);
    return 0;
}

/* The fields that final delivery adds (RFC 5321 §4.4): they differ between recipients. */
static struct yb_str
added_fields(const struct yb_smtp_tx *tx, const struct yb_smtp_rcpt *r)
{
    return yb_arena_printf(tx->arena, "Return-Path: <%.*s>\r\nDelivered-To: %.*s\r\n",
                           YB_STR_ARG(tx->from_text), YB_STR_ARG(r->text));
}

static struct yb_put
put_of(const struct yb_smtp_rcpt *r)
{
    return (struct yb_put){
        .mailbox = r->x.junk ? "Junk" : NULL,
        .create_mailbox = true,
        .id = r->x.delivery,
        .quota_bytes = r->x.quota,
        .over_quota_ok = r->x.accepted,
        .delivery = true,
        .repeat = r->x.repeat,
    };
}

/*
 * What will stand against the message says so before it is sent: whoever hands over for several
 * recipients (XWHOLE), or only asks, can still take back all of it. One that is alone learns it at
 * the end as well, and is not asked twice but for room. The exact check is made under the lock when
 * it is stored.
 */
static int
check_before(const struct yb_smtp_tx *tx, const struct yb_smtp_rcpt *r, const struct hand_over *h,
             struct yb_err *err)
{
    struct yb_put put = put_of(r);
    bool counted = r->x.quota > 0 && !r->x.accepted && !r->x.repeat;

    put.asked = tx->x.ask;
    if (!tx->x.whole && !counted)
        return 0;
    if (yb_store_put_check(h->account, &put, tx->declared + h->head.n, err) == 0)
        return 0;
    return err->kind == YB_ERR_FULL ? mailbox_full(err) : -1;
}

static void
log_fate(struct yb_smtp_session *s, const struct yb_smtp_rcpt *r, const struct hand_over *h)
{
    char text[YB_ID_TEXT];
    struct yb_log_line l;

    yb_log_begin(&l, h->err.class == YB_OK ? YB_LOG_INFO : YB_LOG_WARN, yb_conn_log(s->conn),
                 h->err.class == YB_OK ? "lmtpd.delivered" : "lmtpd.refused");
    if (!yb_session_id_is_zero(s->tx->x.session))
        yb_log_str(&l, "session", yb_str_from(yb_session_id_text(s->tx->x.session, text)));
    yb_log_str(&l, "delivery", yb_str_from(yb_delivery_id_text(r->x.delivery, text)));
    yb_log_str(&l, "account", yb_str_from(yb_account_id_text(r->x.account, text)));
    yb_log_str(&l, "rcpt", r->text);
    if (s->tx->size > 0) /* not yet, at RCPT */
        yb_log_num(&l, "size", (int64_t)s->tx->size);
    if (h->err.class == YB_OK) {
        yb_log_num(&l, "uid", h->stored.uid);
        if (h->stored.duplicate)
            yb_log_str(&l, "duplicate", YB_STR("yes"));
    } else {
        yb_log_str(&l, "status", yb_str_from(h->err.status));
        yb_log_str(&l, "text", yb_str_from(h->err.text));
    }
    yb_log_end(&l);
}

/* A mailbox that is broken keeps its mail out until somebody mends it; one that is full is as usual. */
static int
refuse_rcpt(struct yb_smtp_session *s, const struct yb_smtp_rcpt *r, struct hand_over *h,
            const struct yb_err *err)
{
    yb_store_close(&h->account);
    h->err = *err;
    if (err->class == YB_TEMP && err->kind != YB_ERR_FULL)
        log_fate(s, r, h);
    return -1;
}

static int
on_rcpt(struct yb_smtp_session *s, struct yb_smtp_rcpt *r, struct yb_err *err)
{
    struct lmtpd_deliver *d = deliver_of(s);
    struct hand_over *h;

    if (yb_account_id_is_zero(r->x.account) || yb_delivery_id_is_zero(r->x.delivery))
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "RCPT needs XACCOUNT and XDELIVERY");
    h = yb_arena_alloc(s->tx->arena, 1, sizeof(*h));
    if ((d->keeps != NULL && d->keeps(d->home, err) < 0) ||
        yb_store_open(d->store, r->x.account, true, &h->account, err) < 0)
        return refuse_rcpt(s, r, h, err);
    h->head = added_fields(s->tx, r);
    if (check_before(s->tx, r, h, err) < 0)
        return refuse_rcpt(s, r, h, err);
    r->data = h;
    return 0;
}

/* Notes the failure of one recipient; the others go on. */
static void
give_up(struct hand_over *h, const struct yb_err *err)
{
    h->err = *err;
    yb_store_put_abort(&h->file);
}

static struct iovec
piece(struct yb_str s)
{
    return (struct iovec){ .iov_base = (void *)(uintptr_t)s.p, .iov_len = s.n };
}

/* The added fields go with the first block, so that a small message is one write. */
static void
write_to(struct hand_over *h, struct yb_str bytes)
{
    struct iovec v[2] = { piece(h->head), piece(bytes) };
    int skip = h->head.n == 0;
    struct yb_err err = { 0 };

    if (h->file != NULL && yb_store_put_write(h->file, v + skip, 2 - skip, &err) < 0)
        give_up(h, &err);
    h->head = yb_str("", 0);
}

static int
on_data(struct yb_smtp_session *s, struct yb_err *err YB_UNUSED)
{
    for (struct yb_smtp_rcpt *r = s->tx->rcpts; r != NULL; r = r->next) {
        struct hand_over *h = r->data;
        struct yb_err why = { 0 };

        if (yb_store_put_begin(h->account, s->tx->declared, &h->file, &why) < 0)
            give_up(h, &why);
    }
    return 0;
}

static int
on_block(struct yb_smtp_session *s, struct yb_str block, struct yb_err *err YB_UNUSED)
{
    for (struct yb_smtp_rcpt *r = s->tx->rcpts; r != NULL; r = r->next)
        write_to(r->data, block);
    return 0;
}

/*
 * Whoever handed this over and gave up waiting hands it over once more, by another way and as XREPEAT.
 * If that came first it found nothing, and this one would be the second copy: so it is not stored.
 * One that comes later finds it.
 */
static bool
is_awaited(void *conn)
{
    return !yb_conn_is_left(conn);
}

static void
place(const struct yb_smtp_session *s, const struct yb_smtp_rcpt *r)
{
    struct hand_over *h = r->data;
    struct yb_put put = put_of(r);
    struct yb_err err = { 0 };

    put.is_awaited = is_awaited;
    put.awaited_arg = s->conn;

    if (h->file == NULL || yb_store_put_place(h->file, &put, &h->stored, &err) == 0)
        return;
    if (err.kind == YB_ERR_FULL)
        (void)mailbox_full(&err);
    give_up(h, &err);
}

/* The final state of an accepted message. A refusal is told by the engine with its answer. */
static void
tell_stored(const struct yb_smtp_session *s, const struct yb_smtp_rcpt *r)
{
    const struct hand_over *h = r->data;
    const struct yb_event e = {
        .grade = YB_EVENT_FINAL,
        .name = YB_STR("lmtpd.delivered"),
        .session = s->tx->x.session,
        .message = s->tx->id,
        .delivery = r->x.delivery,
        .tenant = s->tx->x.tenant,
        .account = r->x.account,
        .sender = s->tx->from_text,
        .recipient = r->text,
        .decision = YB_STR("store"),
        .code = 250,
        .status = YB_STR("2.1.5"),
        .reason = h->stored.duplicate ? YB_STR("it was there already") : yb_str(NULL, 0),
    };

    yb_event_append(deliver_of(s)->events, &e);
}

/*
 * XWHOLE, and some cannot have it: nobody has it, for the client will come again with all of it. What
 * was placed and is not durable yet is taken back. Each try of such a message would be one more copy.
 */
static void
hold_back(const struct yb_smtp_tx *tx)
{
    struct yb_err held = { 0 };
    bool all = true;

    for (const struct yb_smtp_rcpt *r = tx->rcpts; r != NULL && all; r = r->next)
        all = ((const struct hand_over *)r->data)->file != NULL;
    if (all || !tx->x.whole)
        return;
    yb_err_as(&held, YB_ERR_HELD, YB_TEMP, "4.5.0", "Not stored: others could not have it");
    for (const struct yb_smtp_rcpt *r = tx->rcpts; r != NULL; r = r->next) {
        if (((const struct hand_over *)r->data)->file != NULL)
            give_up(r->data, &held);
    }
}

/* At the dot. All are placed before the first is synced: one journal commit then serves many. */
static int
on_message(struct yb_smtp_session *s, struct yb_str *answer YB_UNUSED, struct yb_err *err YB_UNUSED)
{
    struct lmtpd_deliver *d = deliver_of(s);

    for (struct yb_smtp_rcpt *r = s->tx->rcpts; r != NULL; r = r->next) {
        if (s->tx->size == 0)
            write_to(r->data, yb_str("", 0));
        place(s, r);
    }
    hold_back(s->tx);
    for (struct yb_smtp_rcpt *r = s->tx->rcpts; r != NULL; r = r->next) {
        struct hand_over *h = r->data;

        if (h->file != NULL && yb_store_put_commit(&h->file, &h->err) == 0) {
            atomic_fetch_add(&d->delivered, 1);
            if (h->stored.duplicate)
                atomic_fetch_add(&d->duplicates, 1);
            tell_stored(s, r);
        } else {
            atomic_fetch_add(&d->refused, 1);
            r->err = &h->err;
        }
        log_fate(s, r, h);
    }
    return 0;
}

static void
on_reset(struct yb_smtp_session *s)
{
    for (struct yb_smtp_rcpt *r = s->tx->rcpts; r != NULL; r = r->next) {
        struct hand_over *h = r->data;

        yb_store_put_abort(&h->file);
        yb_store_close(&h->account);
    }
}

const struct yb_smtp_hooks lmtpd_hooks = {
    .connect = on_connect,
    .mail = on_mail,
    .rcpt = on_rcpt,
    .data = on_data,
    .block = on_block,
    .message = on_message,
    .reset = on_reset,
};
