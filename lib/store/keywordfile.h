/*
 * `yubin-keywords`: what the letters in file names stand for, and the sets of keywords that a K= names.
 * Lines of text, each with the checksum of what stands before it:
 *
 *   yubin-keywords 2 <sum>           the first line; 2 is the version
 *   a $Forwarded <sum>               a letter and its keyword; the first 26 keywords have one
 *   26 Later <sum>                   a number from 26 on and its keyword
 *   K=7 26,31 <sum>                  a set: numbers, ascending
 *
 * It is truth, like yubin-uid: lines are appended, under the account's lock, and synced before the
 * first name that needs them. Where a line is lost the keyword is called "unknown-a", "unknown-26" or
 * (all of a set) "unknown-set-7", and what was lost is given to no other.
 */

#ifndef YB_STORE_KEYWORDFILE_H
#define YB_STORE_KEYWORDFILE_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/map.h"
#include "lib/store/store.h"

#include <stdatomic.h>

#define YB_KEYWORDS_FILE "yubin-keywords"
#define YB_LETTERS 26
#define YB_LETTER_BITS ((1u << YB_LETTERS) - 1)
#define YB_KEYWORD_BYTES 100
#define YB_KEYWORDS_MOST 2048                  /* keywords of a mailbox */
#define YB_KEYWORD_SETS_MOST 16384             /* combinations of those without a letter */
#define YB_KEYWORD_FILE_MOST ((size_t)4 << 20) /* what is behind is not read */

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
    struct yb_str *names; /* by number, room for all; empty: nobody's */
    size_t n, n_named;    /* above the highest number with a name; how many have one */
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

/* RFC 3501's atom, and short. */
bool yb_keywordfile_fits(struct yb_str name);
/* From the file's text; letters in use without a line get their stand-in. With one reference. */
struct yb_keywords *yb_keywordfile_parse(struct yb_str text, uint32_t letters) YB_MUST_USE;
/* The file below dir_fd, or as if it were empty. -1: it cannot be read now. */
int yb_keywordfile_read(int dir_fd, uint32_t letters, struct yb_keywords **k,
                        struct yb_err *err) YB_MUST_USE;
/* Is it what lies there? */
bool yb_keywords_current(const struct yb_keywords *k, int dir_fd, uint32_t letters);
/* One reference more. */
const struct yb_keywords *yb_keywords_ref(const struct yb_keywords *k) YB_MUST_USE;
/* The set of a number; NULL: lost. */
const struct yb_keyword_set *yb_keywords_set(const struct yb_keywords *k, uint32_t number);
/* The set of these members, or NULL. */
const struct yb_keyword_set *yb_keywords_set_of(const struct yb_keywords *k,
                                                const struct yb_keyword_bits *bits);

/* For who alone has it: a name or a set more, as a line in `lines`, too. Room was looked for. */
void yb_keywords_add_name(struct yb_keywords *k, size_t number, struct yb_str name,
                          struct yb_buf *lines);
const struct yb_keyword_set *yb_keywords_add_set(struct yb_keywords *k, uint32_t number,
                                                 const struct yb_keyword_bits *bits,
                                                 struct yb_buf *lines);
/* The first line of a file. */
void yb_keywordfile_begin(struct yb_buf *lines);

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
