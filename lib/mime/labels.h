/*
 * Labels of charsets, as mail and IMAP write them. The table is kept by hand: all labels of the
 * WHATWG Encoding Standard (https://encoding.spec.whatwg.org/#names-and-labels) but "x-user-defined"
 * and "hz-gb-2312", which iconv does not know, and "iso-2022-cn" and "iso-2022-cn-ext", which it reads
 * differently in pieces (the Standard reads none of the latter three); and labels of mail programs
 * behind them: code pages by number, and Japanese ones. They mean what the Standard takes them for
 * (ISO-8859-1 is Windows-1252, GB2312 is GB18030, Shift_JIS is CP932 …), with two differences:
 * US-ASCII says nothing of a text that is more than ASCII, and ISO-2022-KR, which the Standard gives
 * up, is read.
 */
#ifndef YB_MIME_LABELS_H
#define YB_MIME_LABELS_H

#include "lib/base/str.h"

enum yb_charset_how {
    YB_CHARSET_UTF8,
    YB_CHARSET_UNNAMED, /* no charset is told: japanese.h */
    YB_CHARSET_JIS,     /* ISO-2022-JP */
    YB_CHARSET_EUC_JP,
    YB_CHARSET_ICONV
};

struct yb_charset_kind {
    enum yb_charset_how how;
    const char *iconv; /* what iconv_open() is asked for; of YB_CHARSET_ICONV */
};

/* In any case of ASCII letters, with spaces around it. No label is YB_CHARSET_UNNAMED; an unknown
 * one is NULL. */
const struct yb_charset_kind *yb_charset_kind_of(struct yb_str label);

#endif
