/* Connections of the client: kept while idle, made when needed, and their replies. */
#include "lib/smtp/link.h"

#include "lib/net/sock.h"

#define INSIDE 16
#define CONNECT_MS 5000
#define ANSWER_MS 30000
/* How long a full destination makes its callers wait: a burst that a disk works off in that time is
 * not worth an answer of 451. */
#define GATE_WAIT_MS 2000
/* Longest reply line taken; RFC 5321 §4.5.3.1.5 gives 512 and others send more. */
#define LINE_LIMIT 2048
#define REPLY_LINES 128
/* A peer that took mail so lately and has kept a connection is not asked again whether it is there: who
 * dies closes them, and who begins to hang in this time might as well do so a moment after a NOOP. */
#define FRESH_MS 1000
#define COMMAND_LIMIT 1024 /* LHLO with a name, NOOP */

/* --- destination --- */

struct yb_smtp_dest *
yb_smtp_dest_new(const struct yb_smtp_dest_conf *conf)
{
    struct yb_smtp_dest *d = yb_alloc(1, sizeof(*d));
    struct yb_gate_conf gate = { .wait_ms = GATE_WAIT_MS, .break_after = 5, .open_ms = 5000 };

    d->conf = *conf;
    d->conf.where = yb_dup(conf->where, strlen(conf->where));
    d->conf.hostname = yb_dup(conf->hostname, strlen(conf->hostname));
    d->conf.inside = conf->inside == 0 ? INSIDE : conf->inside;
    d->conf.keep = conf->keep == 0 ? d->conf.inside : conf->keep;
    d->conf.connect_ms = conf->connect_ms == 0 ? CONNECT_MS : conf->connect_ms;
    d->conf.answer_ms = conf->answer_ms == 0 ? ANSWER_MS : conf->answer_ms;
    d->conf.fresh_ms = conf->fresh_ms == 0 ? FRESH_MS : conf->fresh_ms;
    gate.name = d->conf.where;
    gate.inside = d->conf.inside;
    d->gate = yb_gate_new(&gate);
    pthread_mutex_init(&d->lock, NULL);
    return d;
}

void
smtp_link_close(struct link **l)
{
    if (*l == NULL)
        return;
    yb_sock_close(&(*l)->sock);
    yb_free(*l);
    *l = NULL;
}

void
yb_smtp_dest_free(struct yb_smtp_dest **d)
{
    if (*d == NULL)
        return;
    while ((*d)->idle != NULL) {
        struct link *l = (*d)->idle;

        (*d)->idle = l->next;
        smtp_link_close(&l);
    }
    yb_gate_free(&(*d)->gate);
    pthread_mutex_destroy(&(*d)->lock);
    yb_free((char *)(uintptr_t)(*d)->conf.where);
    yb_free((char *)(uintptr_t)(*d)->conf.hostname);
    yb_free(*d);
    *d = NULL;
}

void
yb_smtp_dest_stats_read(struct yb_smtp_dest *d, struct yb_smtp_dest_stats *out)
{
    pthread_mutex_lock(&d->lock);
    out->idle = d->n_idle;
    pthread_mutex_unlock(&d->lock);
    out->connections = atomic_load(&d->connections);
    out->transactions = atomic_load(&d->transactions);
    out->repeats = atomic_load(&d->repeats);
    out->failures = atomic_load(&d->failures);
}

struct link *
smtp_idle_take(struct yb_smtp_dest *d)
{
    struct link *l;

    for (;;) {
        pthread_mutex_lock(&d->lock);
        l = d->idle;
        if (l != NULL) {
            d->idle = l->next;
            d->n_idle--;
        }
        pthread_mutex_unlock(&d->lock);
        if (l == NULL || !yb_sock_stale(l->sock))
            return l;
        smtp_link_close(&l);
    }
}

void
smtp_idle_give(struct yb_smtp_dest *d, struct link **l)
{
    pthread_mutex_lock(&d->lock);
    if (d->n_idle < d->conf.keep) {
        (*l)->next = d->idle;
        d->idle = *l;
        d->n_idle++;
        *l = NULL;
    }
    pthread_mutex_unlock(&d->lock);
    smtp_link_close(l);
}

void
smtp_note_there(struct yb_smtp_dest *d)
{
    atomic_store_explicit(&d->there_ms, yb_clock_ms(), memory_order_relaxed);
}

void
smtp_note_takes(struct yb_smtp_dest *d, bool takes)
{
    atomic_store_explicit(&d->takes_ms, takes ? yb_clock_ms() : 0, memory_order_relaxed);
}

static bool
is_within(const _Atomic int64_t *since_ms, int64_t ms)
{
    int64_t at = atomic_load_explicit(since_ms, memory_order_relaxed);

    return at > 0 && yb_clock_ms() - at < ms;
}

bool
smtp_was_there(struct yb_smtp_dest *d, int64_t ms)
{
    return is_within(&d->there_ms, ms);
}

/* --- replies --- */

/* One line of the answer to LHLO: a keyword and its parameters. */
static void
note_feature(struct link *l, struct yb_str line)
{
    static const struct {
        struct yb_str word;
        unsigned bit;
    } words[] = {
        { YB_STR_INIT("PIPELINING"), HAS_PIPELINING },
        { YB_STR_INIT("CHUNKING"), HAS_CHUNKING },
        { YB_STR_INIT("8BITMIME"), HAS_8BITMIME },
        { YB_STR_INIT("SMTPUTF8"), HAS_SMTPUTF8 },
        { YB_STR_INIT("SIZE"), HAS_SIZE },
        { YB_STR_INIT("XYUBIN"), HAS_XYUBIN },
    };
    struct yb_str rest = yb_str_skip(line, 4), word = yb_str_word(&rest);

    for (size_t i = 0; i < YB_COUNT(words); i++) {
        if (yb_str_eqi(word, words[i].word))
            l->features |= words[i].bit;
    }
}

