/*
 * ENVELOPE, BODY and BODYSTRUCTURE of a message as they are answered (RFC 3501 §7.4.2), from
 * lib/mime's reading of its bytes. Pure functions that append to a buffer.
 */
#ifndef IMAPD_STRUCTURE_H
#define IMAPD_STRUCTURE_H

#include "lib/base/buf.h"
#include "lib/mime/tree.h"

/* "(date subject from …)" of a header. */
void imapd_put_envelope(struct yb_buf *b, struct yb_str header, struct yb_arena *arena);
/* Of the part and what is inside it; `extended` for BODYSTRUCTURE. */
void imapd_put_structure(struct yb_buf *b, const struct yb_mime_tree *tree, uint32_t part,
                         bool extended, struct yb_arena *arena);

#endif
