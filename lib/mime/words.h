/*
 * Encoded words in header text (RFC 2047). Pure functions; results live in the arena.
 */
#ifndef YB_MIME_WORDS_H
#define YB_MIME_WORDS_H

#include "lib/base/arena.h"

/*
 * Header text (one line or folded) as UTF-8: encoded words decoded, white space between two of them
 * dropped, line ends dropped. Neighbours of one charset are decoded as one text, for senders cut
 * characters in two. A word that is none, or of an unknown charset, stays as it is. Always
 * well-formed UTF-8: what is not becomes U+FFFD. At most 4 times as long as the text.
 * Text outside of words that is more than ASCII is in the charset it looks like (raw.h).
 */
struct yb_str yb_mime_words_decode(struct yb_str text, struct yb_arena *arena) YB_MUST_USE;

/*
 * UTF-8 as header text: unchanged when it is printable ASCII without "=?"; else encoded words of at
 * most 75 characters with "\r\n " between them. `used` is how much of the first line is taken
 * already ("Subject: "). Ill-formed UTF-8 is encoded as U+FFFD.
 */
struct yb_str yb_mime_words_encode(struct yb_str utf8, size_t used,
                                   struct yb_arena *arena) YB_MUST_USE;

#endif
