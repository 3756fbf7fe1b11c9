/*
 * What a peer sends, cut into lines or into blocks of a stream: a pure state machine over bytes
 * that gives the same lines, bytes and final flags however the input was chunked. Flags are those
 * of conn.h. Owns no memory: the caller keeps the bytes that were not used.
 */
#ifndef YB_NET_INPUT_H
#define YB_NET_INPUT_H

#include "lib/net/conn.h"

enum yb_input_mode { YB_INPUT_LINES, YB_INPUT_REST, YB_INPUT_BYTES, YB_INPUT_DOT };

struct yb_input {
    enum yb_input_mode mode;
    size_t limit; /* longest line, without its end */
    bool pieces;  /* of a longer one the head is given at once, and the rest as a stream */
    /* lines */
    size_t scanned; /* bytes of the buffer known to hold no LF */
    bool skipping;  /* the line is too long: its head is kept, the rest thrown away */
    /* streams */
    uint64_t left;    /* bytes still to come (YB_INPUT_BYTES) */
    size_t line_size; /* bytes since the last CRLF */
    bool at_start;    /* of a line */
    bool after_cr;    /* the last byte was CR (streams; lines: the last one thrown away) */
    unsigned flags;   /* seen so far in the stream */
};

enum yb_input_kind { YB_INPUT_MORE, YB_INPUT_LINE, YB_INPUT_BLOCK };

struct yb_input_item {
    enum yb_input_kind kind;
    struct yb_str bytes; /* a slice of the buffer */
    bool last;           /* the stream ends with this block; lines follow */
    unsigned flags;
    size_t used; /* LINE, BLOCK: the caller drops so many bytes from the head */
    size_t keep; /* MORE: only the first `keep` bytes of the buffer stay */
};

/* Lines of at most `limit` bytes come first. */
void yb_input_init(struct yb_input *in, size_t limit);
/* Begins a stream of n > 0 bytes, or one that a dot ends, with the next byte. */
void yb_input_want_bytes(struct yb_input *in, uint64_t n);
void yb_input_want_dot(struct yb_input *in);
/* The caller threw its buffer away. */
void yb_input_dropped(struct yb_input *in);
/*
 * The next thing in `buf`, which begins with what the last call left. YB_INPUT_MORE: nothing
 * complete; call again when more bytes follow buf[0..keep).
 */
void yb_input_next(struct yb_input *in, struct yb_str buf, struct yb_input_item *item);

#endif
