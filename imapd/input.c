/*
 * Lines and literals become whole commands. A line that ends with `{n}` or `{n+}` is followed by n
 * bytes and then by the rest of its line (RFC 3501 §4.3, RFC 7888); all of it is kept as it came,
 * bounded, until the command is whole. Only APPEND's message is not kept: it goes to the store
 * block by block. A literal that is refused before its bytes come ("{n}") is answered at once; one
 * that comes anyway ("{n+}") is read and thrown away up to the end of its command. So is the rest of
 * a command that is too long: only its tag is kept, and the last octets of a line, which may announce
 * a literal.
 */
#include "imapd/input.h"

#include "imapd/cmd.h"
#include "imapd/dispatch.h"
#include "imapd/reply.h"
#include "lib/base/clock.h"

/* A message that comes unasked is thrown away up to here; beyond it the connection ends. */
#define SKIP_MESSAGE_MAX ((uint64_t)256 << 20)
/* Of other commands so much, for so long: nobody has more to say by mistake. */
#define SKIP_MAX ((uint64_t)1 << 20)
#define SKIP_MS 10000
/* A tag that is longer is not one that a command is answered by when it is thrown away. */
#define TAG_KEPT 1000
/* "{18446744073709551615+}" and a line end. */
#define LITERAL_HEAD_MAX 32

struct imapd_input {
    struct yb_buf *text;           /* what came so far, literal heads and line ends included */
    struct imapd_incoming *append; /* the message under way */
    struct yb_err err;             /* why the command is refused: */
    bool skipping;                 /* its rest is read for order's sake */
    bool message;                  /* which is that of a message, and may be long */
    bool rest;                     /* of a line under way */
    uint64_t skipped;
    int64_t since; /* by yb_clock_ms() */
    char tail[LITERAL_HEAD_MAX];
    size_t n_tail;
};

/* It may hold a password. */
static void
text_free(struct yb_buf **text)
{
    size_t n = yb_buf_size(*text);
    char *p;

    yb_buf_clear(*text);
    p = yb_buf_room(*text, n);
    if (p != NULL)
        explicit_bzero(p, n);
    yb_buf_free(text);
}

void
imapd_input_free(struct imapd_session *s)
{
    struct imapd_input *in = s->input;

    if (in == NULL)
        return;
    imapd_append_abort(&in->append);
    text_free(&in->text);
    yb_free(in);
    s->input = NULL;
}

/* The literal's head at the end of a line: its size, and whether its bytes come unasked. */
static bool
line_literal(struct yb_str line, uint64_t *size, bool *nonsync)
{
    size_t at = yb_str_rfind(line, '{');
    struct imapd_lex l = { .in = yb_str_skip(line, at) };

    return at < line.n && imapd_lex_literal_head(&l, size, nonsync) && l.at == l.in.n;
}

/* The tag of the command or exchange under way; `line`: what came of it last. */
static struct yb_str
current_tag(const struct imapd_session *s, struct yb_str line)
{
    struct imapd_lex l = { .in = s->input != NULL ? yb_buf_view(s->input->text) : line };
    struct yb_str tag;

    if (s->mode != IMAPD_IN_COMMAND)
        return yb_str_from(s->tag);
    return imapd_lex_tag(&l, &tag) ? tag : yb_str(NULL, 0);
}

/* Begins the answer to what is over without having been said whole, and forgets that. */
static void
give_up(struct yb_conn *conn, struct imapd_session *s, struct yb_str line, struct imapd_cmd *c)
{
    imapd_cmd_begin(c, conn, yb_arena_dup(yb_conn_scratch(conn), current_tag(s, line)));
    imapd_input_free(s);
    yb_auth_abandon(&s->exchange);
    imapd_push_idle(s->server->push, &s->push, false);
    s->mode = IMAPD_IN_COMMAND;
    yb_free(s->tag);
    s->tag = NULL;
}

/* Answers the refused command and forgets it. */
static void
refuse(struct yb_conn *conn, struct imapd_session *s, struct yb_err err)
{
    struct imapd_cmd c;

    give_up(conn, s, yb_str(NULL, 0), &c);
    imapd_refuse(&c, &err);
    imapd_cmd_flush(&c);
    imapd_set_timeout(conn, s);
}

/* From here on the command is read and thrown away, for the first reason that it is refused for. */
static void
skip_begin(struct yb_conn *conn, struct imapd_input *in, const struct yb_err *err, bool message)
{
    if (in->skipping)
        return;
    in->err = *err;
    in->skipping = true;
    in->message = message;
    in->since = yb_clock_ms();
    if (!message)
        yb_conn_set_timeout(conn, SKIP_MS);
}

/* So many octets more; false, and BYE said, when that is too much. */
static bool
skip_more(struct yb_conn *conn, struct imapd_session *s, uint64_t n)
{
    struct imapd_input *in = s->input;

    in->skipped += n;
    if (in->skipped <= (in->message ? SKIP_MESSAGE_MAX : SKIP_MAX) &&
        (in->message || yb_clock_ms() - in->since < SKIP_MS))
        return true;
    yb_log(YB_LOG_INFO, yb_conn_log(conn), "imap.bad", "a command is far too long");
    imapd_bye(conn, s, YB_STR("[TOOBIG] The command is far too long"));
    return false;
}

