/*
 * One hand-over:
 *
 *   yb_smtp_send()   gate; an idle connection or a new one; transact(); once more when it was lost
 *   transact()       envelope -> body -> answers; everything in one write where that is allowed
 *
 * A connection is either in step (every command answered) and goes back to the idle ones, or
 * closed.
 */
#include "lib/smtp/client.h"

#include "lib/net/gate.h"
#include "lib/net/sock.h"
#include "lib/smtp/reply.h"

#include <pthread.h>
#include <stdatomic.h>

#define INSIDE 16
#define CONNECT_MS 5000
#define ANSWER_MS 30000
/* How long a full destination makes its callers wait: a burst that a disk works off in that time is
 * not worth an answer of 451. */
#define GATE_WAIT_MS 2000
/* Longest reply line taken; RFC 5321 §4.5.3.1.5 gives 512 and others send more. */
#define LINE_LIMIT 2048
#define REPLY_LINES 128
/* Up to this size a message for one recipient is sent without waiting for the answer to RCPT. */
#define EAGER_BODY 131072
/* Room for the commands of the largest envelope: 1 000 recipients of at most about 1 KiB. */
#define ENVELOPE_LIMIT (2u << 20)
#define PIECE 65536

enum {
    HAS_PIPELINING = 1,
    HAS_CHUNKING = 2,
    HAS_8BITMIME = 4,
    HAS_SMTPUTF8 = 8,
    HAS_SIZE = 16,
    HAS_XYUBIN = 32 /* lib/smtp/xparam.h */
};

/* One connection. */
struct link {
    struct link *next;
    struct yb_sock *sock;
    unsigned features;
    bool needs_reset; /* RSET goes before the next MAIL */
};

struct yb_smtp_dest {
    struct yb_smtp_dest_conf conf;
    struct yb_gate *gate;
    pthread_mutex_t lock; /* idle, n_idle */
    struct link *idle;    /* last used first */
    size_t n_idle;
    _Atomic uint64_t connections, transactions, repeats, failures;
};

/* One transaction on its way. */
struct work {
    struct yb_smtp_dest *dest;
    struct yb_smtp_send *send;
    struct link *link;
    struct yb_buf *out; /* commands */
    struct yb_deadline by;
    bool sent; /* the last octet of the message went to the socket */
    struct yb_err *err;
};

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
    gate.name = d->conf.where;
    gate.inside = d->conf.inside;
    d->gate = yb_gate_new(&gate);
    pthread_mutex_init(&d->lock, NULL);
    return d;
}

static void
link_close(struct link **l)
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
        link_close(&l);
    }
    yb_gate_free(&(*d)->gate);
    pthread_mutex_destroy(&(*d)->lock);
    yb_free((char *)(uintptr_t)(*d)->conf.where);
    yb_free((char *)(uintptr_t)(*d)->conf.hostname);
    yb_free(*d);
    *d = NULL;
}

void
yb_smtp_dest_stats(struct yb_smtp_dest *d, struct yb_smtp_dest_stats *out)
{
    pthread_mutex_lock(&d->lock);
    out->idle = d->n_idle;
    pthread_mutex_unlock(&d->lock);
    out->connections = atomic_load(&d->connections);
    out->transactions = atomic_load(&d->transactions);
    out->repeats = atomic_load(&d->repeats);
    out->failures = atomic_load(&d->failures);
}

static struct link *
idle_take(struct yb_smtp_dest *d)
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
        link_close(&l);
    }
}

