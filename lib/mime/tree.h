/*
 * The MIME structure of a message in one pass over its bytes: a table of parts with byte offsets
 * and with those header fields that IMAP's ENVELOPE, BODY and BODYSTRUCTURE are made from. Never
 * fails: whatever the bytes are, there is at least the root part.
 *
 * A part is its header (up to and with the empty line) and its body. The body ends before the line
 * end that belongs to the next boundary (RFC 2046 §5.1.1). A boundary is recognised only as a whole
 * line, spaces behind it allowed; the innermost open multipart that has it wins. A line end is LF
 * or CRLF.
 *
 * The message may come in pieces of any size, which never change the result: nothing of it is kept
 * but the fields (at most YB_MIME_FIELDS_MAX octets of a message, whatever its size) and the line
 * under way.
 */
#ifndef YB_MIME_TREE_H
#define YB_MIME_TREE_H

#include "lib/base/arena.h"

#define YB_MIME_DEPTH_MAX 100   /* nesting; a deeper container is a leaf and `opaque` */
#define YB_MIME_PARTS_MAX 10000 /* a boundary beyond that is an ordinary line */
#define YB_MIME_LINE_MAX 1000   /* a longer line is no boundary (RFC 5322 §2.1.1) */
/* Octets of the fields kept of one message. A field that does not fit is as if it were not there: it
 * takes twenty thousand addresses, or an attack, to get here. */
#define YB_MIME_FIELDS_MAX ((size_t)512 << 10)
#define YB_MIME_NO_PART UINT32_MAX

enum yb_mime_kind {
    YB_MIME_LEAF,
    /* Children: its parts, at least one: without a boundary, or with nothing behind one, it is a
     * text/plain part without a header that has all of the body. */
    YB_MIME_MULTIPART,
    YB_MIME_MESSAGE /* message/rfc822: exactly one child, the message inside */
};

/* Header fields a part is described by; the first of each name counts. */
enum yb_mime_field {
    YB_MIME_TYPE,        /* Content-Type */
    YB_MIME_ENCODING,    /* Content-Transfer-Encoding */
    YB_MIME_ID,          /* Content-ID */
    YB_MIME_DESCRIPTION, /* Content-Description */
    YB_MIME_MD5,         /* Content-MD5 */
    YB_MIME_DISPOSITION, /* Content-Disposition */
    YB_MIME_LANGUAGE,    /* Content-Language */
    YB_MIME_LOCATION,    /* Content-Location */
    YB_MIME_FIELDS
};

struct yb_mime_part {
    uint64_t header, body, end; /* offsets: header is [header, body), body is [body, end) */
    uint64_t lines;             /* of the body; a last one without line end counts */
    uint32_t parent;            /* index in the table; the root has YB_MIME_NO_PART */
    uint32_t first_child, next; /* index, or YB_MIME_NO_PART */
    enum yb_mime_kind kind;
    bool opaque;                 /* nested too deep: type is application/octet-stream */
    struct yb_str type, subtype; /* what it is treated as: as written, or the default */
    /* Fields as they are, in their order: those of yb_mime_part_field(), and of a message (the root,
     * and what is inside a message/rfc822) also those of its envelope, repeated ones too. */
    struct yb_str kept;
};

/* Parts are in the order of their beginnings: parents before children; [0] is the message. */
struct yb_mime_tree {
    struct yb_mime_part *parts;
    uint32_t n;
    bool limited; /* a limit was met; the structure is true but coarser than the message's */
    bool dropped; /* fields beyond YB_MIME_FIELDS_MAX are not there */
};

/* A message on its way through the parser. It and the tree live in `arena`. */
struct yb_mime_reader;
struct yb_mime_reader *yb_mime_reader_new(struct yb_arena *arena) YB_MUST_USE;
void yb_mime_reader_feed(struct yb_mime_reader *r, struct yb_str piece);
/* The message is over; one cut short (its header only) is fine. Frees what is not in the arena. */
void yb_mime_reader_end(struct yb_mime_reader **r, struct yb_mime_tree *out);
/* Gives up half-way. NULL is fine. */
void yb_mime_reader_free(struct yb_mime_reader **r);

/* All at once. */
void yb_mime_tree_parse(struct yb_str message, struct yb_arena *arena, struct yb_mime_tree *out);

/* The value of a field, folded as it is; p == NULL: not there. */
struct yb_str yb_mime_part_field(const struct yb_mime_part *part, enum yb_mime_field field);
/* Is the part treated as this type? In any case of letters (RFC 2045 §5.1). */
bool yb_mime_type_is(const struct yb_mime_part *part, const char *type, const char *subtype);

/*
 * The part IMAP calls path[0].path[1]… (RFC 3501 §6.4.5; RFC 9051 §6.4.5.1): in a message that is
 * no multipart, 1 is its body. YB_MIME_NO_PART when there is none. With n == 0 the message.
 */
uint32_t yb_mime_find(const struct yb_mime_tree *tree, const uint32_t *path, size_t n);

enum yb_mime_section {
    YB_MIME_SECTION_BODY,   /* BODY[path]: the body; without path the whole message */
    YB_MIME_SECTION_MIME,   /* BODY[path.MIME]: the part's header */
    YB_MIME_SECTION_HEADER, /* BODY[path.HEADER], of the message or of a message/rfc822 part */
    YB_MIME_SECTION_TEXT    /* BODY[path.TEXT], likewise */
};

/* The bytes [*start, *end) of a section; false when there is no such section. */
bool yb_mime_section_find(const struct yb_mime_tree *tree, const uint32_t *path, size_t n,
                          enum yb_mime_section section, uint64_t *start, uint64_t *end) YB_MUST_USE;

#endif
