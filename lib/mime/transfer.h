/*
 * Decoders of Content-Transfer-Encoding (RFC 2045 §6), fed with pieces of any size: the pieces
 * never change the result. They read what senders really write: what is no base64 is passed over, a
 * '=' that begins nothing in quoted-printable stands for itself. The value struct holds all state.
 */
#ifndef YB_MIME_TRANSFER_H
#define YB_MIME_TRANSFER_H

#include "lib/base/buf.h"

enum yb_transfer_kind {
    YB_TRANSFER_IDENTITY, /* 7bit, 8bit, binary, none */
    YB_TRANSFER_BASE64,
    YB_TRANSFER_QUOTED_PRINTABLE,
    YB_TRANSFER_UNKNOWN /* given out as it is, too */
};

/* From the value of Content-Transfer-Encoding; an absent one is identity. */
enum yb_transfer_kind yb_transfer_kind_of(struct yb_str value);

#define YB_TRANSFER_HELD                                                                           \
    80 /* longer runs of spaces are not trailing spaces of a line but an attack */

struct yb_transfer {
    enum yb_transfer_kind kind;
    uint32_t bits; /* base64: collected bits */
    unsigned n_bits;
    bool after_equals;           /* quoted-printable: behind '=' */
    char digit;                  /* its first hex digit, or 0 */
    bool after_cr;               /* behind '=' and CR */
    char held[YB_TRANSFER_HELD]; /* spaces whose fate the next byte decides */
    size_t n_held;
};

/* A decoder at the beginning of its input. */
struct yb_transfer yb_transfer_begin(enum yb_transfer_kind kind);
/* Appends what `in` decodes to. -1 when the buffer's limit is met; then nothing more may be fed. */
int yb_transfer_feed(struct yb_transfer *t, struct yb_str in, struct yb_buf *out,
                     struct yb_err *err) YB_MUST_USE;
/* The input is over. */
int yb_transfer_end(struct yb_transfer *t, struct yb_buf *out, struct yb_err *err) YB_MUST_USE;

#endif