static void
idle_give(struct yb_smtp_dest *d, struct link **l)
{
    pthread_mutex_lock(&d->lock);
    if (d->n_idle < d->conf.keep) {
        (*l)->next = d->idle;
        d->idle = *l;
        d->n_idle++;
        *l = NULL;
    }
    pthread_mutex_unlock(&d->lock);
    link_close(l);
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
static int
reply_read(struct work *w, bool features, struct yb_smtp_reply *r)
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

/* Sends what is queued in w->out and gives the next answer its time. */
static int
commands_flush(struct work *w)
{
    int rc;

    w->by = yb_deadline_in(w->dest->conf.answer_ms);
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

    if (reply_read(w, false, &r) < 0)
        return -1;
    if (r.code / 100 != 2)
        return yb_smtp_reply_to_err(&r, w->err);
    yb_buf_printf(w->out, "%s %s\r\n", w->dest->conf.lmtp ? "LHLO" : "EHLO",
                  w->dest->conf.hostname);
    if (commands_flush(w) < 0 || reply_read(w, true, &r) < 0)
        return -1;
    if (r.code / 100 == 2)
        return 0;
    if (w->dest->conf.lmtp)
        return yb_smtp_reply_to_err(&r, w->err);
    /* RFC 5321 §3.2: a server that does not know EHLO is asked again. */
    yb_buf_printf(w->out, "HELO %s\r\n", w->dest->conf.hostname);
    if (commands_flush(w) < 0 || reply_read(w, false, &r) < 0)
        return -1;
    return r.code / 100 == 2 ? 0 : yb_smtp_reply_to_err(&r, w->err);
}

static int
link_connect(struct work *w)
{
    struct yb_sock *sock;

    w->by = yb_deadline_in(w->dest->conf.connect_ms);
    sock = yb_sock_connect(yb_str_from(w->dest->conf.where), w->by, w->err);
    if (sock == NULL)
        return -1;
    atomic_fetch_add(&w->dest->connections, 1);
    w->link = yb_alloc(1, sizeof(*w->link));
    w->link->sock = sock;
    return say_hello(w);
}

/* --- envelope --- */

static bool
pending(const struct yb_smtp_send_rcpt *r)
{
    return r->fate == YB_FATE_NONE || r->fate == YB_FATE_UNKNOWN;
}

static size_t
count_pending(const struct yb_smtp_send *send)
{
    size_t n = 0;

    for (size_t i = 0; i < send->n_rcpts; i++)
        n += pending(&send->rcpts[i]);
    return n;
}

static uint64_t
octets(const struct yb_smtp_send *send)
{
    return send->head.n + yb_msgbuf_size(send->body);
}

static void
add_mail(struct work *w)
{
    const struct yb_smtp_send *send = w->send;
    unsigned has = w->link->features;

    yb_buf_add(w->out, YB_STR("MAIL FROM:<"));
    yb_buf_add(w->out, send->from);
    yb_buf_add_c(w->out, '>');
    if ((has & HAS_SIZE) != 0) {
        yb_buf_add(w->out, YB_STR(" SIZE="));
        yb_buf_add_u64(w->out, octets(send));
    }
    if (send->body_8bit && (has & HAS_8BITMIME) != 0)
        yb_buf_add(w->out, YB_STR(" BODY=8BITMIME"));
    if (send->utf8 && (has & HAS_SMTPUTF8) != 0)
        yb_buf_add(w->out, YB_STR(" SMTPUTF8"));
    if ((has & HAS_XYUBIN) != 0)
        yb_lmtp_mail_write(&send->x, w->out);
    yb_buf_add(w->out, YB_STR("\r\n"));
}

static void
add_rcpt(struct work *w, const struct yb_smtp_send_rcpt *r)
{
    yb_buf_add(w->out, YB_STR("RCPT TO:<"));
    yb_buf_add(w->out, r->to);
    yb_buf_add_c(w->out, '>');
    if ((w->link->features & HAS_XYUBIN) != 0)
        yb_lmtp_rcpt_write(&r->x, w->out);
    yb_buf_add(w->out, YB_STR("\r\n"));
}

static void
refuse_all(struct yb_smtp_send *send, const struct yb_smtp_reply *r)
{
    for (size_t i = 0; i < send->n_rcpts; i++) {
        if (pending(&send->rcpts[i])) {
            send->rcpts[i].fate = YB_FATE_REFUSED;
            (void)yb_smtp_reply_to_err(r, &send->rcpts[i].err);
        }
    }
}

static void
add_reset(struct work *w)
{
    if (w->link->needs_reset)
        yb_buf_add(w->out, YB_STR("RSET\r\n"));
}

static int
reset_answer(struct work *w)
{
    struct yb_smtp_reply r;

    if (!w->link->needs_reset)
        return 0;
    w->link->needs_reset = false;
    return reply_read(w, false, &r);
}

static int
mail_answer(struct work *w, bool *ok)
{
    struct yb_smtp_reply r;

    if (reply_read(w, false, &r) < 0)
        return -1;
    *ok = r.code / 100 == 2;
    if (!*ok)
        refuse_all(w->send, &r);
    return 0;
}

/* The answer to the RCPT of r; after a refused MAIL it is only read. */
static int
rcpt_answer(struct work *w, struct yb_smtp_send_rcpt *r, bool mail_ok)
{
    struct yb_smtp_reply reply;

    if (reply_read(w, false, &reply) < 0)
        return -1;
    if (mail_ok && reply.code / 100 != 2) {
        r->fate = YB_FATE_REFUSED;
        (void)yb_smtp_reply_to_err(&reply, &r->err);
    }
    return 0;
}

/* A command at a time, for who does not know PIPELINING. */
static int
envelope_stepwise(struct work *w)
{
    struct yb_smtp_send *send = w->send;
    bool ok;

    add_reset(w);
    if (w->link->needs_reset && (commands_flush(w) < 0 || reset_answer(w) < 0))
        return -1;
    add_mail(w);
    if (commands_flush(w) < 0 || mail_answer(w, &ok) < 0)
        return -1;
    for (size_t i = 0; ok && i < send->n_rcpts; i++) {
        if (!pending(&send->rcpts[i]))
            continue;
        add_rcpt(w, &send->rcpts[i]);
        if (commands_flush(w) < 0 || rcpt_answer(w, &send->rcpts[i], true) < 0)
            return -1;
    }
    return 0;
}

static int
envelope_pipelined(struct work *w)
{
    struct yb_smtp_send *send = w->send;
    size_t asked = 0, answered = 0;
    bool ok;

    add_reset(w);
    add_mail(w);
    for (size_t i = 0; i < send->n_rcpts; i++) {
        if (!pending(&send->rcpts[i]))
            continue;
        add_rcpt(w, &send->rcpts[i]);
        asked++;
    }
    if (commands_flush(w) < 0 || reset_answer(w) < 0 || mail_answer(w, &ok) < 0)
        return -1;
    /* A refused MAIL has settled everybody; their answers come all the same. */
    for (size_t i = 0; answered < asked; i++) {
        if (ok && !pending(&send->rcpts[i]))
            continue;
        if (rcpt_answer(w, &send->rcpts[i], ok) < 0)
            return -1;
        answered++;
    }
    return 0;
}

/* --- the message --- */

/* Dots at line starts doubled (RFC 5321 §4.5.2); *bol: the next octet begins a line. */
static int
write_stuffed(struct work *w, struct yb_str s, bool *bol)
{
    size_t from = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (*bol && s.p[i] == '.') {
            if (yb_sock_write(w->link->sock, yb_str(s.p + from, i - from), w->by, w->err) < 0 ||
                yb_sock_write(w->link->sock, YB_STR("."), w->by, w->err) < 0)
                return -1;
            from = i;
        }
        *bol = s.p[i] == '\n';
    }
    return yb_sock_write(w->link->sock, yb_str_skip(s, from), w->by, w->err);
}

