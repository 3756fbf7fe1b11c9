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

#include "lib/base/buf.h"
#include "lib/store/keywordtable.h"

#define YB_KEYWORDS_FILE "yubin-keywords"
#define YB_KEYWORD_FILE_MOST ((size_t)4 << 20) /* what is behind is not read */

/* RFC 3501's atom, and short. */
bool yb_keywordfile_fits(struct yb_str name);
/* From the file's text; letters in use without a line get their stand-in. With one reference. */
struct yb_keywords *yb_keywordfile_parse(struct yb_str text, uint32_t letters) YB_MUST_USE;
/* The file below dir_fd, or as if it were empty. -1: it cannot be read now. */
int yb_keywordfile_read(int dir_fd, uint32_t letters, struct yb_keywords **k,
                        struct yb_err *err) YB_MUST_USE;
/* Is it what lies there? */
bool yb_keywords_current(const struct yb_keywords *k, int dir_fd, uint32_t letters);
/* For who alone has it: a name or a set more, as a line in `lines`, too. Room was looked for. */
void yb_keywords_add_name(struct yb_keywords *k, size_t number, struct yb_str name,
                          struct yb_buf *lines);
const struct yb_keyword_set *yb_keywords_add_set(struct yb_keywords *k, uint32_t number,
                                                 const struct yb_keyword_bits *bits,
                                                 struct yb_buf *lines);
/* The first line of a file. */
void yb_keywordfile_begin(struct yb_buf *lines);

#endif
