/* Resolving recipients and handing messages over. */
#include "lib/receive/handover.h"

#include "lib/base/clock.h"
#include "lib/mime/header.h"
#include "lib/receive/envelope.h"
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

/* *of: the target of each. */
static struct yb_smtp_send_rcpt *
send_rcpts(const struct yb_smtp_tx *tx, size_t n, const struct yb_envelope_target **of)
{
    struct yb_smtp_send_rcpt *v = yb_arena_alloc(tx->arena, n, sizeof(*v));
    size_t at = 0;

    for (const struct yb_smtp_rcpt *r = tx->rcpts; r != NULL; r = r->next) {
        const struct yb_envelope_rcpt *t = r->data;

        for (size_t i = 0; i < t->n; i++, at++) {
            of[at] = &t->v[i];
            v[at].to = r->text;
            v[at].x = (struct yb_lmtp_rcpt){ .delivery = yb_delivery_id_new(),
                                             .account = t->v[i].account,
                                             .quota = t->v[i].quota,
                                             .accepted = t->v[i].accepted };
        }
    }
    yb_assert(at == n);
    return v;
}

/* What became of all recipients together. */
struct outcome {
    size_t stored, unknown, final;
    const struct yb_err *final_err, *temp_err; /* answers of lmtpd, one of each kind */
};

static void
sum_up(const struct yb_smtp_send *send, struct outcome *o)
{
    memset(o, 0, sizeof(*o));
    for (size_t i = 0; i < send->n_rcpts; i++) {
        const struct yb_smtp_send_rcpt *r = &send->rcpts[i];

        o->stored += r->fate == YB_FATE_STORED;
        o->unknown += r->fate == YB_FATE_UNKNOWN;
        if (r->fate != YB_FATE_REFUSED)
            continue;
        if (yb_room_may_be_final(&r->err)) {
            o->final++;
            o->final_err = &r->err;
        } else if (r->err.class == YB_TEMP && r->err.kind != YB_ERR_HELD) {
            o->temp_err = &r->err;
        }
    }
}

/*
 * The client will come again with the whole message, under new delivery ids: nothing it says ties
 * its second try to the first, and to take equal octets for the same message would swallow mail
 * that is meant to come twice. So whoever has it, or may have it, gets it twice; the log names
 * them.
 */
