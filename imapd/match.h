/* Patterns of LIST and LSUB (RFC 3501 §6.3.8) over names in UTF-8. Pure. */
#ifndef IMAPD_MATCH_H
#define IMAPD_MATCH_H

#include "lib/base/str.h"

#define IMAPD_PATTERN_MAX 1024 /* bytes; a longer pattern matches nothing */

/* '*' stands for anything, '%' for anything without '/'; all else for itself, but "INBOX" as a
 * whole first level in any case. Time is the product of both lengths. */
bool imapd_match(struct yb_str pattern, struct yb_str name);

#endif
