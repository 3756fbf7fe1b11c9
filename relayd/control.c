#include "relayd/control.h"

#include "lib/base/clock.h"
#include "lib/daemon/control.h"
#include "relayd/filter.h"

#include <jansson.h>
#include <stdlib.h>

/* Recipients that one list looks at: after some 50 ms the control thread looks for other work too. */
#define LOOK_MOST 200000
/* Recipients that one order changes, and for how long on a slow disk: the control thread waits for it. */
#define ORDER_MOST 10000
#define ORDER_MS 3000
/* Octets of the members of a row beside its texts. */
#define ROW_OCTETS 700
/* What rows may take of an answer; the rest is for what stands around them. */
#define ROWS_OCTETS (YB_CONTROL_ANSWER - 4096)
#define BODY_OCTETS (YB_CONTROL_ANSWER - 4096)

/* --- rows --- */

/* A row that fits, kept until the queue is not locked any more. */
struct found {
    struct found *next;
    struct relayd_message m;
    struct relayd_recipient r;
    bool underway;
    enum relayd_site away;
};

struct walk {
    struct relayd_filter f;
    struct yb_arena *arena, *scratch;
    int64_t now_ms;
    size_t looked, n, octets;
    struct found *first, **last;
    bool several; /* messages (relayd_control_show()) */
};

static int
walk_begin(struct walk *w, struct yb_str filter, struct yb_err *err)
{
    *w = (struct walk){ .arena = yb_arena_new(65536),
                        .scratch = yb_arena_new(1024),
                        .now_ms = yb_clock_now_us() / 1000 };
    w->last = &w->first;
    return relayd_filter_parse(filter, w->arena, w->scratch, &w->f, err);
}

static void
walk_end(struct walk *w)
{
    yb_arena_free(&w->arena);
    yb_arena_free(&w->scratch);
}

static void
keep(struct walk *w, const struct relayd_row *row)
{
    struct found *f = yb_arena_alloc(w->arena, 1, sizeof(*f));

    *f = (struct found){ .m = *row->m, .r = *row->r, .underway = row->underway, .away = row->away };
    f->m.sender = yb_arena_dup(w->arena, row->m->sender);
    f->m.r = NULL;
    f->r.address = yb_arena_dup(w->arena, row->r->address);
    f->r.status = yb_arena_dup(w->arena, row->r->status);
    f->r.text = yb_arena_dup(w->arena, row->r->text);
    *w->last = f;
    w->last = &f->next;
    w->n++;
}

/* At most, as JSON: quotes and backslashes are doubled. */
static size_t
octets_of(const struct relayd_row *row)
{
    return ROW_OCTETS + 2 * (row->m->sender.n + row->r->address.n + row->r->status.n) +
           2 * row->r->text.n;
}

/* Of the one message that is meant all have been seen. */
static bool
is_behind(const struct walk *w, const struct relayd_row *row)
{
    return w->f.by_number && row->m->m > w->f.number;
}

static bool
list_each(void *arg, const struct relayd_row *row)
{
    struct walk *w = arg;

    w->looked++;
    if (relayd_filter_fits(&w->f, row, w->now_ms)) {
        keep(w, row);
        w->octets += octets_of(row);
    }
    /* The next one may be as large as they get. */
    return w->looked < LOOK_MOST && w->n < w->f.limit && !is_behind(w, row) &&
           w->octets + ROW_OCTETS + 2 * RELAYD_TEXT_MAX + 4096 < ROWS_OCTETS;
}

/* --- as JSON --- */

/* What others said is text, or is made to be. */
static json_t *
text_json(struct walk *w, struct yb_str s)
{
    json_t *v = json_stringn(s.n == 0 ? "" : s.p, s.n);
    char *copy;
    size_t n;

    if (v != NULL)
        return v;
    copy = yb_arena_alloc(w->arena, s.n, 1);
    n = yb_str_put_ascii(s, copy);
    return json_stringn(copy, n);
}

