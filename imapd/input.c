/*
 * Lines and literals become whole commands. A line that ends with `{n}` or `{n+}` is followed by n
 * bytes and then by the rest of its line (RFC 3501 §4.3, RFC 7888); all of it is kept as it came,
 * bounded, until the command is whole. Only APPEND's message is not kept: it goes to the store
 * block by block. A literal that is refused before its bytes come ("{n}") is answered at once; one
 * that comes anyway ("{n+}") is read and thrown away up to the end of its command.
 */
#include "imapd/input.h"

#include "imapd/cmd.h"
#include "imapd/dispatch.h"
#include "imapd/reply.h"

/* Literals that come unasked are thrown away up to here; beyond it the connection ends. */
#define SKIP_MAX ((uint64_t)256 << 20)

struct imapd_input {
    struct yb_buf *text;           /* what came so far, literal heads and line ends included */
    struct imapd_incoming *append; /* the message under way */
    bool skipping;                 /* the command is refused; its rest is read for order's sake */
    uint64_t skipped;
    struct yb_err err; /* why */
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

/* Answers the refused command and forgets it. */
static void
refuse(struct yb_conn *conn, struct imapd_session *s, const struct yb_err *err)
{
    struct imapd_lex l = { .in = yb_buf_view(s->input->text) };
    struct yb_str tag = { 0 };
    struct imapd_cmd c;

    if (!imapd_lex_tag(&l, &tag))
        tag = yb_str(NULL, 0);
    imapd_cmd_begin(&c, conn, tag);
    imapd_refuse(&c, err);
    imapd_input_free(s);
    imapd_cmd_flush(&c);
}

/* The command is wrong at a literal: answered now, or when the bytes that come unasked are over. */
static void
refuse_literal(struct yb_conn *conn, struct imapd_session *s, uint64_t size, bool nonsync,
               const struct yb_err *err)
{
    struct imapd_input *in = s->input;

    if (!nonsync) {
        refuse(conn, s, err);
        return;
    }
    in->skipped += size;
    if (in->skipped > SKIP_MAX) {
        imapd_bye(conn, s, YB_STR("[TOOBIG] The literal is too large"));
        return;
    }
    if (!in->skipping)
        in->err = *err;
    in->skipping = true;
    if (size > 0)
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
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "%s", l.why);
    return 0;
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
    size_t used = yb_buf_size(in->text), limit;

    if (in->skipping) {
        refuse_literal(conn, s, size, nonsync, &in->err);
        return;
    }
    if (append_literal(conn, s, &args, &tag, &err) < 0) {
        refuse_literal(conn, s, size, nonsync, &err);
        return;
    }
    if (args.literal) {
        in->append = imapd_append_begin(s, tag, &args, &err);
        if (in->append == NULL)
            refuse_literal(conn, s, size, nonsync, &err);
        else
            go_ahead(conn, nonsync, size);
        return;
    }
    limit = s->state == IMAPD_ST_START ? IMAPD_COMMAND_BEFORE_LOGIN : IMAPD_COMMAND_MAX;
    if (used + 2 > limit || size > limit - used - 2) {
        yb_err_as(&err, YB_ERR_TOO_LONG, YB_PERM, "5.5.4", "The command is too long");
        refuse_literal(conn, s, size, nonsync, &err);
        return;
    }
    yb_buf_add(in->text, YB_STR("\r\n"));
    go_ahead(conn, nonsync, size);
}

/* A line of a command, the first or one behind a literal. */
static void
command_line(struct yb_conn *conn, struct imapd_session *s, struct yb_str line)
{
    uint64_t size = 0;
    bool nonsync = false, goes_on = line_literal(line, &size, &nonsync);
    struct imapd_input *in = s->input;
    size_t limit = s->state == IMAPD_ST_START ? IMAPD_COMMAND_BEFORE_LOGIN : IMAPD_COMMAND_MAX;

    if (in == NULL && !goes_on) {
        imapd_dispatch(conn, s, line);
        return;
    }
    if (in == NULL) {
        in = s->input = yb_alloc(1, sizeof(*in));
        in->text = yb_buf_new(IMAPD_COMMAND_MAX + 2);
    }
    if (in->append != NULL && !goes_on) {
        struct imapd_incoming *append = in->append;

        in->append = NULL;
        imapd_input_free(s);
        imapd_append_end(conn, &append, line);
        return;
    }
    if (in->append != NULL) { /* a second message: its bytes are no commands */
        imapd_append_abort(&in->append);
        in->skipping = true;
        yb_err_as(&in->err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "Something follows the message");
    }
    if (!in->skipping && yb_buf_size(in->text) + line.n > limit) {
        in->skipping = true;
        yb_err_as(&in->err, YB_ERR_TOO_LONG, YB_PERM, "5.5.4", "The command is too long");
    }
    if (!in->skipping)
        yb_buf_add(in->text, line);
    if (goes_on) {
        begin_literal(conn, s, size, nonsync);
    } else if (in->skipping) {
        refuse(conn, s, &in->err);
    } else {
        /* The command keeps its text until it is dispatched; it may begin another one then. */
        s->input = NULL;
        imapd_dispatch(conn, s, yb_buf_view(in->text));
        text_free(&in->text);
        yb_free(in);
    }
}

/* A line with a wrong end: the command that it belongs to is over, and answered. */
static void
wrong_line(struct yb_conn *conn, struct imapd_session *s, struct yb_str line)
{
    struct imapd_lex l = { .in = s->input != NULL ? yb_buf_view(s->input->text) : line };
    struct yb_str tag = { 0 };
    struct imapd_cmd c;

    if (s->mode != IMAPD_IN_COMMAND)
        tag = yb_str_from(s->tag);
    else if (!imapd_lex_tag(&l, &tag))
        tag = yb_str(NULL, 0);
    imapd_cmd_begin(&c, conn, yb_arena_dup(yb_conn_scratch(conn), tag));
    imapd_input_free(s);
    yb_auth_abandon(&s->exchange);
    imapd_push_idle(s->server->push, &s->push, false);
    s->mode = IMAPD_IN_COMMAND;
    yb_free(s->tag);
    s->tag = NULL;
    imapd_bad(&c, YB_STR("Lines end with CRLF and hold no NUL"));
    imapd_cmd_flush(&c);
}

void
imapd_input_line(struct yb_conn *conn, struct imapd_session *s, struct yb_str line, unsigned flags)
{
    /* What was thrown away may have announced a literal: nobody knows where the next command
     * begins. */
    if ((flags & YB_IN_TOO_LONG) != 0) {
        yb_log(YB_LOG_INFO, yb_conn_log(conn), "imap.bad", "a line is too long");
        imapd_bye(conn, s, YB_STR("[TOOBIG] The line is too long"));
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
imapd_input_data(struct yb_conn *conn YB_UNUSED, struct imapd_session *s, struct yb_str block,
                 bool last, unsigned flags)
{
    struct imapd_input *in = s->input;

    if (in == NULL)
        return;
    if (in->append != NULL) {
        imapd_append_data(in->append, block, flags);
        return;
    }
    if (in->skipping)
        return;
    yb_buf_add(in->text, block);
    /* RFC 3501 §9: CHAR8 is any octet but NUL. */
    if (last && (flags & YB_IN_NUL) != 0) {
        in->skipping = true;
        yb_err_as(&in->err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "A literal holds a NUL");
    }
}
