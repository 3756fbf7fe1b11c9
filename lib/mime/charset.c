#include "lib/mime/charset.h"

#include <errno.h>
#include <iconv.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#define REPLACEMENT YB_STR("\xef\xbf\xbd") /* U+FFFD */
#define WAITING 16                         /* more than the longest sequence of any charset */
#define FOLD_RUN 4096

/* Label and what iconv is asked for. Sorted by family, looked up by walking: mails name few
 * charsets. */
/* clang-format off */
static const struct { struct yb_str label; const char *name; } charsets[] = {
    { YB_STR_INIT("utf-8"), "UTF-8" },           { YB_STR_INIT("us-ascii"), "UTF-8" },
    { YB_STR_INIT("utf8"), "UTF-8" },            { YB_STR_INIT("ascii"), "UTF-8" },
    { YB_STR_INIT("ansi_x3.4-1968"), "UTF-8" },  { YB_STR_INIT("unicode-1-1-utf-8"), "UTF-8" },
    { YB_STR_INIT("iso-8859-1"), "CP1252" },     { YB_STR_INIT("latin1"), "CP1252" },
    { YB_STR_INIT("iso8859-1"), "CP1252" },      { YB_STR_INIT("iso_8859-1"), "CP1252" },
    { YB_STR_INIT("windows-1252"), "CP1252" },   { YB_STR_INIT("cp1252"), "CP1252" },
    { YB_STR_INIT("windows-1250"), "CP1250" },   { YB_STR_INIT("cp1250"), "CP1250" },
    { YB_STR_INIT("windows-1251"), "CP1251" },   { YB_STR_INIT("cp1251"), "CP1251" },
    { YB_STR_INIT("windows-1253"), "CP1253" },   { YB_STR_INIT("windows-1254"), "CP1254" },
    { YB_STR_INIT("windows-1255"), "CP1255" },   { YB_STR_INIT("windows-1256"), "CP1256" },
    { YB_STR_INIT("windows-1257"), "CP1257" },   { YB_STR_INIT("windows-1258"), "CP1258" },
    { YB_STR_INIT("windows-874"), "CP874" },     { YB_STR_INIT("tis-620"), "CP874" },
    { YB_STR_INIT("iso-8859-2"), "ISO-8859-2" }, { YB_STR_INIT("iso-8859-3"), "ISO-8859-3" },
    { YB_STR_INIT("iso-8859-4"), "ISO-8859-4" }, { YB_STR_INIT("iso-8859-5"), "ISO-8859-5" },
    { YB_STR_INIT("iso-8859-6"), "ISO-8859-6" }, { YB_STR_INIT("iso-8859-7"), "ISO-8859-7" },
    { YB_STR_INIT("iso-8859-8"), "ISO-8859-8" }, { YB_STR_INIT("iso-8859-8-i"), "ISO-8859-8" },
    { YB_STR_INIT("iso-8859-9"), "CP1254" },     { YB_STR_INIT("iso-8859-10"), "ISO-8859-10" },
    { YB_STR_INIT("iso-8859-11"), "CP874" },     { YB_STR_INIT("iso-8859-13"), "ISO-8859-13" },
    { YB_STR_INIT("iso-8859-14"), "ISO-8859-14" }, { YB_STR_INIT("iso-8859-15"), "ISO-8859-15" },
    { YB_STR_INIT("iso-8859-16"), "ISO-8859-16" },
    { YB_STR_INIT("koi8-r"), "KOI8-R" },         { YB_STR_INIT("koi8-u"), "KOI8-U" },
    { YB_STR_INIT("ibm437"), "CP437" },          { YB_STR_INIT("cp437"), "CP437" },
    { YB_STR_INIT("ibm850"), "CP850" },          { YB_STR_INIT("cp850"), "CP850" },
    { YB_STR_INIT("ibm852"), "CP852" },          { YB_STR_INIT("cp852"), "CP852" },
    { YB_STR_INIT("ibm866"), "CP866" },          { YB_STR_INIT("cp866"), "CP866" },
    { YB_STR_INIT("macintosh"), "MACINTOSH" },   { YB_STR_INIT("viscii"), "VISCII" },
    { YB_STR_INIT("iso-2022-jp"), "ISO-2022-JP" }, { YB_STR_INIT("euc-jp"), "EUC-JP" },
    { YB_STR_INIT("shift_jis"), "CP932" },       { YB_STR_INIT("shift-jis"), "CP932" },
    { YB_STR_INIT("windows-31j"), "CP932" },     { YB_STR_INIT("cp932"), "CP932" },
    { YB_STR_INIT("gb2312"), "GB18030" },        { YB_STR_INIT("gbk"), "GB18030" },
    { YB_STR_INIT("gb18030"), "GB18030" },       { YB_STR_INIT("cp936"), "GB18030" },
    { YB_STR_INIT("big5"), "BIG5-HKSCS" },       { YB_STR_INIT("big5-hkscs"), "BIG5-HKSCS" },
    { YB_STR_INIT("euc-kr"), "UHC" },            { YB_STR_INIT("ks_c_5601-1987"), "UHC" },
    { YB_STR_INIT("cp949"), "UHC" },             { YB_STR_INIT("iso-2022-kr"), "ISO-2022-KR" },
    { YB_STR_INIT("utf-16"), "UTF-16" },
    { YB_STR_INIT("utf-16le"), "UTF-16LE" },     { YB_STR_INIT("utf-16be"), "UTF-16BE" },
};
/* clang-format on */

