/*
 * Japanese as it is written: what glibc's ISO-2022-JP and EUC-JP refuse or read otherwise is
 * everyday mail. Both lead to the characters of Windows (CP932), with NEC's row 13 and IBM's
 * characters as NEC placed them (rows 89 to 92), so that a text is the same characters whichever of
 * the encodings it came in.
 *
 * ISO-2022-JP is read with half-width katakana by escape sequence, by SO and SI, and in eight bits
 * (CP50220 to CP50222), with JIS X 0212 (ISO-2022-JP-1), and JIS X 0213's first plane as far as it
 * is JIS X 0208; other octets above 127 are Shift_JIS, which is what wrong labels hide. A sequence
 * that designates none of these is U+FFFD, and reading goes on behind its ESC. A line end changes
 * nothing: lines are folded in the middle of Japanese, too.
 */
#ifndef YB_MIME_JAPANESE_H
#define YB_MIME_JAPANESE_H

#include "lib/base/buf.h"

enum yb_japanese_kind {
    YB_JAPANESE_JIS, /* ISO-2022-JP */
    YB_JAPANESE_EUC, /* EUC-JP */
    /* Text that names no charset: UTF-8, and ISO-2022-JP where its escape sequences are. */
    YB_JAPANESE_UNNAMED
};

struct yb_japanese; /* a conversion under way; one thread at a time */

/* NULL: iconv's modules are not installed. */
struct yb_japanese *yb_japanese_open(enum yb_japanese_kind kind) YB_MUST_USE;
void yb_japanese_close(struct yb_japanese **j);
/* As yb_charset_feed() and yb_charset_end(). */
int yb_japanese_feed(struct yb_japanese *j, struct yb_str in, struct yb_buf *out,
                     struct yb_err *err) YB_MUST_USE;
int yb_japanese_end(struct yb_japanese *j, struct yb_buf *out, struct yb_err *err) YB_MUST_USE;

/* Does the text hold an escape sequence of ISO-2022-JP that begins something else than ASCII? */
bool yb_japanese_escapes(struct yb_str text);

#endif
