/* The open maildrop: STAT to QUIT. Long answers are written by producers, piece by piece. */
#include "pop3d/cmd.h"
#include "pop3d/reply.h"

#include <errno.h>
#include <unistd.h>

#define PIECE 32768     /* of a message, read at once */
#define LISTING_LINE 64 /* longest line of LIST and UIDL */

/* A number of at most ten digits; false for anything else. */
static bool
number_of(struct yb_str word, uint64_t *out)
{
    return word.n <= 10 && yb_str_u64(word, UINT32_MAX, out);
}

/* The message a command names; says so and returns NULL when there is none. */
static const struct yb_record *
find_message(struct yb_conn *c, struct pop3d_session *s, struct yb_str word, uint64_t *number)
{
    const struct yb_record *r = NULL;

    if (number_of(word, number))
        r = pop3d_maildrop_message(s->drop, *number);
    if (r == NULL)
        yb_conn_write(c, YB_STR("-ERR There is no such message\r\n"));
    return r;
}

void
pop3d_stat(struct yb_conn *c, struct pop3d_session *s, struct yb_str arg YB_UNUSED)
{
    struct pop3d_totals all = pop3d_maildrop_totals(s->drop);

    yb_conn_printf(c, "+OK %zu %llu\r\n", all.messages, (unsigned long long)all.bytes);
}

/* --- LIST and UIDL --- */

static void
add_listing(struct yb_buf *b, const struct pop3d_session *s, const struct yb_record *r,
            uint64_t number, bool unique_ids)
{
    char uidl[POP3D_UIDL];

    yb_buf_add_u64(b, number);
    yb_buf_add_c(b, ' ');
    if (unique_ids) {
        pop3d_maildrop_uidl(r, uidl);
        yb_buf_add(b, yb_str_from(uidl));
    } else {
        yb_buf_add_u64(b, pop3d_maildrop_size(s->drop, r));
    }
    yb_buf_add(b, YB_STR("\r\n"));
}

static bool
write_listing(struct yb_conn *c)
{
    struct pop3d_session *s = yb_conn_session(c);
    struct yb_buf *b = yb_buf_new(YB_OUT_PIECE + LISTING_LINE);
    size_t last = pop3d_maildrop_count(s->drop);

    for (; s->next <= last && yb_buf_size(b) < YB_OUT_PIECE; s->next++) {
        const struct yb_record *r = pop3d_maildrop_message(s->drop, s->next);

        if (r != NULL)
            add_listing(b, s, r, s->next, s->unique_ids);
    }
    if (s->next > last)
        yb_buf_add(b, YB_STR(".\r\n"));
    yb_conn_write(c, yb_buf_view(b));
    yb_buf_free(&b);
    return s->next <= last;
}

static void
listing(struct yb_conn *c, struct pop3d_session *s, struct yb_str arg, bool unique_ids)
{
    const struct yb_record *r;
    struct yb_buf *b;
    uint64_t number;

    if (arg.n == 0) {
        yb_conn_write(c, YB_STR("+OK\r\n"));
        s->next = 1;
        s->unique_ids = unique_ids;
        if (write_listing(c))
            yb_conn_set_producer(c, write_listing);
        return;
    }
    r = find_message(c, s, arg, &number);
    if (r == NULL)
        return;
    b = yb_buf_new(2 * LISTING_LINE);
    yb_buf_add(b, YB_STR("+OK "));
    add_listing(b, s, r, number, unique_ids);
    yb_conn_write(c, yb_buf_view(b));
    yb_buf_free(&b);
}

void
pop3d_list(struct yb_conn *c, struct pop3d_session *s, struct yb_str arg)
{
    listing(c, s, arg, false);
}

void
pop3d_uidl(struct yb_conn *c, struct pop3d_session *s, struct yb_str arg)
{
    listing(c, s, arg, true);
}

/* --- RETR and TOP --- */

static void
write_stuffed(struct yb_conn *c, struct pop3d_session *s, struct yb_str piece)
{
    struct yb_str out;

    while (pop3d_stuff_next(&s->stuffer, &piece, &out))
        yb_conn_write(c, out);
}

static bool
end_message(struct yb_conn *c, struct pop3d_session *s)
{
    close(s->fd);
    s->fd = -1;
    yb_conn_write(c, pop3d_stuff_end(&s->stuffer));
    return false;
}

/* Room for what is left of the message, within PIECE; for its end, hardly any. */
static size_t
piece_room(const struct pop3d_session *s)
{
    uint64_t at = (uint64_t)s->at, left = at < s->size ? s->size - at : LISTING_LINE;

    return left < PIECE ? (size_t)left : PIECE;
}

