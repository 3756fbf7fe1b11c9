#include "lib/mime/charset.h"

#include "lib/mime/convert.h"
#include "lib/mime/japanese.h"
#include "lib/mime/labels.h"

#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#define FOLD_RUN 4096

struct yb_charset {
    struct yb_japanese *japanese; /* NULL: it goes by `convert` */
    struct yb_convert convert;
};

bool
yb_charset_is_utf8(struct yb_str name)
{
    const struct yb_charset_kind *kind = yb_charset_kind_of(name);

    return kind != NULL && kind->how == YB_CHARSET_UTF8;
}

bool
yb_charset_is_plain(struct yb_str name, struct yb_str text)
{
    const struct yb_charset_kind *kind = yb_charset_kind_of(name);

    return kind != NULL && (kind->how == YB_CHARSET_UTF8 || kind->how == YB_CHARSET_UNNAMED) &&
           yb_ascii_run(text) == text.n &&
           (kind->how == YB_CHARSET_UTF8 || yb_str_find(text, '\x1b') == text.n);
}

struct yb_charset *
yb_charset_open(struct yb_str name)
{
    const struct yb_charset_kind *kind = yb_charset_kind_of(name);
    struct yb_charset *c;
    bool ok = false;

    if (kind == NULL)
        return NULL;
    c = yb_alloc(1, sizeof(*c));
    switch (kind->how) {
    case YB_CHARSET_UTF8:
    case YB_CHARSET_ICONV:
        ok = yb_convert_open(&c->convert, kind->iconv) == 0;
        break;
    case YB_CHARSET_UNNAMED:
        c->japanese = yb_japanese_open(YB_JAPANESE_UNNAMED);
        ok = c->japanese != NULL;
        break;
    case YB_CHARSET_JIS:
        c->japanese = yb_japanese_open(YB_JAPANESE_JIS);
        ok = c->japanese != NULL;
        break;
    case YB_CHARSET_EUC_JP:
        c->japanese = yb_japanese_open(YB_JAPANESE_EUC);
        ok = c->japanese != NULL;
        break;
    }
    if (ok)
        return c;
    yb_free(c); /* its module is not installed */
    return NULL;
}

void
yb_charset_close(struct yb_charset **c)
{
    if (*c == NULL)
        return;
    if ((*c)->japanese != NULL)
        yb_japanese_close(&(*c)->japanese);
    else
        yb_convert_close(&(*c)->convert);
    yb_free(*c);
    *c = NULL;
}

int
yb_charset_feed(struct yb_charset *c, struct yb_str in, struct yb_buf *out, struct yb_err *err)
{
    return c->japanese != NULL ? yb_japanese_feed(c->japanese, in, out, err)
                               : yb_convert_feed(&c->convert, in, out, err);
}

int
yb_charset_end(struct yb_charset *c, struct yb_buf *out, struct yb_err *err)
{
    return c->japanese != NULL ? yb_japanese_end(c->japanese, out, err)
                               : yb_convert_end(&c->convert, out, err);
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
