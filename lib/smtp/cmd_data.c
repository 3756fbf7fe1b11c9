/*
 * The message: DATA (RFC 5321 §4.1.1.4) and BDAT (RFC 3030), from the first octet to the answer.
 * Whatever is wrong with a message is told after its true end: the dialogue stays in step, and
 * nothing that a sender meant as text is ever read as a command (the smuggling of 2023 lived on
 * servers that ended data where others did not).
 */
#include "lib/mime/header.h"
#include "lib/smtp/cmd.h"
#include "lib/smtp/events.h"
#include "lib/smtp/params.h"
#include "lib/smtp/say.h"
#include "lib/smtp/trace.h"

/* How much of a message that lies in a file is read at first for its header. */
#define HEADER_READ (128u * 1024)

static bool
refused(const struct yb_smtp_session *s)
{
    return s->engine->in.err.class != YB_OK;
}

/* The message will be refused: what came of it is of no use any more. */
static void
give_up_message(struct yb_smtp_session *s)
{
    yb_msgbuf_free(&s->tx->message);
}

/* Once a transaction, before the first octet. */
static int
message_begin(struct yb_smtp_session *s, struct yb_err *err)
{
    struct yb_smtp_server *srv = s->server;

    memset(&s->engine->in, 0, sizeof(s->engine->in));
    if (srv->hooks.data != NULL && srv->hooks.data(s, err) < 0)
        return -1;
    if (srv->conf.pool != NULL) {
        if (yb_msgbuf_pool_admit(srv->conf.pool, s->tx->declared, yb_network_number(&s->network),
                                 err) < 0)
            return -1;
        s->tx->message = yb_msgbuf_new(srv->conf.pool, yb_network_number(&s->network));
    }
    return 0;
}

/* Also of chunks that are thrown away: they end by the same time. smtp_tx_reset() takes the
 * deadline off again. */
static void
stream_begin(struct yb_smtp_session *s)
{
    if (s->engine->state != ST_CHUNKS)
        yb_conn_set_deadline(s->conn, s->server->conf.data_total_ms);
    s->engine->in.active = true;
    yb_conn_set_timeout(s->conn, s->server->conf.data_timeout_ms);
}

static void
stream_end(struct yb_smtp_session *s)
{
    s->engine->in.active = false;
    yb_conn_set_timeout(s->conn, s->server->conf.command_timeout_ms);
}

int
smtp_cmd_data(struct yb_smtp_session *s, struct yb_str arg YB_UNUSED, struct yb_err *err)
{
    if (message_begin(s, err) < 0) {
        smtp_log_refusal(s, "data.reject", NULL, err);
        return -1;
    }
    stream_begin(s);
    smtp_reply(s, 354, NULL, "Send the message, end with CR LF . CR LF");
    yb_conn_want_dot(s->conn);
    return 0;
}

int
smtp_cmd_bdat(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err)
{
    struct smtp_stream *in = &s->engine->in;
    uint64_t n;
    bool last;

    if (!yb_smtp_bdat_parse(arg, &n, &last)) {
        /* Where its octets end nobody can tell: the connection is of no use any more. */
        yb_conn_drop_input(s->conn);
        smtp_reply(s, 501, "5.5.4", "Syntax: BDAT octets [LAST], closing");
        yb_conn_close(s->conn);
        return 0;
    }
    (void)err;
    if (s->engine->state == ST_RCPT) {
        struct yb_err why = { 0 };

        if (message_begin(s, &why) < 0)
            in->err = why;
    } else if (s->engine->state != ST_CHUNKS) {
        in->discard = true;
    }
    stream_begin(s);
    if (!in->discard)
        s->engine->state = ST_CHUNKS;
    in->chunked = true;
    in->chunk_last = last;
    if (n > 0)
        yb_conn_want_bytes(s->conn, n);
    else
        smtp_data_block(s, yb_str(NULL, 0), true, 0);
    return 0;
}

/*
 * Line ends of a chunked message: lib/net looks at each chunk alone, and a CRLF may lie across two.
 * A CR at the very end is judged by message_check().
 */