/* The command is wrong at a literal: answered now, or when the bytes that come unasked are over. */
static void
refuse_literal(struct yb_conn *conn, struct imapd_session *s, uint64_t size, bool nonsync)
{
    if (!nonsync) {
        refuse(conn, s, s->input->err);
        return;
    }
    if (skip_more(conn, s, size) && size > 0)
        yb_conn_want_bytes(conn, size);
}

/* Whether the literal at the end of the text is an APPEND's message; its arguments then. -1: they
 * are wrong. */
static int
append_literal(struct yb_conn *conn, struct imapd_session *s, struct imapd_append *args,
               struct yb_str *tag, struct yb_err *err)
{
    struct imapd_lex l = { .in = yb_buf_view(s->input->text), .arena = yb_conn_scratch(conn) };

    args->literal = false;
    if (s->state == IMAPD_ST_START || !imapd_lex_tag(&l, tag) || !imapd_lex_char(&l, ' ') ||
        !imapd_lex_word(&l, YB_STR("APPEND")) || !imapd_lex_char(&l, ' '))
        return 0;
    if (!imapd_parse_append(&l, args))
        return imapd_lex_err(&l, err);
    return 0;
}

/* How long the command under way may be; `line`: what came of it just now. */
static size_t
text_limit(const struct imapd_session *s, struct yb_str line)
{
    struct imapd_lex l = { .in = line };
    struct yb_str tag;

    if (s->state != IMAPD_ST_START)
        return IMAPD_COMMAND_MAX;
    if (s->input != NULL && yb_buf_size(s->input->text) > 0)
        l.in = yb_buf_view(s->input->text);
    return imapd_lex_tag(&l, &tag) && imapd_lex_char(&l, ' ') && imapd_lex_word(&l, YB_STR("ID"))
               ? IMAPD_COMMAND_MAX
               : IMAPD_COMMAND_BEFORE_LOGIN;
}

static void
too_long(struct yb_err *err)
{
    yb_err_as(err, YB_ERR_TOO_LONG, YB_PERM, "5.5.4", "The command is too long");
}

/* Of a command that is too long no more than the tag is kept. */
static void
keep_tag(struct imapd_input *in, struct yb_str line)
{
    struct imapd_lex l = { .in = line };
    struct yb_str tag;

    if (yb_buf_size(in->text) == 0 && imapd_lex_tag(&l, &tag) && tag.n < TAG_KEPT)
        yb_buf_add(in->text, tag);
}

static void
go_ahead(struct yb_conn *conn, bool nonsync, uint64_t size)
{
    if (!nonsync)
        yb_conn_write(conn, YB_STR("+ Go ahead\r\n"));
    if (size > 0)
        yb_conn_want_bytes(conn, size);
}

/* A line of a command that goes on with a literal. */
static void
begin_literal(struct yb_conn *conn, struct imapd_session *s, uint64_t size, bool nonsync)
{
    struct imapd_input *in = s->input;
    struct imapd_append args;
    struct yb_str tag = { 0 };
    struct yb_err err = { 0 };
    size_t used = yb_buf_size(in->text), limit = text_limit(s, yb_str(NULL, 0));

    if (!in->skipping && append_literal(conn, s, &args, &tag, &err) < 0) {
        skip_begin(conn, in, &err, true);
    } else if (!in->skipping && args.literal) {
        in->append = imapd_append_begin(s, tag, &args, &err);
        if (in->append == NULL)
            skip_begin(conn, in, &err, true);
    } else if (used + 2 > limit || size > limit - used - 2) {
        too_long(&err);
        skip_begin(conn, in, &err, false);
    }
    if (in->skipping) {
        refuse_literal(conn, s, size, nonsync);
        return;
    }
    if (in->append == NULL)
        yb_buf_add(in->text, YB_STR("\r\n"));
    go_ahead(conn, nonsync, size);
}

static void
input_new(struct imapd_session *s)
{
    if (s->input != NULL)
        return;
    s->input = yb_alloc(1, sizeof(*s->input));
    s->input->text = yb_buf_new(IMAPD_COMMAND_MAX + 2);
}

/* An APPEND whose message is followed by anything, be it another message: its bytes are no
 * commands. */
static void
append_goes_on(struct yb_conn *conn, struct imapd_input *in)
{
    struct yb_err err = { 0 };

    imapd_append_abort(&in->append);
    yb_err_as(&err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "Something follows the message");
    skip_begin(conn, in, &err, true);
}

