/*
 * One conversion to UTF-8 by iconv, or of what should be UTF-8 already, piece by piece: what
 * charset.h and japanese.h are made of. A sequence cut in two waits for the next piece; what is
 * none becomes U+FFFD, `unit` octets at once. The value struct holds all state; one thread at a time.
 */
#ifndef YB_MIME_CONVERT_H
#define YB_MIME_CONVERT_H

#include "lib/base/buf.h"

#include <iconv.h>

#define YB_REPLACEMENT YB_STR("\xef\xbf\xbd") /* U+FFFD */
#define YB_CONVERT_WAITING 16                 /* more than the longest sequence of any charset */

struct yb_convert {
    bool utf8;  /* UTF-8 itself is judged here: glibc lets characters beyond U+10FFFF pass */
    iconv_t cd; /* else */
    char waiting[YB_CONVERT_WAITING]; /* the beginning of a sequence */
    size_t n_waiting;
    size_t unit; /* octets that one U+FFFD stands for: 1, unless whoever feeds it knows better */
};

/* `from` is iconv's name of a charset; NULL is UTF-8. -1: its module is not installed. */
int yb_convert_open(struct yb_convert *c, const char *from) YB_MUST_USE;
void yb_convert_close(struct yb_convert *c);
/* Appends the next piece. -1 when the buffer's limit is met. */
int yb_convert_feed(struct yb_convert *c, struct yb_str in, struct yb_buf *out,
                    struct yb_err *err) YB_MUST_USE;
/* The input is over: what still waits is U+FFFD. Then it is at its beginning again. */
int yb_convert_end(struct yb_convert *c, struct yb_buf *out, struct yb_err *err) YB_MUST_USE;

#endif
