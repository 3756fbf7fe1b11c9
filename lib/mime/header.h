/*
 * Header fields of a message (RFC 5322 §2.2), as they are: the walk gives slices of the input,
 * folded. A line ends at LF; a CR before it belongs to the line end. The header ends at the first
 * empty line or with the data. A line that is no field (no colon, a bad name) is given with an
 * empty name, so that nothing in a header can hide from who looks at all of it. Pure functions.
 */
#ifndef YB_MIME_HEADER_H
#define YB_MIME_HEADER_H

#include "lib/base/arena.h"

struct yb_header {
    struct yb_str name;  /* without spaces before the colon; empty: the line is no field */
    struct yb_str value; /* behind the colon, folded, without the last line end */
    struct yb_str raw;   /* all lines of the field with their line ends */
    bool space_before_colon;
};

/* Takes the next field off *left. False at the end of the header; then *left is the body. */
bool yb_header_next(struct yb_str *left, struct yb_header *h);

/* The name of the field that begins with this line, of which the end may be missing; empty when it is
 * none. */
struct yb_str yb_header_name(struct yb_str line);

/* The value of the first field of that name (any case) in a header; false when there is none. */
bool yb_header_find(struct yb_str header, struct yb_str name, struct yb_str *value);

/*
 * Does a message begin with its header? False when its first line is text: no field, not the empty
 * line behind a header without fields, and not the "From …" line of a mailbox file, behind which
 * fields come. With fields put before such a message, an empty line belongs between. True for no
 * octets at all.
 */
bool yb_header_begins(struct yb_str message);

/* Size of the header with its empty line: where the body begins. */
size_t yb_header_size(struct yb_str message);

/* The value on one line: line ends dropped, the space behind them kept, trimmed. Points into
 * `value` when there was nothing to unfold. */
struct yb_str yb_header_unfold(struct yb_str value, struct yb_arena *arena) YB_MUST_USE;

#endif