static int
write_piece(struct work *w, bool stuff, struct yb_str s, bool *bol)
{
    w->by = yb_deadline_in(w->dest->conf.answer_ms);
    return stuff ? write_stuffed(w, s, bol) : yb_sock_write(w->link->sock, s, w->by, w->err);
}

static int
write_file(struct work *w, bool stuff, bool *bol)
{
    char *piece = yb_alloc(PIECE, 1);
    uint64_t at = 0, size = yb_msgbuf_size(w->send->body);
    int rc = 0;

    while (rc == 0 && at < size) {
        ssize_t n = yb_msgbuf_pread(w->send->body, piece, PIECE, at, w->err);

        rc = n < 0 ? -1 : write_piece(w, stuff, yb_str(piece, (size_t)n), bol);
        at += n < 0 ? 0 : (uint64_t)n;
    }
    yb_free(piece);
    return rc;
}

/* Head and body, and for DATA the final dot; flushed. */
static int
message_write(struct work *w, bool stuff)
{
    struct yb_str all;
    bool bol = true;
    int rc = write_piece(w, stuff, w->send->head, &bol);

    if (rc == 0 && yb_msgbuf_view(w->send->body, &all))
        rc = write_piece(w, stuff, all, &bol);
    else if (rc == 0)
        rc = write_file(w, stuff, &bol);
    if (rc == 0 && stuff)
        rc = yb_sock_write(w->link->sock, bol ? YB_STR(".\r\n") : YB_STR("\r\n.\r\n"), w->by,
                           w->err);
    w->by = yb_deadline_in(w->dest->conf.answer_ms);
    /* From here on the peer may have all of it, whatever the write says. */
    w->sent = rc == 0;
    return rc < 0 ? -1 : yb_sock_flush(w->link->sock, w->by, w->err);
}