static unsigned
chunk_flags(struct yb_smtp_session *s, struct yb_str block)
{
    struct smtp_stream *in = &s->engine->in;
    unsigned flags = 0;
    size_t at = 0;

    while (at < block.n) {
        const char *lf = memchr(block.p + at, '\n', block.n - at);
        size_t end = lf == NULL ? block.n : (size_t)(lf - block.p);
        const char *cr = memchr(block.p + at, '\r', end - at);

        if (at == 0 && end > 0 && in->after_cr)
            flags |= YB_IN_BARE_CR;
        /* The only CR a line may have is its last octet, before LF or at the end of the block. */
        if (cr != NULL && (size_t)(cr - block.p) + 1 < end)
            flags |= YB_IN_BARE_CR;
        if (lf != NULL && !(end > at ? block.p[end - 1] == '\r' : end == 0 && in->after_cr))
            flags |= YB_IN_BARE_LF;
        at = end + 1;
    }
    if (block.n > 0)
        in->after_cr = block.p[block.n - 1] == '\r';
    return flags;
}

static void
message_take(struct yb_smtp_session *s, struct yb_str block)
{
    struct smtp_stream *in = &s->engine->in;
    struct yb_smtp_server *srv = s->server;
    struct yb_smtp_tx *tx = s->tx;
    int rc;

    if (tx->size + block.n > srv->conf.max_message) {
        yb_err_as(&in->err, YB_ERR_TOO_BIG, YB_PERM, "5.3.4",
                  "Message too big, at most %llu octets are taken",
                  (unsigned long long)srv->conf.max_message);
        give_up_message(s);
        return;
    }
    tx->size += block.n;
    if (block.n == 0)
        return;
    if (srv->hooks.block != NULL)
        rc = srv->hooks.block(s, block, &in->err);
    else
        rc = yb_msgbuf_append(tx->message, block, &in->err);
    if (rc < 0)
        give_up_message(s);
}

/* --- the whole message --- */

int
yb_smtp_message_begin(struct yb_smtp_session *s, struct yb_str *begin, struct yb_err *err)
{
    const struct yb_msgbuf *m = s->tx->message;

    if (yb_msgbuf_view(m, begin))
        return 0;
    for (size_t room = HEADER_READ;; room = YB_SMTP_HEADER_MAX) {
        char *p = yb_arena_alloc(yb_conn_scratch(s->conn), room, 1);
        ssize_t got = yb_msgbuf_pread(m, p, room, 0, err);

        if (got < 0)
            return -1;
        *begin = yb_str(p, (size_t)got);
        if (begin->n < room || room == YB_SMTP_HEADER_MAX || yb_header_size(*begin) < begin->n)
            return 0;
    }
}

/*
 * RFC 5321 §6.3: only the number of hops tells. A Delivered-To does not: anybody may write one, and
 * who resends a message that was delivered to him sends his own along.
 */
static int
message_loops(struct yb_smtp_session *s, struct yb_err *err)
{
    struct yb_str header, line;
    unsigned hops = 0;

    if (yb_smtp_message_begin(s, &header, err) < 0)
        return -1;
    while (yb_str_split(&header, '\n', &line) && line.n > 1) {
        if (yb_lower(line.p[0]) == 'r' && yb_str_starts_i(line, YB_STR("Received:")))
            hops++;
    }
    if (hops > s->server->conf.max_hops)
        return yb_err_set(err, YB_PERM, "5.4.6", "Mail loop: %u hops", hops);
    return 0;
}

static int
message_check(struct yb_smtp_session *s, struct yb_err *err)
{
    const struct smtp_stream *in = &s->engine->in;

    if (refused(s)) {
        *err = in->err;
        return -1;
    }
    if ((in->flags & YB_IN_NUL) != 0)
        return yb_err_as(err, YB_ERR_CONTENT, YB_PERM, "5.6.0", "Message holds a NUL octet");
    if ((in->flags & (YB_IN_BARE_CR | YB_IN_BARE_LF)) != 0 || (in->chunked && in->after_cr))
        return yb_err_as(err, YB_ERR_CONTENT, YB_PERM, "5.6.0",
                         "Lines of a message end with CR LF, not with one of them");
    /* From one daemon of ours to the next it is the same hop, which smtpd has written down by now. */
    if (s->server->conf.dialect != YB_SMTP_LMTP)
        return message_loops(s, err);
    return 0;
}

