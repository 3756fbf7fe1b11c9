/* Resolving recipients and handing messages over. */
#include "lib/receive/handover.h"

#include "lib/receive/envelope.h"
#include "lib/receive/parcel.h"
#include "lib/receive/room.h"

/* --- RCPT --- */

/* postmaster@[address] is for us when the client connected to that very address (P4). */
static bool
is_our_literal(const struct yb_smtp_session *s, struct yb_str literal)
{
    struct yb_ip local = yb_ip_of(yb_conn_local(s->conn));
    char text[YB_IP_LITERAL];

    return (local.kind == YB_IP_V4 || local.kind == YB_IP_V6) &&
           yb_str_eqi(literal, yb_str_from(yb_ip_literal(local, text)));
}

/*
 * Forms that once made servers relay (docs/architecture.md, P4). They are refused by form alone,
 * before anybody is asked whether such an address exists: %, ! and @ cannot be provisioned.
 */
static bool
is_relay_form(const struct yb_smtp_session *s, const struct yb_address *a)
{
    if (a->routed || a->percent || a->bang || a->at)
        return true;
    if (!a->literal)
        return false;
    return !yb_str_eqi(a->local, YB_STR("postmaster")) || !is_our_literal(s, a->domain);
}

static int
answer_err(const struct yb_answer *a, struct yb_smtp_rcpt *r, struct yb_err *err)
{
    r->code = a->code;
    return yb_err_set(err, a->code >= 500 ? YB_PERM : YB_TEMP, a->status, "%.*s",
                      YB_STR_ARG(a->text));
}

/* *here: all of them. -1: that cannot be known now. */
static int
look_home(const struct yb_handover *h, const struct yb_resolution *res, bool *here,
          struct yb_err *err)
{
    *here = true;
    for (size_t i = 0; i < res->n_targets && *here; i++) {
        struct yb_home home = { .here = false };

        if (res->targets[i].kind == YB_TARGET_LOCAL &&
            yb_directory_home(h->directory, res->targets[i].store, &home, err) < 0)
            return -1;
        *here = home.here;
    }
    return 0;
}

int
yb_handover_rcpt(const struct yb_handover *h, struct yb_smtp_session *s, struct yb_smtp_rcpt *r,
                 struct yb_handover_verdict *verdict, struct yb_err *err)
{
    struct yb_str domain = r->address.literal ? yb_str("", 0) : r->address.domain;
    struct yb_resolution res;
    bool here;

    memset(verdict, 0, sizeof(*verdict));
    verdict->form = is_relay_form(s, &r->address);
    if (verdict->form || r->address.odd_domain) {
        verdict->why = YB_WHY_NOT_HOSTED;
        return yb_err_as(err, YB_ERR_DENIED, YB_PERM, "5.7.1", "Relaying denied");
    }
    if (yb_directory_resolve(h->directory, r->address.local, domain, yb_conn_scratch(s->conn), &res,
                             err) < 0)
        return -1;
    verdict->why = res.answer.why;
    r->tenant = res.tenant;
    /* No address of ours is written so, also where a catch-all would take it. */
    if (r->address.odd_local && verdict->why != YB_WHY_NOT_HOSTED) {
        verdict->why = YB_WHY_UNKNOWN;
        return yb_err_set(err, YB_PERM, "5.1.3", "Invalid local part");
    }
    if (res.answer.code != 0)
        return answer_err(&res.answer, r, err);
    yb_assert(res.n_targets > 0);
    if (look_home(h, &res, &here, err) < 0)
        return -1;
    if (!here) {
        verdict->elsewhere = true;
        return yb_err_as(err, YB_ERR_AWAY, YB_TEMP, "4.3.0",
                         "Cannot deliver there now, try again later");
    }
    yb_envelope_drop_seen(s, r, &res);
    if (yb_room_check(h, s, &res, err) < 0) {
        verdict->why = err->kind == YB_ERR_FULL ? YB_WHY_FULL : YB_WHY_ACCEPTED;
        return -1;
    }
    return yb_envelope_add(h->max_targets, s, r, &res, err);
}

/* --- the message --- */

static void
add_rcpts(struct yb_parcel *p, const struct yb_smtp_tx *tx)
{
    struct yb_smtp_send_rcpt *v;
    size_t at = 0;

    p->of = yb_arena_alloc(tx->arena, p->send.n_rcpts, sizeof(*p->of));
    p->queue = yb_arena_alloc(tx->arena, p->send.n_rcpts, sizeof(*p->queue));
    p->send.rcpts = v = yb_arena_alloc(tx->arena, p->send.n_rcpts, sizeof(*v));
    for (const struct yb_smtp_rcpt *r = tx->rcpts; r != NULL; r = r->next) {
        const struct yb_envelope_rcpt *t = r->data;

        for (size_t i = 0; i < t->n; i++, at++) {
            p->of[at] = &t->v[i];
            v[at].to = r->text;
            v[at].x = (struct yb_lmtp_rcpt){ .delivery = yb_delivery_id_new(),
                                             .account = t->v[i].account,
                                             .quota = t->v[i].quota,
                                             .accepted = t->v[i].accepted };
        }
    }
    yb_assert(at == p->send.n_rcpts);
}

static void
log_failure(struct yb_smtp_session *s, const struct yb_err *why)
{
    struct yb_log_line l;

    yb_smtp_log_begin(s, &l, YB_LOG_WARN, "handover.failed");
    yb_log_str(&l, "class", yb_str_from(why->status));
    yb_log_str(&l, "reason", yb_str_from(why->text));
    yb_log_end(&l);
}

/* Only who leads where others led has no targets, and the first of a transaction does not. */
static struct yb_tenant_id
first_tenant(const struct yb_smtp_tx *tx)
{
    const struct yb_envelope_rcpt *first = tx->rcpts->data;

    yb_assert(first->n > 0);
    return first->v[0].tenant;
}

int
yb_handover_message(struct yb_handover *h, struct yb_smtp_session *s, struct yb_str head,
                    struct yb_err *err)
{
    struct yb_smtp_tx *tx = s->tx;
    size_t n = yb_envelope_size(tx);
    struct yb_err why = { 0 };
    struct yb_parcel p = {
        .handover = h,
        .session = s,
        .send = { .from = tx->from_text,
                  .x = { .session = s->id,
                         .message = tx->id,
                         .tenant = first_tenant(tx),
                         .origin = h->origin },
                  .body_8bit = tx->body_8bit,
                  .utf8 = tx->utf8,
                  .n_rcpts = n,
                  .head = head,
                  .body = tx->message },
    };

    if (yb_parcel_join_head(&p, err) < 0)
        return -1;
    add_rcpts(&p, tx);
    p.send.all_or_none = !yb_parcel_is_covered(&p);
    p.send.x.whole = p.send.all_or_none && n > 1;
    if (yb_smtp_send_message(h->lmtpd, &p.send, &why) < 0)
        log_failure(s, &why);
    yb_parcel_queue_rest(&p);
    return yb_parcel_answer(&p, err);
}
