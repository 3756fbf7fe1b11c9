/* A user's message: judged, completed, traced, handed over. Also the table of hooks. */
#include "lib/base/clock.h"
#include "lib/mime/date.h"
#include "lib/mime/header.h"
#include "lib/smtp/trace.h"
#include "submitd/submitd.h"

static int
submitd_connect(struct yb_smtp_session *s, struct yb_err *err YB_UNUSED)
{
    s->data = yb_alloc(1, sizeof(struct submitd_session));
    return 0;
}

static void
submitd_closed(struct yb_smtp_session *s)
{
    struct submitd_session *d = s->data;

    if (d == NULL)
        return;
    yb_auth_abandon(&d->exchange);
    yb_online_remove(submitd_of(s)->online, &d->online);
    yb_free(d);
    s->data = NULL;
}

static const char *
submitd_ended(struct yb_smtp_session *s)
{
    const struct submitd_session *d = s->data;

    return yb_online_ended(&d->online);
}

static int
submitd_rcpt(struct yb_smtp_session *s, struct yb_smtp_rcpt *r, struct yb_err *err)
{
    struct yb_handover_verdict verdict;
    int rc = yb_handover_rcpt(&submitd_of(s)->handover, s, r, &verdict, err);

    /* Not hosted here is no mistake of a user's; there is only nobody yet who sends it on. */
    if (rc < 0 && verdict.why == YB_WHY_NOT_HOSTED && !verdict.form) {
        r->code = 0;
        yb_err_set(err, YB_TEMP, "4.3.0", "Cannot deliver there now, try again later");
    }
    return rc;
}

/* The whole header, with its empty line if there is one: a longer one is refused, not half judged. */
static int
read_header(struct yb_smtp_session *s, struct yb_str *header, struct yb_err *err)
{
    struct yb_str begin;
    size_t n;

    if (yb_smtp_message_begin(s, &begin, err) < 0)
        return -1;
    n = yb_header_size(begin);
    if (n == begin.n && n < yb_msgbuf_size(s->tx->message))
        return yb_err_set(err, YB_PERM, "5.6.0", "Header too long");
    *header = yb_str_head(begin, n);
    return 0;
}

struct yb_str
submitd_missing_fields(struct yb_str header, time_t now, struct yb_message_id id,
                       struct yb_str domain, struct yb_arena *arena)
{
    struct yb_str value, date = { "", 0 }, message_id = { "", 0 };
    char text[YB_DATE_TEXT], hex[YB_ID_TEXT];

    if (!yb_header_find(header, YB_STR("Date"), &value))
        date = yb_arena_printf(arena, "Date: %s\r\n",
                               yb_date_format((struct yb_date){ .utc = now }, text));
    if (!yb_header_find(header, YB_STR("Message-ID"), &value))
        message_id = yb_arena_printf(arena, "Message-ID: <%s@%.*s>\r\n",
                                     yb_message_id_text(id, hex), YB_STR_ARG(domain));
    return yb_arena_printf(arena, "%.*s%.*s", YB_STR_ARG(date), YB_STR_ARG(message_id));
}

int
submitd_message(struct yb_smtp_session *s, struct yb_str *answer YB_UNUSED, struct yb_err *err)
{
    struct yb_arena *arena = s->tx->arena;
    time_t now = yb_clock_now();
    struct yb_str header, missing, head;

    if (read_header(s, &header, err) < 0 || submitd_check_header(s, header, err) < 0)
        return -1;
    missing = submitd_missing_fields(header, now, s->tx->id, s->qualify, arena);
    head = yb_arena_printf(arena, "%.*s%.*s", YB_STR_ARG(yb_smtp_received(s, true, now, arena)),
                           YB_STR_ARG(missing));
    return yb_handover_message(&submitd_of(s)->handover, s, head, err);
}

const struct yb_smtp_hooks submitd_hooks = {
    .connect = submitd_connect,
    .mechanisms = submitd_mechanisms,
    .auth_begin = submitd_auth_begin,
    .auth_step = submitd_auth_step,
    .mail = submitd_check_envelope,
    .rcpt = submitd_rcpt,
    .message = submitd_message,
    .ended = submitd_ended,
    .closed = submitd_closed,
};
