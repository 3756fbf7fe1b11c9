/*
 * Texts as SEARCH compares them: decoded to UTF-8 and folded (lib/mime), so that a search is one
 * for bytes, exact for every language (RFC 3501 §6.4.4). Pure functions.
 */
#ifndef IMAPD_TEXT_H
#define IMAPD_TEXT_H

#include "lib/base/arena.h"

/* What is searched for: well-formed UTF-8. */
struct yb_str imapd_text_needle(struct yb_str text, struct yb_arena *arena) YB_MUST_USE;
/* A header field's value: unfolded, encoded words decoded. */
struct yb_str imapd_text_header(struct yb_str value, struct yb_arena *arena) YB_MUST_USE;
/* Runs of spaces and tabs as one space: those of a header are as its folding left them, and a tab is
 * seen by nobody. For header and needle alike. */
struct yb_str imapd_text_squeeze(struct yb_str text, struct yb_arena *arena) YB_MUST_USE;

#endif