static void
settle(struct yb_smtp_send_rcpt *r, const struct yb_smtp_reply *reply)
{
    if (reply->code / 100 == 2) {
        r->fate = YB_FATE_STORED;
    } else {
        r->fate = YB_FATE_REFUSED;
        (void)yb_smtp_reply_to_err(reply, &r->err);
    }
}

/* LMTP: an answer for each recipient that is pending; SMTP: one for all of them. */
static int
message_answers(struct work *w)
{
    struct yb_smtp_reply reply;
    bool read = false;

    for (size_t i = 0; i < w->send->n_rcpts; i++) {
        struct yb_smtp_send_rcpt *r = &w->send->rcpts[i];

        if (!pending(r))
            continue;
        if ((!read || w->dest->conf.lmtp) && reply_read(w, false, &reply) < 0)
            return -1;
        read = true;
        settle(r, &reply);
    }
    w->sent = false;
    w->link->needs_reset = false;
    return 0;
}

static int
message_data(struct work *w)
{
    struct yb_smtp_reply r;

    yb_buf_add(w->out, YB_STR("DATA\r\n"));
    if (commands_flush(w) < 0 || reply_read(w, false, &r) < 0)
        return -1;
    if (r.code / 100 != 3) {
        refuse_all(w->send, &r);
        w->link->needs_reset = true;
        return 0;
    }
    return message_write(w, true) < 0 ? -1 : message_answers(w);
}

static int
chunk_write(struct work *w)
{
    yb_buf_add(w->out, YB_STR("BDAT "));
    yb_buf_add_u64(w->out, octets(w->send));
    yb_buf_add(w->out, YB_STR(" LAST\r\n"));
    w->by = yb_deadline_in(w->dest->conf.answer_ms);
    if (yb_sock_write(w->link->sock, yb_buf_view(w->out), w->by, w->err) < 0)
        return -1;
    yb_buf_clear(w->out);
    return message_write(w, false);
}

/* One recipient and a small message: envelope and octets in one write, all answers in one read. */
static int
transact_eager(struct work *w)
{
    struct yb_smtp_send_rcpt *r = w->send->rcpts;
    struct yb_smtp_reply ignored;
    bool mail_ok;

    while (!pending(r))
        r++;
    add_reset(w);
    add_mail(w);
    add_rcpt(w, r);
    if (chunk_write(w) < 0 || reset_answer(w) < 0 || mail_answer(w, &mail_ok) < 0 ||
        rcpt_answer(w, r, mail_ok) < 0)
        return -1;
    if (pending(r))
        return message_answers(w);
    w->sent = false; /* refused: the peer throws its octets away, and says so */
    w->link->needs_reset = true;
    return reply_read(w, false, &ignored);
}

/* all_or_none: nobody gets the message when somebody was refused. */
static void
hold_back(struct work *w, const struct yb_err *why)
{
    for (size_t i = 0; i < w->send->n_rcpts; i++) {
        if (pending(&w->send->rcpts[i]))
            w->send->rcpts[i].err = *why;
    }
    *w->err = *why;
}

