/*
 * The line and stream splitter: the whole input, byte by byte, and in pieces whose sizes the input
 * itself gives, end in the same lines, bytes and flags; no dot stream ends but at CRLF "." CRLF.
 * A line "DOT" or "BYTES <digit>" asks for a stream; the first byte chooses the line limit, and
 * whether lines over it come in pieces.
 */
#include "lib/base/buf.h"
#include "lib/net/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    struct yb_input in;
    struct yb_buf *seen;  /* lines, bytes and flags as text */
    struct yb_buf *block; /* of the dot stream under way */
    bool dot, in_block;
};

static void
ask(struct run *r, struct yb_str line)
{
    if (yb_str_eq(line, YB_STR("DOT"))) {
        yb_input_want_dot(&r->in);
        yb_buf_clear(r->block);
        r->dot = true;
    } else if (line.n == 7 && yb_str_starts(line, YB_STR("BYTES ")) && line.p[6] >= '1' &&
               line.p[6] <= '9') {
        yb_input_want_bytes(&r->in, (uint64_t)(line.p[6] - '0'));
        r->dot = false;
    }
}

/* What a dot stream gave is empty or ends in CRLF, and is the same when it is stuffed and read
 * again. */
static void
check_dot(struct yb_str got)
{
    struct yb_buf *wire = yb_buf_new(SIZE_MAX / 2), *again = yb_buf_new(SIZE_MAX / 2);
    struct yb_input in;
    struct yb_input_item item;
    size_t at = 0;

    yb_assert(got.n == 0 || yb_str_ends_i(got, YB_STR("\r\n")));
    for (size_t k = 0; k < got.n; k++) {
        if (got.p[k] == '.' && (k == 0 || (k >= 2 && got.p[k - 1] == '\n' && got.p[k - 2] == '\r')))
            yb_buf_add_c(wire, '.');
        yb_buf_add_c(wire, got.p[k]);
    }
    yb_buf_add(wire, YB_STR(".\r\n"));
    yb_input_init(&in, 10);
    yb_input_want_dot(&in);
    do {
        yb_input_next(&in, yb_str_skip(yb_buf_view(wire), at), &item);
        yb_assert(item.kind == YB_INPUT_BLOCK);
        yb_buf_add(again, item.bytes);
        at += item.used;
    } while (!item.last);
    yb_assert(at == yb_buf_size(wire));
    yb_assert(yb_str_eq(got, yb_buf_view(again)));
    yb_buf_free(&wire);
    yb_buf_free(&again);
}

static void
note(struct run *r, const struct yb_input_item *item)
{
    if (!r->in_block)
        yb_buf_add(r->seen, item->kind == YB_INPUT_LINE ? YB_STR("\nline ") : YB_STR("\nblock "));
    yb_buf_add(r->seen, item->bytes);
    r->in_block = item->kind == YB_INPUT_BLOCK && !item->last;
    if (!r->in_block)
        yb_buf_printf(r->seen, " %u", item->flags);
    if (item->kind == YB_INPUT_LINE) {
        yb_assert(item->bytes.n <= r->in.limit);
        r->dot = false; /* what follows a line that is too long is its rest */
        ask(r, item->bytes);
    } else if (r->dot) {
        yb_buf_add(r->block, item->bytes);
        if (item->last)
            check_dot(yb_buf_view(r->block));
    }
}

/* pieces: 0 all at once, 1 byte by byte, else of sizes drawn from the input. */
static struct yb_buf *
split(struct yb_str all, uint8_t choice, unsigned pieces)
{
    struct run r = { .seen = yb_buf_new(SIZE_MAX / 2), .block = yb_buf_new(SIZE_MAX / 2) };
    struct yb_buf *buf = yb_buf_new(SIZE_MAX / 2);
    size_t limit = 8 + choice % 64;

    yb_input_init(&r.in, limit);
    r.in.pieces = choice >= 128;
    while (all.n > 0) {
        struct yb_str piece = all;
        struct yb_input_item item;

        if (pieces > 0)
            piece = yb_str_head(all, pieces == 1 ? 1 : 1 + (unsigned char)all.p[all.n / 2] % 13);
        all = yb_str_skip(all, piece.n);
        yb_buf_add(buf, piece);
        for (;;) {
            struct yb_str view = yb_buf_view(buf);

            yb_input_next(&r.in, view, &item);
            if (item.kind == YB_INPUT_MORE)
                break;
            yb_assert(item.used > 0 && item.used <= view.n);
            yb_assert(item.bytes.n == 0 ||
                      (item.bytes.p >= view.p && item.bytes.p + item.bytes.n <= view.p + view.n));
            note(&r, &item);
            yb_buf_consume(buf, item.used);
        }
        yb_assert(item.keep <= yb_buf_size(buf) && item.keep <= limit + 2);
        yb_buf_truncate(buf, item.keep);
    }
    yb_buf_free(&buf);
    yb_buf_free(&r.block);
    return r.seen;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str all = yb_str((const char *)data, size);
    struct yb_buf *whole;

    if (size == 0)
        return 0;
    whole = split(yb_str_skip(all, 1), data[0], 0);
    for (unsigned pieces = 1; pieces <= 2; pieces++) {
        struct yb_buf *parts = split(yb_str_skip(all, 1), data[0], pieces);
        struct yb_str a = yb_buf_view(whole), b = yb_buf_view(parts);

        /* An unfinished stream shows as many bytes as were certain: the same here, at the end. */
        yb_assert(yb_str_eq(a, b));
        yb_buf_free(&parts);
    }
    yb_buf_free(&whole);
    return 0;
}
