/*
 * `yubin-keywords`: which keyword a letter in file names stands for. A line each,
 *
 *   a $Forwarded 0123456789abcdef        letter, name, checksum
 *
 * only ever appended, under flock() on the file, and synced before a name with the new letter is
 * made. A letter in use whose line is lost is called "unknown-<letter>", and never given to
 * another.
 */

#ifndef YB_STORE_KEYWORDFILE_H
#define YB_STORE_KEYWORDFILE_H

#include "lib/base/err.h"
#include "lib/base/str.h"

#define YB_KEYWORDS_FILE "yubin-keywords"
#define YB_LETTERS 26
#define YB_KEYWORD_BYTES 100

struct yb_keyword_names {
    char names[YB_LETTERS][YB_KEYWORD_BYTES + 1]; /* "": no line */
    size_t n;                                     /* letters given */
};

/* RFC 3501's atom, and short. */
bool yb_keywordfile_fits(struct yb_str name);
/* The file's lines; letters below `given` without one get their stand-in. */
int yb_keywordfile_read(int dir_fd, struct yb_keyword_names *k, size_t given,
                        struct yb_err *err) YB_MUST_USE;
/* The letter of a name; k->n when it has none. */
size_t yb_keywordfile_find(const struct yb_keyword_names *k, struct yb_str name);
/* Finds or makes the letter while the file is locked; *count tells how many letters there are now.
 */
int yb_keywordfile_letter(int dir_fd, int fd, struct yb_str name, size_t given, size_t *letter,
                          size_t *count, struct yb_err *err) YB_MUST_USE;

#endif