static const struct yb_err *
first_refusal(const struct yb_smtp_send *send)
{
    for (size_t i = 0; i < send->n_rcpts; i++) {
        if (send->rcpts[i].fate == YB_FATE_REFUSED)
            return &send->rcpts[i].err;
    }
    return NULL;
}

static int
transact(struct work *w)
{
    const unsigned eager = HAS_PIPELINING | HAS_CHUNKING;
    const struct yb_err *refusal;
    int rc;

    atomic_fetch_add(&w->dest->transactions, 1);
    if ((w->link->features & eager) == eager && count_pending(w->send) == 1 &&
        octets(w->send) <= EAGER_BODY)
        return transact_eager(w);
    rc = (w->link->features & HAS_PIPELINING) != 0 ? envelope_pipelined(w) : envelope_stepwise(w);
    if (rc < 0)
        return -1;
    refusal = first_refusal(w->send);
    w->link->needs_reset = true; /* until the message is answered */
    if (w->send->all_or_none && refusal != NULL) {
        hold_back(w, refusal);
        return 0;
    }
    if (count_pending(w->send) == 0)
        return 0;
    if ((w->link->features & HAS_CHUNKING) == 0)
        return message_data(w);
    return chunk_write(w) < 0 ? -1 : message_answers(w);
}

/* --- the whole hand-over --- */

/* After a lost connection: who may have the message, and may it be asked again? */
static bool
note_loss(struct work *w)
{
    bool repeatable = w->link != NULL && (w->link->features & HAS_XYUBIN) != 0;

    for (size_t i = 0; w->sent && i < w->send->n_rcpts; i++) {
        if (!pending(&w->send->rcpts[i]))
            continue;
        w->send->rcpts[i].fate = YB_FATE_UNKNOWN;
        w->send->rcpts[i].x.repeat = true;
    }
    return !w->sent || repeatable;
}

/* One attempt. Returns the gate's view of it; *again: worth another one. */
static enum yb_gate_result
attempt(struct work *w, bool *again)
{
    enum yb_gate_result result = YB_GATE_OK;
    int rc;

    *again = false;
    w->sent = false;
    yb_buf_clear(w->out);
    w->link = idle_take(w->dest);
    rc = w->link == NULL ? link_connect(w) : 0;
    if (rc < 0) {
        result = yb_deadline_left(w->by) == 0 ? YB_GATE_TIMEOUT : YB_GATE_FAILED;
    } else if (transact(w) < 0) {
        result = yb_deadline_left(w->by) == 0 ? YB_GATE_TIMEOUT : YB_GATE_FAILED;
        *again = note_loss(w) && result == YB_GATE_FAILED;
    } else {
        idle_give(w->dest, &w->link);
        return result;
    }
    atomic_fetch_add(&w->dest->failures, 1);
    link_close(&w->link);
    return result;
}

int
yb_smtp_send(struct yb_smtp_dest *d, struct yb_smtp_send *send, struct yb_err *err)
{
    struct yb_err why = { 0 };
    struct work w = { .dest = d, .send = send, .err = &why };
    enum yb_gate_result result;
    bool again;
    size_t open;

    for (size_t i = 0; i < send->n_rcpts; i++)
        send->rcpts[i].fate = YB_FATE_NONE;
    if (yb_gate_enter(d->gate, &why) == 0) {
        w.out = yb_buf_new(ENVELOPE_LIMIT);
        result = attempt(&w, &again);
        if (again) {
            atomic_fetch_add(&d->repeats, 1);
            result = attempt(&w, &again);
        }
        yb_buf_free(&w.out);
        yb_gate_leave(d->gate, result);
    }
    open = count_pending(send);
    for (size_t i = 0; i < send->n_rcpts; i++) {
        if (pending(&send->rcpts[i]))
            send->rcpts[i].err = why;
    }
    if (open > 0 && err != NULL)
        *err = why;
    return open > 0 ? -1 : 0;
}