struct yb_charset {
    bool utf8;  /* UTF-8 itself is judged here: glibc lets characters beyond U+10FFFF pass */
    iconv_t cd; /* else */
    char waiting[WAITING]; /* the beginning of a sequence */
    size_t n_waiting;
};

/* What iconv is asked for, or NULL. */
static const char *
charset_known(struct yb_str name)
{
    if (name.n == 0)
        return "UTF-8";
    for (size_t i = 0; i < YB_COUNT(charsets); i++) {
        if (yb_str_eqi(name, charsets[i].label))
            return charsets[i].name;
    }
    return NULL;
}

bool
yb_charset_is_utf8(struct yb_str name)
{
    const char *known = charset_known(name);

    return known != NULL && strcmp(known, "UTF-8") == 0;
}

struct yb_charset *
yb_charset_open(struct yb_str name)
{
    const char *known = charset_known(name);
    struct yb_charset *c;
    bool utf8;
    iconv_t cd = NULL;

    if (known == NULL)
        return NULL;
    utf8 = strcmp(known, "UTF-8") == 0;
    if (!utf8 && (cd = iconv_open("UTF-8", known)) == (iconv_t)-1)
        return NULL; /* its module is not installed */
    c = yb_alloc(1, sizeof(*c));
    c->utf8 = utf8;
    c->cd = cd;
    return c;
}

void
yb_charset_close(struct yb_charset **c)
{
    if (*c == NULL)
        return;
    if (!(*c)->utf8)
        iconv_close((*c)->cd);
    yb_free(*c);
    *c = NULL;
}

/* The well-formed beginning of *in goes to `out`; returns as convert() does. */
static int
convert_utf8(struct yb_str *in, struct yb_buf *out, struct yb_err *err)
{
    size_t n = 0, size = 1;

    while ((n += yb_ascii_run(yb_str_skip(*in, n))) < in->n &&
           (size = yb_utf8_size(yb_str_skip(*in, n))) > 0 && size <= in->n - n)
        n += size;
    if (yb_buf_append(out, yb_str_head(*in, n), err) < 0)
        return -1;
    *in = yb_str_skip(*in, n);
    return size == 0;
}

/* Converts as much of *in as possible; what is left begins with an incomplete sequence (returns 0)
 * or an ill-formed one (1). -1: the buffer is full. */
static int
convert(struct yb_charset *c, struct yb_str *in, struct yb_buf *out, struct yb_err *err)
{
    char text[4096];

    if (c->utf8)
        return convert_utf8(in, out, err);
    for (;;) {
        /* iconv() takes char ** but does not write to the input */
        char *from = (char *)(uintptr_t)in->p, *to = text;
        size_t n_from = in->n, n_to = sizeof(text);
        size_t rc = iconv(c->cd, &from, &n_from, &to, &n_to);
        int why = rc == (size_t)-1 ? errno : 0;

        if (yb_buf_append(out, yb_str(text, sizeof(text) - n_to), err) < 0)
            return -1;
        *in = yb_str_skip(*in, in->n - n_from);
        if (why != E2BIG)
            return why == EILSEQ;
    }
}

/* One ill-formed byte becomes U+FFFD. */
static int
replace(struct yb_str *in, struct yb_buf *out, struct yb_err *err)
{
    *in = yb_str_skip(*in, 1);
    return yb_buf_append(out, REPLACEMENT, err);
}

/*
 * What waits gets byte after byte of the new piece until it is a sequence or none. Returns 0 with
 * *in past what was used, or -1.
 */
static int
complete_waiting(struct yb_charset *c, struct yb_str *in, struct yb_buf *out, struct yb_err *err)
{
    while (c->n_waiting > 0 && in->n > 0) {
        struct yb_str left;
        int rc;

        c->waiting[c->n_waiting++] = in->p[0];
        *in = yb_str_skip(*in, 1);
        left = yb_str(c->waiting, c->n_waiting);
        while ((rc = convert(c, &left, out, err)) == 1 || (rc == 0 && left.n == WAITING)) {
            if (replace(&left, out, err) < 0)
                return -1;
        }
        if (rc < 0)
            return -1;
        memmove(c->waiting, left.p, left.n);
        c->n_waiting = left.n;
    }
    return 0;
}

