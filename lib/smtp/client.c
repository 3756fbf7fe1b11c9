/*
 * One hand-over:
 *
 *   yb_smtp_send_message()   gate; an idle connection or a new one; transact(); again when it was
 *                            lost
 *   transact()               envelope -> body -> answers; in one write where that is allowed
 *
 * A connection is either in step (every command answered) and goes back to the idle ones, or
 * closed.
 */
#include "lib/smtp/client.h"

#include "lib/net/sock.h"
#include "lib/smtp/link.h"

/* Up to this size a message for one recipient is sent without waiting for the answer to RCPT. */
#define EAGER_BODY 131072
/* Room for the commands of the largest envelope: 1 000 recipients of at most about 1 KiB. */
#define ENVELOPE_LIMIT (2u << 20)
#define PIECE 65536
/* Between two tries to reach a peer that was lost: at once, then after this, then twice as long. */
#define PAUSE_FIRST_MS 50
#define PAUSE_MOST_MS 1000

/* --- envelope --- */

static bool
is_open(const struct yb_smtp_send_rcpt *r)
{
    return r->fate == YB_FATE_NONE || r->fate == YB_FATE_UNKNOWN;
}

/* In this attempt. */
static bool
pending(const struct yb_smtp_send_rcpt *r)
{
    return is_open(r) && !r->skipped;
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
    if (send->ask)
        return send->ask_size;
    return send->head.n + yb_msgbuf_size(send->body) - send->body_from;
}