/* Writes the next piece of the message; false when that was the last. */
static bool
write_message(struct yb_conn *c)
{
    struct pop3d_session *s = yb_conn_session(c);
    size_t room = piece_room(s);
    struct yb_buf *b = yb_buf_new(room);
    char *bytes = yb_buf_room(b, room);
    ssize_t n = pread(s->fd, bytes, room, s->at);
    bool more = n > 0;

    if (n < 0 && errno == EINTR) {
        more = true;
    } else if (n < 0) {
        struct yb_err err = { 0 };

        /* An answer that stops in the middle must not look whole. */
        yb_err_sys(&err, YB_TEMP, "4.3.0", "read message");
        yb_log_err(YB_LOG_ERROR, yb_conn_log(c), "pop3.read.failed", &err);
        yb_conn_abort(c);
    } else if (n == 0) {
        more = end_message(c, s);
    } else {
        struct yb_str piece = yb_str(bytes, (size_t)n);

        if (!s->whole)
            piece = yb_str_head(piece, pop3d_top_take(&s->top, piece));
        write_stuffed(c, s, piece);
        s->at += n;
        s->bytes += piece.n;
        atomic_fetch_add(&s->pop3d->counts.bytes, piece.n);
        if (!s->whole && s->top.done)
            more = end_message(c, s);
    }
    yb_buf_free(&b);
    return more;
}

/* Opens a message to be written; says why when that cannot be. */
static bool
open_message(struct yb_conn *c, struct pop3d_session *s, const struct yb_record *r)
{
    struct yb_err err = { 0 };

    if (pop3d_maildrop_read(s->drop, r, &s->fd, &err) < 0) {
        s->fd = -1;
        if (err.class == YB_PERM) {
            yb_conn_write(c, YB_STR("-ERR This message was removed by another session\r\n"));
        } else {
            yb_log_err(YB_LOG_ERROR, yb_conn_log(c), "pop3.read.failed", &err);
            pop3d_reply_err(c, &err);
        }
        return false;
    }
    s->at = 0;
    s->size = r->size;
    s->stuffer = (struct pop3d_stuffer)POP3D_STUFFER_INIT;
    s->retrieved++;
    atomic_fetch_add(&s->pop3d->counts.retrieved, 1);
    return true;
}

/* Small messages are whole in the first piece and its end; the rest comes when that is sent. */
static void
begin_message(struct yb_conn *c, const struct yb_record *r)
{
    bool more = write_message(c);

    if (more && r->size < PIECE)
        more = write_message(c);
    if (more)
        yb_conn_set_producer(c, write_message);
}

void
pop3d_retr(struct yb_conn *c, struct pop3d_session *s, struct yb_str arg)
{
    uint64_t number;
    const struct yb_record *r = find_message(c, s, arg, &number);

    if (r == NULL || !open_message(c, s, r))
        return;
    s->whole = true;
    yb_conn_printf(c, "+OK %llu octets\r\n", (unsigned long long)pop3d_maildrop_size(s->drop, r));
    begin_message(c, r);
}

void
pop3d_top_command(struct yb_conn *c, struct pop3d_session *s, struct yb_str arg)
{
    struct yb_str word = yb_str_word(&arg);
    uint64_t number, lines;
    const struct yb_record *r;

    if (!number_of(arg, &lines)) {
        yb_conn_write(c, YB_STR("-ERR TOP wants a message and a number of lines\r\n"));
        return;
    }
    r = find_message(c, s, word, &number);
    if (r == NULL || !open_message(c, s, r))
        return;
    s->whole = false;
    s->top = (struct pop3d_top)POP3D_TOP_INIT(lines);
    yb_conn_write(c, YB_STR("+OK\r\n"));
    begin_message(c, r);
}

/* --- the rest --- */

void
pop3d_dele(struct yb_conn *c, struct pop3d_session *s, struct yb_str arg)
{
    uint64_t number;

    if (find_message(c, s, arg, &number) == NULL)
        return;
    pop3d_maildrop_mark(s->drop, number);
    yb_conn_write(c, YB_STR("+OK Deleted at QUIT\r\n"));
}

void
pop3d_noop(struct yb_conn *c, struct pop3d_session *s YB_UNUSED, struct yb_str arg YB_UNUSED)
{
    yb_conn_write(c, YB_STR("+OK\r\n"));
}

void
pop3d_rset(struct yb_conn *c, struct pop3d_session *s, struct yb_str arg YB_UNUSED)
{
    pop3d_maildrop_unmark_all(s->drop);
    pop3d_stat(c, s, arg);
}

/*
 * UPDATE (RFC 1939 §6): the marked messages go, durably, before +OK; and the lock, so that a client
 * that has read it may come again at once.
 */
void
pop3d_quit(struct yb_conn *c, struct pop3d_session *s, struct yb_str arg YB_UNUSED)
{
    struct yb_err err = { 0 };
    size_t deleted;

    s->end = "quit";
    deleted = s->drop == NULL ? 0 : pop3d_maildrop_marked(s->drop);
    if (deleted > 0 && pop3d_maildrop_commit(s->drop, &err) < 0) {
        yb_log_err(YB_LOG_ERROR, yb_conn_log(c), "pop3.delete.failed", &err);
        pop3d_maildrop_close(&s->drop);
        yb_conn_write(c, YB_STR("-ERR [SYS/TEMP] Some deleted messages were not removed\r\n"));
    } else {
        s->deleted = deleted;
        atomic_fetch_add(&s->pop3d->counts.deleted, deleted);
        pop3d_maildrop_close(&s->drop);
        yb_conn_write(c, YB_STR("+OK\r\n"));
    }
    yb_conn_close(c);
}