static void
log_maybe_twice(struct yb_smtp_session *s, const struct yb_smtp_send *send)
{
    char text[YB_ID_TEXT];

    for (size_t i = 0; i < send->n_rcpts; i++) {
        const struct yb_smtp_send_rcpt *r = &send->rcpts[i];
        struct yb_log_line l;

        if (r->fate != YB_FATE_STORED && r->fate != YB_FATE_UNKNOWN)
            continue;
        yb_smtp_log_begin(s, &l, YB_LOG_WARN, "data.maybe_twice");
        yb_log_str(&l, "to", r->to);
        yb_log_str(&l, "account", yb_str_from(yb_account_id_text(r->x.account, text)));
        yb_log_str(&l, "delivery", yb_str_from(yb_delivery_id_text(r->x.delivery, text)));
        yb_log_str(&l, "stored", r->fate == YB_FATE_STORED ? YB_STR("yes") : YB_STR("unknown"));
        yb_log_end(&l);
    }
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

static bool
is_culprit(const struct yb_smtp_send_rcpt *r)
{
    return r->fate == YB_FATE_REFUSED && r->err.kind != YB_ERR_HELD;
}

/* Those who are the reason that others did not get it. Where all were refused it is no one's own
 * trouble, and who is alone in a message makes nobody else wait. */
static void
note_refusals(const struct yb_handover *h, const struct yb_smtp_send *send)
{
    uint64_t octets = send->head.n + yb_msgbuf_size(send->body) - send->body_from;
    size_t n = 0;

    for (size_t i = 0; i < send->n_rcpts; i++)
        n += is_culprit(&send->rcpts[i]);
    for (size_t i = 0; h->refusals != NULL && n < send->n_rcpts && i < send->n_rcpts; i++) {
        const struct yb_smtp_send_rcpt *r = &send->rcpts[i];

        if (is_culprit(r))
            yb_refused_note(h->refusals, r->x.account, octets, r->late, &r->err, yb_clock_ms());
    }
}

/* lmtpd knows that there is no room, not since when. */
static void
judge_full(const struct yb_smtp_send *send, const struct yb_envelope_target *const *of)
{
    for (size_t i = 0; i < send->n_rcpts; i++) {
        struct yb_smtp_send_rcpt *r = &send->rcpts[i];

        if (r->fate == YB_FATE_REFUSED && r->err.kind == YB_ERR_FULL && r->err.class == YB_TEMP)
            (void)yb_room_answer_full(of[i]->full_since, of[i]->full_days, &r->err);
    }
}

/* One answer for all: final only when everybody's is, because a client that hears 4xx comes again
 * and one that hears 5xx gives up for all. */
static int
judge(struct yb_handover *h, struct yb_smtp_session *s, const struct yb_smtp_send *send,
      struct yb_err *err)
{
    struct outcome o;

    sum_up(send, &o);
    if (o.stored == send->n_rcpts) {
        atomic_fetch_add(&h->stored, 1);
        return 0;
    }
    if (o.stored > 0 || o.unknown > 0)
        log_maybe_twice(s, send);
    note_refusals(h, send);
    atomic_fetch_add(o.unknown > 0 ? &h->unknown : &h->refused, 1);
    if (o.final == send->n_rcpts)
        *err = *o.final_err;
    else if (o.temp_err != NULL && o.stored == 0 && o.unknown == 0)
        *err = *o.temp_err;
    else
        yb_err_set(err, YB_TEMP, "4.3.0", "Could not be stored now, try again later");
    return -1;
}

/*
 * Where bounces go must be said once (RFC 5321 §4.4), and lmtpd says it: what an earlier delivery
 * wrote, or somebody forged, goes out. So does the list of those whom the others shall not see
 * (RFC 5322 §3.6.3), where a user's program leaves it to us.
 */
static bool
is_dropped(const struct yb_handover *h, struct yb_str name)
{
    return yb_str_eqi(name, YB_STR("Return-Path")) ||
           (h->hide_bcc &&
            (yb_str_eqi(name, YB_STR("Bcc")) || yb_str_eqi(name, YB_STR("Resent-Bcc"))));
}

static bool
has_dropped(const struct yb_handover *h, struct yb_str header)
{
    struct yb_header field;

    while (yb_header_next(&header, &field)) {
        if (is_dropped(h, field.name))
            return true;
    }
    return false;
}

/*
 * Only when a field goes out is a header copied: its other fields stand behind send->head, and the
 * body is sent from where they end.
 */
static void
drop_fields(const struct yb_handover *ho, struct yb_smtp_session *s, struct yb_str begin,
            struct yb_smtp_send *send)
{
    struct yb_str left = begin;
    struct yb_header h;
    size_t n = send->head.n;
    char *p;

    if (!has_dropped(ho, begin))
        return;
    p = yb_arena_alloc(s->tx->arena, n + begin.n, 1);
    memcpy(p, send->head.p, n);
    while (yb_header_next(&left, &h)) {
        /* The last field may go on behind what was read. */
        if (left.n == 0 && begin.n < yb_msgbuf_size(send->body))
            break;
        send->body_from = begin.n - left.n;
        if (is_dropped(ho, h.name))
            continue;
        memcpy(p + n, h.raw.p, h.raw.n);
        n += h.raw.n;
    }
    send->head = yb_str(p, n);
}

/* Text alone stays text: without the empty line its first lines would count as header, or go on our
 * last field. */
static int
join_head(const struct yb_handover *h, struct yb_smtp_session *s, struct yb_smtp_send *send,
          struct yb_err *err)
{
    struct yb_str begin;

    if (yb_smtp_message_begin(s, &begin, err) < 0)
        return -1;
    if (yb_header_begins(begin))
        drop_fields(h, s, begin, send);
    else
        send->head = yb_arena_printf(s->tx->arena, "%.*s\r\n", YB_STR_ARG(send->head));
    return 0;
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
    const struct yb_envelope_target **of;
    struct yb_err why = { 0 };
    struct yb_smtp_send send = {
        .from = tx->from_text,
        .x = { .session = s->id,
               .message = tx->id,
               .tenant = first_tenant(tx),
               .origin = h->origin },
        .body_8bit = tx->body_8bit,
        .utf8 = tx->utf8,
        .n_rcpts = yb_envelope_size(tx),
        .head = head,
        .body = tx->message,
        .all_or_none = true,
    };

    if (join_head(h, s, &send, err) < 0)
        return -1;
    send.x.whole = send.n_rcpts > 1;
    of = yb_arena_alloc(tx->arena, send.n_rcpts, sizeof(*of));
    send.rcpts = send_rcpts(tx, send.n_rcpts, of);
    if (yb_smtp_send_message(h->lmtpd, &send, &why) < 0)
        log_failure(s, &why);
    judge_full(&send, of);
    return judge(h, s, &send, err);
}
