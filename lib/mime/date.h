/*
 * Dates as mail writes them: RFC 5322 §3.3 (with the obsolete forms of §4.3) and IMAP's internal
 * date (RFC 3501 date-time). A moment is seconds since 1970 in UTC together with the offset it was
 * written in, because IMAP compares SENTBEFORE by the written day. Pure functions, no locale.
 */
#ifndef YB_MIME_DATE_H
#define YB_MIME_DATE_H

#include "lib/base/str.h"

struct yb_date {
    int64_t utc;    /* seconds since 1970 */
    int32_t offset; /* minutes east of UTC */
};

#define YB_DATE_TEXT 40          /* room for "Sun, 22 Nov 2026 02:44:25 +0000" and NUL */
#define YB_INTERNAL_DATE_TEXT 32 /* room for "22-Nov-2026 02:44:25 +0000" and NUL */

/*
 * The value of a Date field, folded or not, comments and all. The name of the day is not compared
 * with the date; a military or unknown zone, or none, counts as +0000. False: not a date.
 */
bool yb_date_parse(struct yb_str value, struct yb_date *out) YB_MUST_USE;
/* RFC 5322 form into out (YB_DATE_TEXT bytes); returns out. Years outside 0-9999 are brought to the
 * nearest moment inside. */
char *yb_date_format(struct yb_date date, char *out);

/* Exactly `17-Jul-1996 02:44:25 -0700`; one digit of a day with a space or zero before it, or, as
 * phones write it, with nothing. */
bool yb_internal_date_parse(struct yb_str text, struct yb_date *out) YB_MUST_USE;
/* The same form, always 26 characters, into out (YB_INTERNAL_DATE_TEXT bytes); returns out. */
char *yb_internal_date_format(struct yb_date date, char *out);

/* IMAP's `1-Feb-1994` of SEARCH: days since 1970. */
bool yb_search_date_parse(struct yb_str text, int64_t *day) YB_MUST_USE;
/* The day as it was written, in days since 1970. */
int64_t yb_date_day(struct yb_date date);

#endif
