/*
 * The values of Content-Type and Content-Disposition (RFC 2045 §5.1, RFC 2183): a word or two and
 * parameters. Of one that is written in sections (RFC 2231 §3: `filename*0=`, `filename*1=`, in any
 * order) there is one, as servers are asked to tell it (§6): `filename` with all of its value, or,
 * when a section is encoded, `filename*`, whose value has charset and language before it and is
 * encoded as a whole, since only the reader knows what it can show. Sections that do not begin with 0,
 * or are behind a gap, stay as they are. Pure functions; strings point into the value or into the
 * arena.
 */
#ifndef YB_MIME_CONTENT_H
#define YB_MIME_CONTENT_H

#include "lib/base/arena.h"

struct yb_mime_param {
    struct yb_str name, value; /* the value without quotes and folding */
    struct yb_mime_param *next;
};

struct yb_mime_content {
    struct yb_str type, subtype; /* as written; of a disposition only `type` */
    struct yb_mime_param *params;
};

#define YB_MIME_PARAMS_MAX 200 /* further ones are left out */

/*
 * Senders forget quotes (`boundary=----=_Part_1`, `name=my file.pdf`): an unquoted value goes up to
 * the next ';' or comment. False when it does not begin with type "/" subtype; *out is empty then.
 */
bool yb_mime_content_type(struct yb_str value, struct yb_arena *arena,
                          struct yb_mime_content *out) YB_MUST_USE;
/* The same for a disposition, which is one word. */
bool yb_mime_disposition(struct yb_str value, struct yb_arena *arena,
                         struct yb_mime_content *out) YB_MUST_USE;
/*
 * The value of the first parameter of that name (any case); p == NULL when there is none. An encoded
 * one (`name*`) counts when there is no other; its octets are given as they are in its charset.
 */
struct yb_str yb_mime_param_find(const struct yb_mime_content *content, struct yb_str name,
                                 struct yb_arena *arena) YB_MUST_USE;

/* The one word of Content-Transfer-Encoding, without comments; empty when there is none. */
struct yb_str yb_mime_word(struct yb_str value);

#endif
