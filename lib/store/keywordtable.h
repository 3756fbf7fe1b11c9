/*
 * The keywords of a mailbox in memory, as `yubin-keywords` (keywordfile.h) tells them: the names of numbers
 * and the sets of them, found by number, name and members; and what a record's are called, those that
 * were lost by their stand-ins. What who shows keywords asks for stands in store.h.
 */
#ifndef YB_STORE_KEYWORDTABLE_H
#define YB_STORE_KEYWORDTABLE_H

#include "lib/base/arena.h"
#include "lib/base/map.h"
#include "lib/store/store.h"

#include <stdatomic.h>

#define YB_LETTERS 26
#define YB_LETTER_BITS ((1u << YB_LETTERS) - 1)
#define YB_KEYWORD_BYTES 100
#define YB_KEYWORDS_MOST 2048      /* keywords of a mailbox */
#define YB_KEYWORD_SETS_MOST 16384 /* combinations of those without a letter */

/* Numbers of keywords; the letters are 0 to 25. */
struct yb_keyword_bits {
    uint64_t w[YB_KEYWORDS_MOST / 64];
};

struct yb_keyword_set {
    uint32_t number;
    uint32_t n;
    const uint16_t *v; /* ascending, from 26 on */
};

/* The file as it was read. Immutable once others have it. */
struct yb_keywords {
    atomic_uint refs;
    struct yb_arena *arena;
    struct yb_str *names; /* by number: yb_keywords_named() */
    size_t n, n_named;    /* above the highest number with a name; how many have one */
    size_t names_room;
    struct yb_map *by_name;
    struct yb_keyword_set *sets; /* by number */
    size_t n_sets, sets_room;
    struct yb_map *by_members;
    uint32_t version; /* of the names */
    bool old, torn;   /* of the first form; the last line has no end */
    size_t broken;    /* lines that cannot be read */
    uint64_t size;    /* of the text */
    /* Which file that was, and which letters are in use (yb_keywords_current()). */
    uint64_t ino;
    int64_t mtime;
    uint32_t letters;
};

/* Empty, with one reference. */
struct yb_keywords *yb_keywords_new(void) YB_MUST_USE;
/* One reference more. */
const struct yb_keywords *yb_keywords_ref(const struct yb_keywords *k) YB_MUST_USE;
/* The name of a number; empty: nobody's. */
static inline struct yb_str
yb_keywords_named(const struct yb_keywords *k, size_t number)
{
    return number < k->n ? k->names[number] : yb_str("", 0);
}

/* The set of a number; NULL: lost. */
const struct yb_keyword_set *yb_keywords_set(const struct yb_keywords *k, uint32_t number);
/* The set of these members, or NULL. */
const struct yb_keyword_set *yb_keywords_set_of(const struct yb_keywords *k,
                                                const struct yb_keyword_bits *bits);

/* For who alone has it: the name of a number. */
void yb_keywords_put_name(struct yb_keywords *k, size_t number, struct yb_str name);
/* A set of n members, ascending, which are copied. */
const struct yb_keyword_set *yb_keywords_put_set(struct yb_keywords *k, uint32_t number,
                                                 const uint16_t *v, size_t n);
/* The members of a set: bits from 26 on. */
size_t yb_keywords_members(const struct yb_keyword_bits *bits, uint16_t v[YB_KEYWORDS_MOST]);
/* The name of a number that has one, or its stand-in. */
struct yb_str yb_keywords_name(const struct yb_keywords *k, size_t number,
                               char room[YB_KEYWORD_TEXT]);

static inline bool
yb_keyword_bit(const struct yb_keyword_bits *b, size_t number)
{
    return number < YB_KEYWORDS_MOST && (b->w[number / 64] >> number % 64 & 1) != 0;
}

static inline void
yb_keyword_bit_set(struct yb_keyword_bits *b, size_t number, bool on)
{
    uint64_t bit = (uint64_t)1 << number % 64;

    b->w[number / 64] = on ? b->w[number / 64] | bit : b->w[number / 64] & ~bit;
}

#endif
