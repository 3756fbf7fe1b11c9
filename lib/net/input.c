#include "lib/net/input.h"

void
yb_input_init(struct yb_input *in, size_t limit)
{
    *in = (struct yb_input){ .mode = YB_INPUT_LINES, .limit = limit };
}

static void
stream_begin(struct yb_input *in, enum yb_input_mode mode, uint64_t n)
{
    in->mode = mode;
    in->left = n;
    in->scanned = 0;
    in->line_size = 0;
    in->at_start = true;
    in->after_cr = false;
    in->flags = 0;
}

void
yb_input_want_bytes(struct yb_input *in, uint64_t n)
{
    yb_assert(n > 0);
    stream_begin(in, YB_INPUT_BYTES, n);
}

void
yb_input_want_dot(struct yb_input *in)
{
    stream_begin(in, YB_INPUT_DOT, 0);
}

void
yb_input_dropped(struct yb_input *in)
{
    in->scanned = 0;
    in->skipping = false;
}

/* NUL and bytes over 127, in loops the compiler turns into vector code. */
static unsigned
octet_flags(const char *p, size_t n)
{
    unsigned high = 0, nul = 0;

    for (size_t k = 0; k < n; k++) {
        high |= (unsigned char)p[k];
        nul |= p[k] == 0;
    }
    return (high > 127 ? YB_IN_8BIT : 0u) | (nul ? YB_IN_NUL : 0u);
}

/* --- lines --- */

static void
line_give(struct yb_input *in, struct yb_str buf, size_t lf, struct yb_input_item *item)
{
    size_t n = lf;
    /* In a skipped line what stood before LF may be thrown away; then after_cr remembers it. */
    bool crlf = in->skipping && lf <= in->limit ? in->after_cr : lf > 0 && buf.p[lf - 1] == '\r';

    item->kind = YB_INPUT_LINE;
    item->used = lf + 1;
    item->flags = crlf ? 0 : YB_IN_BARE_LF;
    if (crlf && !in->skipping)
        n--;
    if (in->skipping || n > in->limit) {
        n = n < in->limit ? n : in->limit; /* the limit may have been raised meanwhile */
        item->flags |= YB_IN_TOO_LONG;
    }
    item->bytes = yb_str(buf.p, n);
    item->flags |= octet_flags(buf.p, n);
    if (n > 0 && memchr(buf.p, '\r', n) != NULL)
        item->flags |= YB_IN_BARE_CR;
    in->scanned = 0;
    in->skipping = false;
}

/* With its CR LF a line of the full length takes limit + 2 bytes. */
static bool
is_too_long(const struct yb_input *in, struct yb_str buf, const char *lf)
{
    size_t n = lf == NULL ? buf.n : (size_t)(lf - buf.p);

    if (lf == NULL)
        return n >= in->limit + 2;
    return n > in->limit + 1 || (n == in->limit + 1 && lf[-1] != '\r');
}

/* The head of a line that is too long, however much of the rest has come. */
static void
line_head(struct yb_input *in, struct yb_str buf, struct yb_input_item *item)
{
    item->kind = YB_INPUT_LINE;
    item->bytes = yb_str_head(buf, in->limit);
    item->used = in->limit;
    item->flags = YB_IN_TOO_LONG | octet_flags(buf.p, in->limit);
    stream_begin(in, YB_INPUT_REST, 0);
}

static void
line_next(struct yb_input *in, struct yb_str buf, struct yb_input_item *item)
{
    const char *lf = NULL;

    if (buf.n > in->scanned)
        lf = memchr(buf.p + in->scanned, '\n', buf.n - in->scanned);
    if (in->pieces && is_too_long(in, buf, lf)) {
        line_head(in, buf, item);
        return;
    }
    if (lf != NULL) {
        line_give(in, buf, (size_t)(lf - buf.p), item);
        return;
    }
    /* With its CR LF a line of the full length takes limit + 2 bytes. */
    if (in->skipping || buf.n >= in->limit + 2) {
        if (buf.n > in->limit)
            in->after_cr = buf.p[buf.n - 1] == '\r';
        in->skipping = true;
        item->keep = buf.n < in->limit ? buf.n : in->limit;
    } else {
        item->keep = buf.n;
    }
    in->scanned = item->keep;
}

/* --- streams --- */

/*
 * Line ends in p[0..n), which holds no dot that the caller still has to judge. With `stop_at_dot`
 * it stops behind a CRLF that a dot follows, or that is the end of p. Returns the bytes passed.
 */
