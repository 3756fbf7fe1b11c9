/*
 * Text of any charset as UTF-8, and UTF-8 in the form in which it is searched. Charsets are a
 * closed list (labels.h): the label comes from strangers and never reaches iconv_open(). How
 * Japanese is read: japanese.h.
 */
#ifndef YB_MIME_CHARSET_H
#define YB_MIME_CHARSET_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"

struct yb_charset; /* a conversion under way; one thread at a time */

/* NULL when the charset is unknown. An empty name is us-ascii, which reads UTF-8 and the escape
 * sequences of ISO-2022-JP, too: what is labelled so was not looked at. */
struct yb_charset *yb_charset_open(struct yb_str name) YB_MUST_USE;
/* True for the names of UTF-8 itself. */
bool yb_charset_is_utf8(struct yb_str name);
/* True when a conversion of the text, from its beginning, would change nothing. Quickly; it is false
 * for some texts of which that is true. */
bool yb_charset_is_plain(struct yb_str name, struct yb_str text);
void yb_charset_close(struct yb_charset **c);
/*
 * Appends the next piece as UTF-8; a sequence cut in two waits for the next piece, what is not in
 * the charset becomes U+FFFD. The pieces never change the result. -1 when the buffer's limit is
 * met.
 */
int yb_charset_feed(struct yb_charset *c, struct yb_str in, struct yb_buf *out,
                    struct yb_err *err) YB_MUST_USE;
/* The input is over: what still waits is U+FFFD. */
int yb_charset_end(struct yb_charset *c, struct yb_buf *out, struct yb_err *err) YB_MUST_USE;

/* All at once. False when the charset is unknown or the result is larger than `limit`. */
bool yb_charset_to_utf8(struct yb_str name, struct yb_str in, size_t limit, struct yb_arena *arena,
                        struct yb_str *out) YB_MUST_USE;

/*
 * Appends well-formed UTF-8 case-folded and in NFKC, so that a byte search is a search without case
 * and compatibility forms. Ill-formed bytes stay as they are. -1 when the buffer's limit is met.
 */
int yb_text_fold(struct yb_str utf8, struct yb_buf *out, struct yb_err *err) YB_MUST_USE;

#endif
