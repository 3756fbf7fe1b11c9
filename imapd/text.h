/*
 * Texts as SEARCH compares them: decoded to UTF-8 and case-folded, so that a search is one for bytes,
 * exact for every language (RFC 3501 §6.4.4). Pure functions; results live in the arena.
 */
#ifndef IMAPD_TEXT_H
#define IMAPD_TEXT_H

#include "lib/base/arena.h"
#include "lib/mime/tree.h"

/* What is searched for. Of well-formed UTF-8. */
struct yb_str imapd_text_needle(struct yb_str text, struct yb_arena *arena) YB_MUST_USE;
/* A header field's value: unfolded, encoded words decoded. */
struct yb_str imapd_text_header(struct yb_str value, struct yb_arena *arena) YB_MUST_USE;
/* All of a header: every field as "name: value", one a line. */
struct yb_str imapd_text_headers(struct yb_str header, struct yb_arena *arena) YB_MUST_USE;
/* The body of a part with text in it, transfer encoding and charset decoded; empty for others. */
struct yb_str imapd_text_part(struct yb_str message, const struct yb_mime_part *part,
                              struct yb_arena *arena) YB_MUST_USE;

#endif