/* Reads one whole reply. -1: the connection is of no use any more, *w->err says why. */
int
smtp_reply_read(struct work *w, bool features, struct yb_smtp_reply *r)
{
    struct yb_str line;

    for (int n = 0; n < REPLY_LINES; n++) {
        if (yb_sock_line(w->link->sock, LINE_LIMIT, &line, w->by, w->err) < 0)
            return -1;
        if (features && n > 0)
            note_feature(w->link, line);
        switch (yb_smtp_reply_line(line, n == 0, r)) {
        case YB_REPLY_LAST:
            if (r->code != 421)
                return 0;
            /* RFC 5321 §3.8: whatever it answers, the peer goes away. */
            return yb_err_inside(w->err, YB_TEMP, "4.4.2", "%s is closing: %s", w->dest->conf.where,
                                 r->text);
        case YB_REPLY_MORE:
            break;
        case YB_REPLY_BAD:
            return yb_err_inside(w->err, YB_TEMP, "4.5.0", "%s sent no SMTP reply: %.*s",
                                 w->dest->conf.where, YB_STR_ARG(yb_str_head(line, 60)));
        }
    }
    return yb_err_inside(w->err, YB_TEMP, "4.5.0", "endless reply from %s", w->dest->conf.where);
}

static struct yb_deadline
wait_at_most(const struct work *w, int64_t ms)
{
    return yb_deadline_min(yb_deadline_in(ms), w->whole);
}

/* Sends what is queued in w->out and gives the next answer its time. */
int
smtp_commands_flush(struct work *w)
{
    int rc;

    w->by = wait_at_most(w, w->dest->conf.answer_ms);
    rc = yb_sock_write(w->link->sock, yb_buf_view(w->out), w->by, w->err);
    yb_buf_clear(w->out);
    if (rc == 0)
        rc = yb_sock_flush(w->link->sock, w->by, w->err);
    return rc;
}

/* --- connecting --- */

static int
say_hello(struct work *w)
{
    struct yb_smtp_reply r;

    if (smtp_reply_read(w, false, &r) < 0)
        return -1;
    if (r.code / 100 != 2)
        return yb_smtp_reply_to_err(&r, w->err);
    yb_buf_printf(w->out, "%s %s\r\n", w->dest->conf.lmtp ? "LHLO" : "EHLO",
                  w->dest->conf.hostname);
    if (smtp_commands_flush(w) < 0 || smtp_reply_read(w, true, &r) < 0)
        return -1;
    if (r.code / 100 == 2)
        return 0;
    if (w->dest->conf.lmtp)
        return yb_smtp_reply_to_err(&r, w->err);
    /* RFC 5321 §3.2: a server that does not know EHLO is asked again. */
    yb_buf_printf(w->out, "HELO %s\r\n", w->dest->conf.hostname);
    if (smtp_commands_flush(w) < 0 || smtp_reply_read(w, false, &r) < 0)
        return -1;
    return r.code / 100 == 2 ? 0 : yb_smtp_reply_to_err(&r, w->err);
}

int
smtp_link_connect(struct work *w)
{
    struct yb_sock *sock;

    w->by = wait_at_most(w, w->dest->conf.connect_ms);
    sock = yb_sock_connect(yb_str_from(w->dest->conf.where), w->by, w->err);
    if (sock == NULL)
        return -1;
    atomic_fetch_add(&w->dest->connections, 1);
    w->link = yb_alloc(1, sizeof(*w->link));
    w->link->sock = sock;
    return say_hello(w);
}

/* --- is it there? --- */

static int
say_noop(struct work *w)
{
    struct yb_smtp_reply r;

    yb_buf_add(w->out, YB_STR("NOOP\r\n"));
    if (smtp_commands_flush(w) < 0 || smtp_reply_read(w, false, &r) < 0)
        return -1;
    return r.code / 100 == 2 ? 0 : yb_smtp_reply_to_err(&r, w->err);
}

/* By the idle connection in w->link, or a new one where it is of no use. */
static int
hear_from(struct work *w)
{
    if (w->link != NULL && say_noop(w) == 0)
        return 0;
    smtp_link_close(&w->link);
    yb_buf_clear(w->out);
    return smtp_link_connect(w);
}

int
yb_smtp_dest_ready(struct yb_smtp_dest *d, int64_t ms, struct yb_err *err)
{
    struct yb_err why = { 0 };
    struct work w = { .dest = d, .whole = yb_deadline_in(ms), .err = err == NULL ? &why : err };
    enum yb_gate_result result = YB_GATE_OK;

    w.link = smtp_idle_take(d);
    if (w.link != NULL && is_within(&d->takes_ms, d->conf.fresh_ms)) {
        smtp_idle_give(d, &w.link);
        return 0;
    }
    if (yb_gate_enter(d->gate, w.err) < 0) {
        smtp_link_close(&w.link);
        return -1;
    }
    w.out = yb_buf_new(COMMAND_LIMIT);
    if (hear_from(&w) == 0) {
        smtp_note_there(d);
        smtp_note_takes(d, true);
        smtp_idle_give(d, &w.link);
    } else {
        result = yb_deadline_left(w.by) == 0 ? YB_GATE_TIMEOUT : YB_GATE_FAILED;
        smtp_link_close(&w.link);
    }
    yb_buf_free(&w.out);
    yb_gate_leave(d->gate, result);
    return result == YB_GATE_OK ? 0 : -1;
}