static json_t *
time_json(int64_t ms)
{
    char text[YB_CLOCK_UTC];

    return ms <= 0 || yb_clock_utc(ms / 1000, text) == NULL ? json_null() : json_string(text);
}

static json_t *
id_json(const uint8_t *id, size_t n)
{
    char text[YB_ID_TEXT];
    bool zero = true;

    for (size_t i = 0; i < n; i++)
        zero = zero && id[i] == 0;
    return zero ? json_null() : json_string(yb_hex(id, n, text));
}

static json_t *
word_json(const char *word)
{
    return word == NULL ? json_null() : json_string(word);
}

static json_t *
recipient_json(struct walk *w, const struct found *f)
{
    const struct relayd_row row = { &f->m, &f->r, f->underway, f->away };
    const struct relayd_recipient *r = &f->r;
    bool held = r->state == RELAYD_HELD;

    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:I, s:o, s:o, s:s, s:o, s:b, s:I, s:o, s:o, s:o, "
                     "s:o, s:o, s:o, s:o}",
                     "queue", (json_int_t)f->m.m, "n", (json_int_t)r->n, "message",
                     id_json(f->m.mid.v, sizeof(f->m.mid.v)), "delivery",
                     id_json(r->delivery.v, sizeof(r->delivery.v)), "arrived",
                     time_json(f->m.arrived_ms), "size", (json_int_t)f->m.size, "sender",
                     text_json(w, f->m.sender), "recipient", text_json(w, r->address), "state",
                     relayd_state_word(r->state), "reason", word_json(relayd_why_word(&row)),
                     "underway", f->underway, "attempts", (json_int_t)r->attempts, "due",
                     held ? json_null() : time_json(r->next_ms), "code",
                     r->code == 0 ? json_null() : json_integer((json_int_t)r->code), "status",
                     r->code == 0 ? json_null() : text_json(w, r->status), "text",
                     r->code == 0 ? json_null() : text_json(w, r->text), "answered",
                     time_json(r->at_ms), "tenant_id", id_json(r->tenant.v, sizeof(r->tenant.v)),
                     "account_id", id_json(r->account.v, sizeof(r->account.v)));
}

static json_t *
message_json(struct walk *w, const struct found *f)
{
    static const char *const origins[] = {
        [YB_ORIGIN_NONE] = "none", [YB_ORIGIN_PASS] = "pass", [YB_ORIGIN_AUTH] = "auth"
    };
    const struct relayd_message *m = &f->m;

    return json_pack("{s:I, s:o, s:o, s:o, s:I, s:o, s:s, s:o, s:I, s:s, s:b, s:b}", "queue",
                     (json_int_t)m->m, "message", id_json(m->mid.v, sizeof(m->mid.v)), "session",
                     id_json(m->sid.v, sizeof(m->sid.v)), "arrived", time_json(m->arrived_ms),
                     "size", (json_int_t)m->size, "sender", text_json(w, m->sender), "origin",
                     origins[m->origin], "tenant_id", id_json(m->tenant.v, sizeof(m->tenant.v)),
                     "recipients_left", (json_int_t)m->n, "body", m->file ? "file" : "database",
                     "eight_bit", m->body_8bit, "smtputf8", m->utf8);
}

/* Takes v over. */
static int
answer(struct yb_buf *reply, json_t *v, struct yb_err *err)
{
    char *text = v == NULL ? NULL : json_dumps(v, JSON_COMPACT);
    int rc = text == NULL ? yb_err_inside(err, YB_BUG, "4.3.0", "an answer that is no JSON")
                          : yb_buf_append(reply, yb_str_from(text), err);

    free(text); /* Jansson's own */
    json_decref(v);
    return rc;
}

static json_t *
next_json(bool more, struct relayd_cursor at)
{
    return more ? json_sprintf("%llu.%lu", (unsigned long long)at.m, (unsigned long)at.n)
                : json_null();
}

/* --- commands --- */

