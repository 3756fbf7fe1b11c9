#include "relayd/intake.h"

#include "relayd/tell.h"

static struct relayd_intake *
intake_of(const struct yb_smtp_session *s)
{
    return yb_smtp_server_arg(s->server);
}

/*
 * Who has a message for several and hears that we are there lets some of them have it: so we are not,
 * while nothing can be taken of anybody.
 */
static int
may_take_any(struct yb_smtp_session *s, struct yb_err *err)
{
    struct yb_tenant_id nobody = { { 0 } };

    return relayd_queue_may_take(intake_of(s)->queue, nobody, 0, true, err) ? 0 : -1;
}

/* Only the daemons of this node hand over: what they say of a recipient is believed. */
static int
on_connect(struct yb_smtp_session *s, struct yb_err *err)
{
    uid_t uid;
    int rc = yb_smtp_peers_check(&intake_of(s)->peers, s->conn, &uid, err);

    if (rc < 0 && uid != (uid_t)-1)
        yb_log(YB_LOG_WARN, yb_conn_log(s->conn), "relayd.peer.refused", "user %u is not in peers",
               (unsigned)uid);
    return rc < 0 ? -1 : may_take_any(s, err);
}

/* Whoever connects, it is the tenant whose mail takes the workers' time. Which recipients are XACCEPTED is
 * not known yet: here all may be. */
static int
on_mail(struct yb_smtp_session *s, struct yb_err *err)
{
    uint64_t key;

    memcpy(&key, s->tx->x.tenant.v, sizeof(key));
    if (!yb_tenant_id_is_zero(s->tx->x.tenant))
        yb_conn_set_fair_key(s->conn, key);
    return relayd_queue_may_take(intake_of(s)->queue, s->tx->x.tenant, s->tx->declared, true, err)
               ? 0
               : -1;
}

/* A message may be for mailboxes of several. */
static struct yb_tenant_id
owner_of(const struct yb_smtp_session *s, const struct yb_smtp_rcpt *r)
{
    return yb_tenant_id_is_zero(r->x.owner) ? s->tx->x.tenant : r->x.owner;
}

static int
on_rcpt(struct yb_smtp_session *s, struct yb_smtp_rcpt *r, struct yb_err *err)
{
    if (yb_account_id_is_zero(r->x.account))
        return yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.1.1",
                         "Only for mailboxes of this node: RCPT needs XACCOUNT");
    if (yb_delivery_id_is_zero(r->x.delivery))
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "RCPT needs XDELIVERY");
    if (!r->x.accepted &&
        !relayd_queue_may_take(intake_of(s)->queue, owner_of(s, r), s->tx->declared, false, err))
        return -1;
    return 0;
}

static void
take_rcpt(const struct yb_smtp_session *s, const struct yb_smtp_rcpt *r, int64_t now_ms,
          struct relayd_recipient *to)
{
    *to = (struct relayd_recipient){ .delivery = r->x.delivery,
                                     .tenant = owner_of(s, r),
                                     .account = r->x.account,
                                     .home = r->x.home,
                                     .address = r->text,
                                     .quota = r->x.quota,
                                     .junk = r->x.junk,
                                     .repeat = r->x.repeat,
                                     .state = RELAYD_WAITING,
                                     .next_ms = now_ms };
}

static int
on_message(struct yb_smtp_session *s, struct yb_str *answer YB_UNUSED, struct yb_err *err)
{
    const struct yb_smtp_tx *tx = s->tx;
    int64_t now_ms = yb_clock_now_us() / 1000;
    struct relayd_message m = { .mid = tx->id,
                                .sid = tx->x.session,
                                .tenant = tx->x.tenant,
                                .origin = tx->x.origin,
                                .sender = tx->from_text,
                                .body_8bit = tx->body_8bit,
                                .utf8 = tx->utf8,
                                .accepted = true,
                                .arrived_ms = now_ms,
                                .r = yb_arena_alloc(tx->arena, tx->n_rcpts, sizeof(*m.r)) };

    for (const struct yb_smtp_rcpt *r = tx->rcpts; r != NULL; r = r->next) {
        take_rcpt(s, r, now_ms, &m.r[m.n++]);
        m.accepted = m.accepted && r->x.accepted;
    }
    if (relayd_run_put(intake_of(s)->run, &m, tx->message, err) < 0)
        return -1;
    relayd_tell_came(intake_of(s)->events, &m);
    return 0;
}

const struct yb_smtp_hooks relayd_intake_hooks = {
    .connect = on_connect,
    .noop = may_take_any,
    .mail = on_mail,
    .rcpt = on_rcpt,
    .message = on_message,
};
