#include "lib/mime/raw.h"

#include "lib/mime/japanese.h"

/* Are more of the octets above 127 in characters of UTF-8 than not? */
static bool
is_mostly_utf8(struct yb_str s)
{
    size_t good = 0, bad = 0;

    while (s.n > 0) {
        size_t size = yb_utf8_size(s);

        if (size > 1 && size <= s.n)
            good += size;
        else if (((unsigned char)s.p[0] & 0x80) != 0)
            bad++;
        s = yb_str_skip(s, size > 1 && size <= s.n ? size : 1);
    }
    return good >= bad;
}

static bool
is_between(char c, unsigned char from, unsigned char to)
{
    return (unsigned char)c >= from && (unsigned char)c <= to;
}

/* Octets of the character of EUC-JP that s begins with; 0: it is none. */
static size_t
euc_size(struct yb_str s)
{
    if (((unsigned char)s.p[0] & 0x80) == 0)
        return 1;
    if (s.p[0] == '\x8e')
        return s.n > 1 && is_between(s.p[1], 0xa1, 0xdf) ? 2 : 0;
    if (s.p[0] == '\x8f')
        return s.n > 2 && is_between(s.p[1], 0xa1, 0xfe) && is_between(s.p[2], 0xa1, 0xfe) ? 3 : 0;
    return s.n > 1 && is_between(s.p[0], 0xa1, 0xfe) && is_between(s.p[1], 0xa1, 0xfe) ? 2 : 0;
}

/* The same of Shift_JIS. */
static size_t
sjis_size(struct yb_str s)
{
    if (((unsigned char)s.p[0] & 0x80) == 0 || is_between(s.p[0], 0xa1, 0xdf))
        return 1;
    return s.n > 1 && (is_between(s.p[0], 0x81, 0x9f) || is_between(s.p[0], 0xe0, 0xfc)) &&
                   (is_between(s.p[1], 0x40, 0x7e) || is_between(s.p[1], 0x80, 0xfc))
               ? 2
               : 0;
}

/*
 * All of it is, and two characters follow each other whose first octet is a kana's or a common kanji's:
 * in European text these octets are pairs of capitals with accents (EUC), or quotes and dashes at
 * whose side a letter stands and no other of them (Shift_JIS).
 */
static bool
is_all(struct yb_str s, size_t (*size_of)(struct yb_str), unsigned char from, unsigned char to)
{
    unsigned run = 0, longest = 0;

    while (s.n > 0) {
        size_t size = size_of(s);

        if (size == 0)
            return false;
        run = size == 2 && is_between(s.p[0], from, to) ? run + 1 : 0;
        longest = run > longest ? run : longest;
        s = yb_str_skip(s, size);
    }
    return longest > 1;
}

struct yb_str
yb_mime_raw_charset(struct yb_str text)
{
    if (yb_str_ascii(text) || !yb_str_utf8(text)) {
        if (yb_japanese_escapes(text))
            return YB_STR("iso-2022-jp");
    }
    if (is_mostly_utf8(text))
        return YB_STR("us-ascii");
    if (is_all(text, euc_size, 0xa4, 0xcf))
        return YB_STR("euc-jp");
    if (is_all(text, sjis_size, 0x81, 0x9f))
        return YB_STR("shift_jis");
    return YB_STR("windows-1252");
}