/* Where a walk begins: messages before the one that is meant are not looked at. */
static struct relayd_cursor
from_where(const struct relayd_filter *f)
{
    bool later = f->by_number && f->number > f->after.m;

    return later ? (struct relayd_cursor){ f->number, 0 } : f->after;
}

int
relayd_control_list(const struct relayd_control *c, struct yb_str rest, struct yb_buf *reply,
                    struct yb_err *err)
{
    struct walk w;
    int rc = walk_begin(&w, rest, err);

    if (rc == 0) {
        struct relayd_cursor at = from_where(&w.f);
        bool more = relayd_run_each(c->run, &at, list_each, &w);
        json_t *rows = json_array();

        more = more && !(w.f.by_number && at.m > w.f.number);
        for (const struct found *f = w.first; f != NULL; f = f->next)
            json_array_append_new(rows, recipient_json(&w, f));
        rc = answer(reply, json_pack("{s:o, s:o}", "rows", rows, "next", next_json(more, at)), err);
    }
    walk_end(&w);
    return rc;
}

/* The first recipient of each message that is meant, of two at most. */
static bool
show_each(void *arg, const struct relayd_row *row)
{
    struct walk *w = arg;

    if (relayd_filter_fits(&w->f, row, w->now_ms)) {
        if (w->first == NULL)
            keep(w, row);
        else
            w->several = w->several || row->m->m != w->first->m.m;
    }
    return !w->several && !is_behind(w, row);
}

int
relayd_control_show(const struct relayd_control *c, struct yb_str rest, struct yb_buf *reply,
                    struct yb_err *err)
{
    json_t *filter = json_pack("{s:s%}", "message", rest.n == 0 ? "" : rest.p, rest.n);
    char *text = filter == NULL ? NULL : json_dumps(filter, JSON_COMPACT);
    struct walk w;
    int rc = walk_begin(&w, text == NULL ? YB_STR("") : yb_str_from(text), err);

    free(text); /* Jansson's own */
    json_decref(filter);
    if (rc == 0) {
        struct relayd_cursor at = from_where(&w.f);

        (void)relayd_run_each(c->run, &at, show_each, &w);
        if (w.several)
            rc = yb_err_set(err, YB_PERM, "5.5.4",
                            "several messages in the queue have this id: list them "
                            "(yubin queue list --message ID), and say one by its number");
        else if (w.first == NULL)
            rc = yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.1.1",
                           "That is not in the queue: yubin event list says what became of it");
        else
            rc = answer(reply, message_json(&w, w.first), err);
    }
    walk_end(&w);
    return rc;
}

int
relayd_control_body(const struct relayd_control *c, struct yb_str rest, struct yb_buf *reply,
                    struct yb_err *err)
{
    struct yb_str number = yb_str_word(&rest), head = { NULL, 0 }, piece;
    struct yb_msgbuf *body = NULL;
    uint64_t m, at;
    ssize_t n;
    char *room;
    int rc;

    if (!yb_str_u64(number, INT64_MAX, &m) || !yb_str_u64(rest, INT64_MAX, &at))
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "queue-body NUMBER AT");
    if (relayd_queue_body(c->queue, m, &head, &body, err) < 0)
        return -1;
    piece = at < head.n ? yb_str_head(yb_str_skip(head, (size_t)at), BODY_OCTETS) : YB_STR("");
    at = at < head.n ? 0 : at - head.n;
    rc = yb_buf_append(reply, piece, err);
    room = yb_buf_room(reply, BODY_OCTETS - piece.n);
    yb_assert(room != NULL); /* BODY_OCTETS are less than an answer holds */
    n = rc < 0 ? -1 : yb_msgbuf_pread(body, room, BODY_OCTETS - piece.n, at, err);
    if (n >= 0)
        yb_buf_wrote(reply, (size_t)n);
    yb_msgbuf_free(&body);
    yb_free((void *)(uintptr_t)head.p);
    return n < 0 ? -1 : 0;
}

/* --- orders --- */