static void
log_accepted(struct yb_smtp_session *s)
{
    struct yb_log_line l;

    yb_smtp_log_begin(s, &l, YB_LOG_INFO, "accept");
    yb_log_str(&l, "from", s->tx->from_text);
    yb_log_str(&l, "to", s->tx->rcpts->text);
    yb_log_num(&l, "rcpts", (int64_t)s->tx->n_rcpts);
    yb_log_num(&l, "stored", (int64_t)s->tx->n_stored);
    yb_log_num(&l, "queued", (int64_t)s->tx->n_queued);
    yb_log_num(&l, "size", (int64_t)s->tx->size);
    yb_log_str(&l, "with", yb_smtp_with_keyword(s));
    yb_log_str(&l, "helo", yb_str_from(s->engine->helo));
    yb_log_end(&l);
    smtp_event_accepted(s);
}

static void
count_message(struct yb_smtp_session *s, bool accepted)
{
    struct yb_smtp_counts *c = &s->server->counts;

    atomic_fetch_add_explicit(accepted ? &c->accepted : &c->refused, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->bytes, s->tx->size, memory_order_relaxed);
}

static void
answer_smtp(struct yb_smtp_session *s, int rc, struct yb_str answer, const struct yb_err *err)
{
    char id[YB_ID_TEXT];

    count_message(s, rc == 0);
    if (rc < 0) {
        smtp_log_refusal(s, "data.reject", NULL, err);
        smtp_reply_err(s, err);
        return;
    }
    log_accepted(s);
    if (answer.n == 0)
        answer = yb_arena_printf(s->tx->arena, "Stored as %s", yb_message_id_text(s->tx->id, id));
    smtp_reply_str(s, 250, false, "2.0.0", answer);
}

/* RFC 2033 §4.2: one reply for each accepted recipient, in their order. */
static void
answer_lmtp(struct yb_smtp_session *s, int rc, const struct yb_err *err)
{
    count_message(s, rc == 0);
    for (const struct yb_smtp_rcpt *r = s->tx->rcpts; r != NULL; r = r->next) {
        const struct yb_err *why = rc < 0 ? err : r->err;

        if (why == NULL) {
            smtp_reply(s, 250, "2.1.5", "Stored");
        } else {
            smtp_log_refusal(s, "data.reject", r, why);
            smtp_reply_err(s, why);
        }
    }
}

static void
message_end(struct yb_smtp_session *s)
{
    struct yb_str answer = { NULL, 0 };
    struct yb_err err = { 0 };
    int rc = message_check(s, &err);

    if (rc == 0)
        rc = s->server->hooks.message(s, &answer, &err);
    if (s->server->conf.dialect == YB_SMTP_LMTP)
        answer_lmtp(s, rc, &err);
    else
        answer_smtp(s, rc, answer, &err);
    if (rc == 0)
        s->engine->idle_commands = 0;
    smtp_tx_reset(s);
}

/* A chunk that is not the last: good, or the end of the transaction. */
static void
chunk_end(struct yb_smtp_session *s)
{
    if (!refused(s)) {
        smtp_reply(s, 250, "2.0.0", "Chunk received");
        return;
    }
    smtp_log_refusal(s, "data.reject", NULL, &s->engine->in.err);
    count_message(s, false);
    smtp_reply_err(s, &s->engine->in.err);
    smtp_tx_reset(s); /* further chunks of it hear 503 (RFC 3030 §2) */
}

void
smtp_data_block(struct yb_smtp_session *s, struct yb_str block, bool last, unsigned flags)
{
    struct smtp_stream *in = &s->engine->in;

    if (in->chunked && !in->discard)
        flags = (flags & ~(unsigned)(YB_IN_BARE_CR | YB_IN_BARE_LF)) | chunk_flags(s, block);
    in->flags |= flags;
    if (!in->discard && !refused(s))
        message_take(s, block);
    if (!last)
        return;
    stream_end(s);
    if (in->discard) {
        memset(in, 0, sizeof(*in));
        yb_conn_set_deadline(s->conn, 0);
        smtp_reply(s, 503, "5.5.1", "Bad sequence of commands");
        smtp_count_error(s);
    } else if (in->chunked && !in->chunk_last) {
        chunk_end(s);
    } else {
        message_end(s);
    }
}