/* A line of a command, the first or one behind a literal. */
static void
command_line(struct yb_conn *conn, struct imapd_session *s, struct yb_str line)
{
    uint64_t size = 0;
    bool nonsync = false, goes_on = line_literal(line, &size, &nonsync);
    struct imapd_input *in = s->input;
    struct yb_err err = { 0 };

    if (in == NULL && !goes_on && line.n <= text_limit(s, line)) {
        imapd_dispatch(conn, s, line);
        return;
    }
    input_new(s);
    in = s->input;
    if (in->append != NULL && !goes_on) {
        struct imapd_incoming *append = in->append;

        in->append = NULL;
        imapd_input_free(s);
        imapd_append_end(conn, &append, line);
        return;
    }
    if (in->append != NULL)
        append_goes_on(conn, in);
    if (!in->skipping && yb_buf_size(in->text) + line.n > text_limit(s, line)) {
        too_long(&err);
        skip_begin(conn, in, &err, false);
        keep_tag(in, line);
    } else if (!in->skipping) {
        yb_buf_add(in->text, line);
    } else if (!skip_more(conn, s, line.n)) {
        return;
    }
    if (goes_on) {
        begin_literal(conn, s, size, nonsync);
    } else if (in->skipping) {
        refuse(conn, s, in->err);
    } else {
        /* The command keeps its text until it is dispatched; it may begin another one then. */
        s->input = NULL;
        imapd_dispatch(conn, s, yb_buf_view(in->text));
        text_free(&in->text);
        yb_free(in);
    }
}

/* --- lines that are longer than any command may be --- */

static void
keep_tail(struct imapd_input *in, struct yb_str piece)
{
    size_t kept;

    if (piece.n > sizeof(in->tail))
        piece = yb_str_skip(piece, piece.n - sizeof(in->tail));
    kept = sizeof(in->tail) - piece.n < in->n_tail ? sizeof(in->tail) - piece.n : in->n_tail;
    memmove(in->tail, in->tail + in->n_tail - kept, kept);
    memcpy(in->tail + kept, piece.p, piece.n);
    in->n_tail = kept + piece.n;
}

/* The head of a line; its rest comes as data. */
static void
long_line(struct yb_conn *conn, struct imapd_session *s, struct yb_str head)
{
    struct imapd_input *in;
    struct yb_err err = { 0 };

    input_new(s);
    in = s->input;
    if (in->append != NULL)
        append_goes_on(conn, in);
    too_long(&err);
    skip_begin(conn, in, &err, false);
    keep_tag(in, head);
    in->rest = true;
    in->n_tail = 0;
    keep_tail(in, head);
    (void)skip_more(conn, s, head.n);
}

/* A piece of its rest. At its end the command goes on with a literal, or is over. */
static void
line_rest(struct yb_conn *conn, struct imapd_session *s, struct yb_str piece, bool last)
{
    struct imapd_input *in = s->input;
    uint64_t size;
    bool nonsync;

    keep_tail(in, piece);
    if (!skip_more(conn, s, piece.n) || !last)
        return;
    in->rest = false;
    while (in->n_tail > 0 && (in->tail[in->n_tail - 1] == '\n' || in->tail[in->n_tail - 1] == '\r'))
        in->n_tail--;
    if (s->mode == IMAPD_IN_COMMAND && line_literal(yb_str(in->tail, in->n_tail), &size, &nonsync))
        refuse_literal(conn, s, size, nonsync);
    else
        refuse(conn, s, in->err);
}

/* --- from the engine --- */

/* A line with a wrong end: the command that it belongs to is over, and answered. */
static void
wrong_line(struct yb_conn *conn, struct imapd_session *s, struct yb_str line)
{
    struct imapd_cmd c;

    give_up(conn, s, line, &c);
    imapd_bad(&c, YB_STR("Lines end with CRLF and hold no NUL"));
    imapd_cmd_flush(&c);
    imapd_set_timeout(conn, s);
}

void
imapd_input_line(struct yb_conn *conn, struct imapd_session *s, struct yb_str line, unsigned flags)
{
    if ((flags & YB_IN_TOO_LONG) != 0) {
        long_line(conn, s, line);
        return;
    }
    if ((flags & (YB_IN_BARE_LF | YB_IN_BARE_CR | YB_IN_NUL)) != 0) {
        wrong_line(conn, s, line);
        return;
    }
    switch (s->mode) {
    case IMAPD_IN_COMMAND:
        command_line(conn, s, line);
        return;
    case IMAPD_IN_AUTH:
        imapd_auth_line(conn, s, line);
        return;
    case IMAPD_IN_IDLE:
        imapd_idle_line(conn, s, line);
        return;
    }
}

void
imapd_input_data(struct yb_conn *conn, struct imapd_session *s, struct yb_str block, bool last,
                 unsigned flags)
{
    struct imapd_input *in = s->input;
    struct yb_err err = { 0 };

    if (in == NULL)
        return;
    if (in->append != NULL) {
        imapd_append_data(in->append, block, flags);
        return;
    }
    if (in->rest) {
        line_rest(conn, s, block, last);
        return;
    }
    if (in->skipping) {
        (void)skip_more(conn, s, 0);
        return;
    }
    yb_buf_add(in->text, block);
    /* RFC 3501 §9: CHAR8 is any octet but NUL. */
    if (last && (flags & YB_IN_NUL) != 0) {
        yb_err_as(&err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "A literal holds a NUL");
        skip_begin(conn, in, &err, false);
    }
}