struct ordering {
    struct walk w;
    struct relayd_cursor at; /* behind the last one that was meant */
    struct yb_deadline by;   /* no more are begun then */
    size_t n;
    bool more;
};

/* In order of m, then n. */
static bool
is_meant(void *arg, const struct relayd_row *row)
{
    struct ordering *o = arg;
    const struct relayd_cursor *after = &o->w.f.after;

    if (row->m->m < after->m || (row->m->m == after->m && row->r->n < after->n) ||
        !relayd_filter_fits(&o->w.f, row, o->w.now_ms))
        return false;
    if (o->n == ORDER_MOST || (o->n > 0 && yb_deadline_left(o->by) == 0)) {
        o->more = true;
        return false;
    }
    o->n++;
    o->at = (struct relayd_cursor){ row->m->m, row->r->n + 1 };
    return true;
}

static struct yb_str
what_of(struct walk *w, enum relayd_order order)
{
    static const char *const words[] = {
        [RELAYD_ORDER_RETRY] = "to be tried at once",
        [RELAYD_ORDER_HOLD] = "held",
        [RELAYD_ORDER_RELEASE] = "released",
        [RELAYD_ORDER_DELETE] = "deleted",
    };

    return yb_arena_printf(w->arena, "%s by %.*s", words[order],
                           YB_STR_ARG(w->f.by.n > 0 ? w->f.by : YB_STR("an operator")));
}

int
relayd_control_order(const struct relayd_control *c, enum relayd_order order, struct yb_str rest,
                     struct yb_buf *reply, struct yb_err *err)
{
    struct relayd_run_ordered done = { 0 };
    struct ordering o = { .by = yb_deadline_in(ORDER_MS) };
    int rc = walk_begin(&o.w, rest, err);

    if (rc == 0)
        rc = relayd_run_order(c->run, order, what_of(&o.w, order), is_meant, &o, &done, err);
    if (rc == 0)
        rc = answer(reply,
                    json_pack("{s:I, s:I, s:I, s:o}", "matched", (json_int_t)done.matched,
                              "changed", (json_int_t)done.changed, "underway",
                              (json_int_t)done.underway, "next", next_json(o.more, o.at)),
                    err);
    walk_end(&o.w);
    return rc;
}

/* --- for the daemon --- */

static int
run_list(void *state, struct yb_str rest, struct yb_buf *reply, struct yb_err *err)
{
    return relayd_control_list(state, rest, reply, err);
}

static int
run_show(void *state, struct yb_str rest, struct yb_buf *reply, struct yb_err *err)
{
    return relayd_control_show(state, rest, reply, err);
}

static int
run_body(void *state, struct yb_str rest, struct yb_buf *reply, struct yb_err *err)
{
    return relayd_control_body(state, rest, reply, err);
}

static int
run_retry(void *state, struct yb_str rest, struct yb_buf *reply, struct yb_err *err)
{
    return relayd_control_order(state, RELAYD_ORDER_RETRY, rest, reply, err);
}

static int
run_hold(void *state, struct yb_str rest, struct yb_buf *reply, struct yb_err *err)
{
    return relayd_control_order(state, RELAYD_ORDER_HOLD, rest, reply, err);
}

static int
run_release(void *state, struct yb_str rest, struct yb_buf *reply, struct yb_err *err)
{
    return relayd_control_order(state, RELAYD_ORDER_RELEASE, rest, reply, err);
}

static int
run_delete(void *state, struct yb_str rest, struct yb_buf *reply, struct yb_err *err)
{
    return relayd_control_order(state, RELAYD_ORDER_DELETE, rest, reply, err);
}

const struct yb_daemon_command relayd_control_commands[RELAYD_CONTROL_COMMANDS] = {
    { "queue-list", run_list },     { "queue-show", run_show }, { "queue-body", run_body },
    { "queue-retry", run_retry },   { "queue-hold", run_hold }, { "queue-release", run_release },
    { "queue-delete", run_delete },
};