static void
add_mail(struct work *w)
{
    const struct yb_smtp_send *send = w->send;
    struct yb_lmtp_mail x = send->x;
    unsigned has = w->link->features;

    x.ask = send->ask;
    yb_buf_add(w->out, YB_STR("MAIL FROM:<"));
    yb_buf_add(w->out, send->from);
    yb_buf_add_c(w->out, '>');
    if ((has & HAS_SIZE) != 0 && (!send->ask || send->ask_size > 0)) {
        yb_buf_add(w->out, YB_STR(" SIZE="));
        yb_buf_add_u64(w->out, octets(send));
    }
    if (send->body_8bit && (has & HAS_8BITMIME) != 0)
        yb_buf_add(w->out, YB_STR(" BODY=8BITMIME"));
    if (send->utf8 && (has & HAS_SMTPUTF8) != 0)
        yb_buf_add(w->out, YB_STR(" SMTPUTF8"));
    if ((has & HAS_XYUBIN) != 0)
        yb_lmtp_mail_write(&x, w->out);
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

/* Before the message: that says nothing of what became of it when it was sent before. */
static void
refuse_early(struct yb_smtp_send_rcpt *r, const struct yb_smtp_reply *reply)
{
    if (r->fate == YB_FATE_UNKNOWN)
        r->skipped = true;
    else
        r->fate = YB_FATE_REFUSED;
    (void)yb_smtp_reply_to_err(reply, &r->err);
}

static void
refuse_all(struct yb_smtp_send *send, const struct yb_smtp_reply *r)
{
    for (size_t i = 0; i < send->n_rcpts; i++) {
        if (pending(&send->rcpts[i]))
            refuse_early(&send->rcpts[i], r);
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
    return smtp_reply_read(w, false, &r);
}

static int
mail_answer(struct work *w, bool *ok)
{
    struct yb_smtp_reply r;

    if (smtp_reply_read(w, false, &r) < 0)
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

    if (smtp_reply_read(w, false, &reply) < 0)
        return -1;
    if (mail_ok && reply.code / 100 != 2)
        refuse_early(r, &reply);
    return 0;
}

/* A command at a time, for who does not know PIPELINING. */
static int
envelope_stepwise(struct work *w)
{
    struct yb_smtp_send *send = w->send;
    bool ok;

    add_reset(w);
    if (w->link->needs_reset && (smtp_commands_flush(w) < 0 || reset_answer(w) < 0))
        return -1;
    add_mail(w);
    if (smtp_commands_flush(w) < 0 || mail_answer(w, &ok) < 0)
        return -1;
    for (size_t i = 0; ok && i < send->n_rcpts; i++) {
        if (!pending(&send->rcpts[i]))
            continue;
        add_rcpt(w, &send->rcpts[i]);
        if (smtp_commands_flush(w) < 0 || rcpt_answer(w, &send->rcpts[i], true) < 0)
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
    if (smtp_commands_flush(w) < 0 || reset_answer(w) < 0 || mail_answer(w, &ok) < 0)
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
    uint64_t at = w->send->body_from, size = yb_msgbuf_size(w->send->body);
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
        rc = write_piece(w, stuff, yb_str_skip(all, (size_t)w->send->body_from), &bol);
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
        r->late = true;
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
        if ((!read || w->dest->conf.lmtp) && smtp_reply_read(w, false, &reply) < 0)
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
    if (smtp_commands_flush(w) < 0 || smtp_reply_read(w, false, &r) < 0)
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
    return smtp_reply_read(w, false, &ignored);
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
        if (send->rcpts[i].fate == YB_FATE_REFUSED || send->rcpts[i].skipped)
            return &send->rcpts[i].err;
    }
    return NULL;
}

/* Nothing is sent: who is left would be taken. */
static void
welcome(struct yb_smtp_send *send)
{
    for (size_t i = 0; i < send->n_rcpts; i++) {
        if (pending(&send->rcpts[i]))
            send->rcpts[i].fate = YB_FATE_WELCOME;
    }
}

static int
transact(struct work *w)
{
    const unsigned eager = HAS_PIPELINING | HAS_CHUNKING;
    const struct yb_err *refusal;
    int rc;

    atomic_fetch_add(&w->dest->transactions, 1);
    if (!w->send->ask && (w->link->features & eager) == eager && count_pending(w->send) == 1 &&
        octets(w->send) <= EAGER_BODY)
        return transact_eager(w);
    rc = (w->link->features & HAS_PIPELINING) != 0 ? envelope_pipelined(w) : envelope_stepwise(w);
    if (rc < 0)
        return -1;
    refusal = first_refusal(w->send);
    w->link->needs_reset = true; /* until the message is answered */
    if (w->send->ask) {
        welcome(w->send);
        return 0;
    }
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

static bool
was_taken(const struct yb_smtp_send *send)
{
    for (size_t i = 0; i < send->n_rcpts; i++) {
        if (send->rcpts[i].fate == YB_FATE_STORED)
            return true;
    }
    return false;
}

/* One attempt. Returns the gate's view of it; *again: the peer was there until now, and another one
 * does no harm. */
static enum yb_gate_result
attempt(struct work *w, bool *again)
{
    enum yb_gate_result result = YB_GATE_OK;
    int rc;

    *again = false;
    w->sent = false;
    for (size_t i = 0; i < w->send->n_rcpts; i++)
        w->send->rcpts[i].skipped = false;
    yb_buf_clear(w->out);
    w->link = smtp_idle_take(w->dest);
    rc = w->link == NULL ? smtp_link_connect(w) : 0;
    if (rc < 0) {
        result = yb_deadline_left(w->by) == 0 ? YB_GATE_TIMEOUT : YB_GATE_FAILED;
        *again = smtp_was_there(w->dest, w->dest->conf.repeat_ms);
    } else if (transact(w) < 0) {
        result = yb_deadline_left(w->by) == 0 ? YB_GATE_TIMEOUT : YB_GATE_FAILED;
        *again = note_loss(w) && result == YB_GATE_FAILED;
        if (*again)
            smtp_note_there(w->dest);
    } else {
        smtp_note_there(w->dest);
        smtp_note_takes(w->dest, was_taken(w->send));
        smtp_idle_give(w->dest, &w->link);
        return result;
    }
    atomic_fetch_add(&w->dest->failures, 1);
    smtp_link_close(&w->link);
    return result;
}

/* A peer that is lost is mostly one that is started again: it is looked for until repeat_ms are over. */
static enum yb_gate_result
attempts(struct work *w)
{
    bool again;
    enum yb_gate_result result = attempt(w, &again);
    struct yb_deadline by = yb_deadline_in(w->dest->conf.repeat_ms);

    for (int64_t pause = 0; again; pause = pause == 0 ? PAUSE_FIRST_MS : pause * 2) {
        if (pause > PAUSE_MOST_MS)
            pause = PAUSE_MOST_MS;
        yb_clock_rest_us(pause * 1000);
        atomic_fetch_add(&w->dest->repeats, 1);
        result = attempt(w, &again);
        again = again && yb_deadline_left(by) > 0;
    }
    return result;
}

int
yb_smtp_send_message(struct yb_smtp_dest *d, struct yb_smtp_send *send, struct yb_err *err)
{
    struct yb_err why = { 0 };
    struct work w = { .dest = d, .send = send, .whole = yb_deadline_never(), .err = &why };
    enum yb_gate_result result;
    size_t open = 0;

    for (size_t i = 0; i < send->n_rcpts; i++) {
        send->rcpts[i].fate = YB_FATE_NONE;
        send->rcpts[i].late = send->rcpts[i].skipped = false;
    }
    if (yb_gate_enter(d->gate, &why) == 0) {
        w.out = yb_buf_new(ENVELOPE_LIMIT);
        result = attempts(&w);
        yb_buf_free(&w.out);
        yb_gate_leave(d->gate, result);
    }
    for (size_t i = 0; i < send->n_rcpts; i++) {
        open += is_open(&send->rcpts[i]);
        if (pending(&send->rcpts[i]))
            send->rcpts[i].err = why;
    }
    if (open > 0 && err != NULL)
        *err = why;
    return open > 0 ? -1 : 0;
}
