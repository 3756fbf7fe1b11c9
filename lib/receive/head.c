/* What is sent of a message: our fields, then its own without those that nobody may get. */
#include "lib/mime/header.h"
#include "lib/receive/parcel.h"

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
drop_fields(struct yb_parcel *parcel, struct yb_str begin)
{
    struct yb_smtp_send *send = &parcel->send;
    struct yb_str left = begin;
    struct yb_header h;
    size_t n = send->head.n;
    char *p;

    if (!has_dropped(parcel->handover, begin))
        return;
    p = yb_arena_alloc(parcel->session->tx->arena, n + begin.n, 1);
    memcpy(p, send->head.p, n);
    while (yb_header_next(&left, &h)) {
        /* The last field may go on behind what was read. */
        if (left.n == 0 && begin.n < yb_msgbuf_size(send->body))
            break;
        send->body_from = begin.n - left.n;
        if (is_dropped(parcel->handover, h.name))
            continue;
        memcpy(p + n, h.raw.p, h.raw.n);
        n += h.raw.n;
    }
    send->head = yb_str(p, n);
}

/* Text alone stays text: without the empty line its first lines would count as header, or go on our
 * last field. */
int
yb_parcel_join_head(struct yb_parcel *p, struct yb_err *err)
{
    struct yb_str begin;

    if (yb_smtp_message_begin(p->session, &begin, err) < 0)
        return -1;
    if (yb_header_begins(begin))
        drop_fields(p, begin);
    else
        p->send.head = yb_arena_printf(p->session->tx->arena, "%.*s\r\n", YB_STR_ARG(p->send.head));
    return 0;
}
