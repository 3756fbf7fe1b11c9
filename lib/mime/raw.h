/* Which charset header text is in that says nothing of it: raw octets, as many senders write them.
 * Pure. */
#ifndef YB_MIME_RAW_H
#define YB_MIME_RAW_H

#include "lib/base/str.h"

/*
 * A label that charset.h knows. ISO-2022-JP is told by its escape sequences, UTF-8 when more of the
 * octets above 127 are UTF-8 than not; EUC-JP and Shift_JIS only when all of the text is, and shows
 * what no other text does by chance. What is none of these is Windows-1252, in which every search for
 * the ASCII letters around still finds them.
 */
struct yb_str yb_mime_raw_charset(struct yb_str text) YB_MUST_USE;

#endif
