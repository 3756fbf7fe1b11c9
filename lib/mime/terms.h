/*
 * The words that a name is found by: what stands between blanks and punctuation, folded (NFKC, full case
 * folding, katakana as hiragana). Scripts that are written without blanks (Han, kana, Hangul, Thai and its
 * neighbours) give a word at each character, of what follows in the same run: whoever looks for a
 * part of a name begins anywhere. A search by how words begin, of what the same function made of what is
 * looked for, finds them.
 */
#ifndef YB_MIME_TERMS_H
#define YB_MIME_TERMS_H

#include "lib/base/arena.h"

#define YB_TERMS_MOST 48   /* words of one text: what comes later is not found by */
#define YB_TERM_RUN 12     /* characters of a word that begins inside a run */
#define YB_TERM_OCTETS 64  /* of a word; what is longer is cut between characters */
#define YB_TERMS_TEXT 1000 /* octets that are looked at */

struct yb_terms {
    size_t n;
    struct yb_str v[YB_TERMS_MOST]; /* each once */
};

/* Adds the words of a text; what is not UTF-8 gives none. */
void yb_terms_add(struct yb_terms *t, struct yb_str text, struct yb_arena *arena);
/* The same of a text that somebody looks for: a run is one word. */
void yb_terms_wanted(struct yb_terms *t, struct yb_str text, struct yb_arena *arena);
/* A text that is greater, in the order of octets, than every other that begins with `prefix` (which may be
 * empty): what begins with it is between the two. */
struct yb_str yb_terms_behind(struct yb_str prefix, struct yb_arena *arena) YB_MUST_USE;

#endif