int
yb_charset_feed(struct yb_charset *c, struct yb_str in, struct yb_buf *out, struct yb_err *err)
{
    int rc;

    if (complete_waiting(c, &in, out, err) < 0)
        return -1;
    if (in.n == 0)
        return 0;
    while ((rc = convert(c, &in, out, err)) == 1 || (rc == 0 && in.n >= WAITING)) {
        if (replace(&in, out, err) < 0)
            return -1;
    }
    if (rc < 0)
        return -1;
    if (in.n > 0)
        memcpy(c->waiting, in.p, in.n);
    c->n_waiting = in.n;
    return 0;
}

int
yb_charset_end(struct yb_charset *c, struct yb_buf *out, struct yb_err *err)
{
    char text[64], *to = text;
    size_t n_to = sizeof(text);

    if (c->n_waiting > 0 && yb_buf_append(out, REPLACEMENT, err) < 0)
        return -1;
    c->n_waiting = 0;
    if (c->utf8)
        return 0;
    iconv(c->cd, NULL, NULL, &to,
          &n_to); /* what a stateful charset holds back, and its first state */
    return yb_buf_append(out, yb_str(text, sizeof(text) - n_to), err);
}

bool
yb_charset_to_utf8(struct yb_str name, struct yb_str in, size_t limit, struct yb_arena *arena,
                   struct yb_str *out)
{
    struct yb_charset *c = yb_charset_open(name);
    struct yb_buf *b;
    bool ok;

    if (c == NULL)
        return false;
    b = yb_buf_new(limit);
    ok = yb_charset_feed(c, in, b, NULL) == 0 && yb_charset_end(c, b, NULL) == 0;
    if (ok)
        *out = yb_arena_dup(arena, yb_buf_view(b));
    yb_buf_free(&b);
    yb_charset_close(&c);
    return ok;
}

static bool
is_high(char c)
{
    return ((unsigned char)c & 0x80) != 0;
}

/*
 * Length of the run of bytes above 127 at the start of s; one too long is cut where no composition
 * can be cut: before a character that combines with nothing before it.
 */
static size_t
high_run(struct yb_str s)
{
    size_t n = 0;

    while (n < s.n && is_high(s.p[n])) {
        ucs4_t ch;
        int len = u8_mbtoucr(&ch, (const uint8_t *)s.p + n, s.n - n);

        if (len > 0 && n >= FOLD_RUN &&
            (n >= 4 * FOLD_RUN || /* nothing but accents: the work grows faster than the run */
             (uc_combining_class(ch) == 0 &&
              (n >= 2 * FOLD_RUN || ch >= 0x1200 || ch < 0x1100)))) /* Hangul letters join */
            break;
        n += len > 0 ? (size_t)len : 1;
    }
    return n;
}

static int
fold_none(struct yb_str run, struct yb_buf *out, struct yb_err *err)
{
    char first = yb_lower(run.p[0]);

    if (yb_buf_append(out, yb_str(&first, 1), err) < 0)
        return -1;
    return yb_buf_append(out, yb_str_skip(run, 1), err);
}

/* Folds a run of bytes above 127 with the ASCII byte before it, if any; one that is not UTF-8
 * stays. */
static int
fold_run(struct yb_str run, struct yb_buf *out, struct yb_err *err)
{
    uint8_t room[256], *folded;
    size_t n = sizeof(room);
    int rc;

    if (!yb_str_utf8(run))
        return fold_none(run, out, err);
    folded = u8_casefold((const uint8_t *)run.p, run.n, NULL, UNINORM_NFKC, room, &n);
    if (folded == NULL)
        return fold_none(run, out, err);
    rc = yb_buf_append(out, yb_str((const char *)folded, n), err);
    if (folded != room)
        yb_free(folded);
    return rc;
}

/*
 * ASCII needs no library: a run of it is lower-cased by itself, but its last byte goes with the run
 * of other characters behind it, which may begin with an accent.
 */
int
yb_text_fold(struct yb_str utf8, struct yb_buf *out, struct yb_err *err)
{
    while (utf8.n > 0) {
        size_t n = yb_ascii_run(utf8), high = 0;
        char *to;

        if (n < utf8.n)
            high = high_run(yb_str_skip(utf8, n));
        n -= high > 0 && n > 0;
        to = yb_buf_room(out, n);
        if (to == NULL) /* says so */
            return yb_buf_append(out, yb_str_head(utf8, n), err);
        yb_lower_bytes(to, utf8.p, n);
        yb_buf_wrote(out, n);
        utf8 = yb_str_skip(utf8, n);
        if (high == 0)
            continue;
        high += !is_high(utf8.p[0]);
        if (fold_run(yb_str_head(utf8, high), out, err) < 0)
            return -1;
        utf8 = yb_str_skip(utf8, high);
    }
    return 0;
}
