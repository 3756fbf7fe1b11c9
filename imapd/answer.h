/*
 * The pieces that IMAP answers are made of (RFC 3501 §9), appended to a buffer. Bytes from messages
 * and names go out as quoted strings where they may, else as literals, so that nothing in them can
 * be taken for protocol.
 */
#ifndef IMAPD_ANSWER_H
#define IMAPD_ANSWER_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/mime/date.h"
#include "lib/store/store.h"

/* "{n}" and the line end: n octets follow. */
void imapd_put_literal_head(struct yb_buf *b, uint64_t n);
/* A quoted string, or a literal for 8-bit bytes, line ends and long texts. NUL, which neither may
 * hold, becomes '?'. */
void imapd_put_string(struct yb_buf *b, struct yb_str s);
/* The same; NIL when s.p is NULL. */
void imapd_put_nstring(struct yb_buf *b, struct yb_str s);
/* A mailbox name (UTF-8) in modified UTF-7. */
void imapd_put_mailbox(struct yb_buf *b, struct yb_str name, struct yb_arena *arena);

/* "(\Seen $Label)" of a record, its keywords by the mailbox's (NULL: none can be told). `recent` adds
 * \Recent. */
void imapd_put_flags(struct yb_buf *b, const struct yb_record *r,
                     const struct yb_keywords *keywords, bool recent);
/* All that a mailbox has, and "\*" when there may be `more`. */
void imapd_put_all_flags(struct yb_buf *b, const struct yb_keywords *keywords, bool more);
/* A quoted INTERNALDATE, in the zone that the date names. */
void imapd_put_date(struct yb_buf *b, struct yb_date date);

#endif
