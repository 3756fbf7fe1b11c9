/*
 * HEADER.FIELDS and its opposite (RFC 3501 §6.4.5): whole fields of a header, and the empty line, in
 * pieces and slices. Small ones are picked out once; of more the octets are counted first, and the
 * fields are read again while they are written, so that no header is ever whole in memory.
 */
#ifndef IMAPD_FIELDS_H
#define IMAPD_FIELDS_H

#include "imapd/message.h"

struct imapd_fields {
    const struct imapd_section *section;
    struct imapd_lines lines;
    uint64_t start;
    bool wanted;       /* the field under way is */
    bool counting;     /* its octets are not told yet */
    uint64_t n;        /* octets of all, those that were written or counted so far */
    uint64_t from, to; /* of these are asked for */
    struct yb_buf *kept;
};

/* The header is [start, end) of the message's file. */
void imapd_fields_begin(struct imapd_fields *f, const struct imapd_section *s, uint64_t start,
                        uint64_t end);
/* Goes on with the literal in c->out, where `sent` octets of this piece are gone already: 0 at its
 * end, 1 when the slice is over or the piece is full. */
int imapd_fields_step(struct imapd_fields *f, struct imapd_cmd *c, struct imapd_message *m,
                      size_t sent, struct yb_err *err) YB_MUST_USE;
/* Frees what it kept. */
void imapd_fields_end(struct imapd_fields *f);

#endif