static size_t
stream_scan(struct yb_input *in, const char *p, size_t n, bool stop_at_dot)
{
    size_t at = 0;

    while (at < n) {
        const char *lf = memchr(p + at, '\n', n - at);
        size_t end = lf == NULL ? n : (size_t)(lf - p); /* of what precedes LF */
        bool crlf = lf != NULL && (end > at ? p[end - 1] == '\r' : in->after_cr);
        /* The CR of this CRLF, or one at the end that LF may still follow, is not bare. */
        size_t plain = end > at && p[end - 1] == '\r' && (crlf || lf == NULL) ? end - 1 : end;

        if (in->after_cr && end > at)
            in->flags |= YB_IN_BARE_CR;
        if (plain > at && memchr(p + at, '\r', plain - at) != NULL)
            in->flags |= YB_IN_BARE_CR;
        if (end > at)
            in->after_cr = p[end - 1] == '\r';
        in->line_size += end - at;
        if (in->line_size - (in->after_cr ? 1 : 0) > YB_STREAM_LINE)
            in->flags |= YB_IN_LONG_LINE;
        in->at_start = crlf;
        if (lf == NULL)
            return n;
        at = end + 1;
        in->after_cr = false;
        if (crlf) {
            in->line_size = 0;
            if (stop_at_dot && at < n && p[at] == '.')
                return at;
        } else {
            in->flags |= YB_IN_BARE_LF;
            in->line_size++; /* a bare LF ends no line: it counts as a byte of it */
            if (in->line_size > YB_STREAM_LINE)
                in->flags |= YB_IN_LONG_LINE;
        }
    }
    return n;
}

static void
block_give(struct yb_input *in, struct yb_str bytes, size_t used, bool last,
           struct yb_input_item *item)
{
    in->flags |= octet_flags(bytes.p, bytes.n);
    if (last) {
        /* A CR as the very last byte of a counted stream has no LF behind it. */
        if (in->after_cr) {
            in->flags |= YB_IN_BARE_CR;
            if (in->line_size > YB_STREAM_LINE)
                in->flags |= YB_IN_LONG_LINE;
        }
        in->mode = YB_INPUT_LINES;
        in->scanned = 0;
    }
    item->kind = YB_INPUT_BLOCK;
    item->bytes = bytes;
    item->used = used;
    item->last = last;
    item->flags = in->flags;
}

/* Of a line whose head was given: up to its LF, which is the last byte of the last block. */
static void
rest_next(struct yb_input *in, struct yb_str buf, struct yb_input_item *item)
{
    const char *lf = buf.n > 0 ? memchr(buf.p, '\n', buf.n) : NULL;
    size_t n = lf == NULL ? buf.n : (size_t)(lf - buf.p) + 1;

    if (n > 0)
        block_give(in, yb_str(buf.p, n), n, lf != NULL, item);
}

static void
bytes_next(struct yb_input *in, struct yb_str buf, struct yb_input_item *item)
{
    size_t n = buf.n;

    if (n > in->left)
        n = (size_t)in->left;
    if (n == 0)
        return;
    in->left -= n;
    stream_scan(in, buf.p, n, false);
    block_give(in, yb_str(buf.p, n), n, in->left == 0, item);
}

/* RFC 5321 §4.5.2: at the start of a line "." CRLF ends the stream, any other dot is taken off. */
static void
dot_next(struct yb_input *in, struct yb_str buf, struct yb_input_item *item)
{
    size_t from = 0, n;

    if (in->at_start && buf.n > 0 && buf.p[0] == '.') {
        if (buf.n >= 3 && buf.p[1] == '\r' && buf.p[2] == '\n') {
            block_give(in, yb_str(buf.p, 0), 3, true, item);
            return;
        }
        if (buf.n == 1 || (buf.n == 2 && buf.p[1] == '\r')) {
            item->keep = buf.n;
            return;
        }
        from = 1;
    }
    if (buf.n == from)
        return;
    n = from + stream_scan(in, buf.p + from, buf.n - from, true);
    if (buf.n - n >= 3 && memcmp(buf.p + n, ".\r\n", 3) == 0)
        block_give(in, yb_str(buf.p + from, n - from), n + 3, true, item);
    else
        block_give(in, yb_str(buf.p + from, n - from), n, false, item);
}

void
yb_input_next(struct yb_input *in, struct yb_str buf, struct yb_input_item *item)
{
    *item = (struct yb_input_item){ .kind = YB_INPUT_MORE };
    switch (in->mode) {
    case YB_INPUT_LINES:
        line_next(in, buf, item);
        break;
    case YB_INPUT_REST:
        rest_next(in, buf, item);
        break;
    case YB_INPUT_BYTES:
        bytes_next(in, buf, item);
        break;
    case YB_INPUT_DOT:
        dot_next(in, buf, item);
        break;
    }
}
