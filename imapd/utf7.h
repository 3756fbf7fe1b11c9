/*
 * Mailbox names as they cross the wire: modified UTF-7 (RFC 3501 §5.1.3) to UTF-8 and back. Pure
 * functions. Only the one canonical spelling of a name is taken, so that two spellings never name
 * two mailboxes.
 */
#ifndef IMAPD_UTF7_H
#define IMAPD_UTF7_H

#include "lib/base/arena.h"

/* UTF-8 in the arena. False (and *out untouched) for what no encoder writes: bytes outside
 * printable ASCII, a shift that is not closed, spare bits, lone surrogates, ASCII in a shift. */
bool imapd_utf7_decode(struct yb_str in, struct yb_arena *arena, struct yb_str *out) YB_MUST_USE;
/* Of well-formed UTF-8; other bytes become U+FFFD. */
struct yb_str imapd_utf7_encode(struct yb_str utf8, struct yb_arena *arena) YB_MUST_USE;

#endif
