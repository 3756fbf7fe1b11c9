#include "lib/mime/terms.h"

#include "lib/mime/charset.h"

#include <unictype.h>
#include <unistr.h>

/* What a character is to a word. */
enum sort { BETWEEN, LETTER, UNSPACED };

/* Blocks whose scripts have no blanks between words. */
static bool
is_unspaced(ucs4_t c)
{
    static const struct {
        ucs4_t from, to;
    } blocks[] = {
        { 0x0e00, 0x0eff },                     /* Thai, Lao */
        { 0x1000, 0x109f },                     /* Myanmar */
        { 0x1780, 0x17ff },                     /* Khmer */
        { 0x3005, 0x3007 },                     /* marks that repeat, zero */
        { 0x3041, 0x30ff },                     /* kana */
        { 0x31f0, 0x31ff },                     /* small katakana */
        { 0x3400, 0x4dbf },                     /* Han */
        { 0x4e00, 0x9fff }, { 0xac00, 0xd7a3 }, /* Hangul */
        { 0xf900, 0xfaff }, { 0x20000, 0x3ffff },
    };

    for (size_t i = 0; i < YB_COUNT(blocks); i++) {
        if (c >= blocks[i].from && c <= blocks[i].to)
            return true;
    }
    return false;
}

static enum sort
sort_of(ucs4_t c)
{
    if (c < 0x80)
        return yb_is_alpha((char)c) || yb_is_digit((char)c) ? LETTER : BETWEEN;
    if (!uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M |
                                                 UC_CATEGORY_MASK_N))
        return BETWEEN;
    return is_unspaced(c) ? UNSPACED : LETTER;
}

/* Folded, in the arena. Hiragana and katakana are two ways to write one thing. */
static struct yb_str
fold(struct yb_str text, struct yb_arena *arena)
{
    struct yb_buf *b = yb_buf_new(32 * YB_TERMS_TEXT); /* a character of 3 octets may become 18 */
    struct yb_str s;
    char *p;

    if (yb_text_fold(text, b, NULL) < 0)
        yb_buf_clear(b);
    s = yb_arena_dup(arena, yb_buf_view(b));
    yb_buf_free(&b);
    p = (char *)(uintptr_t)s.p;
    for (size_t i = 0; i < s.n;) {
        ucs4_t c;
        int len = u8_mbtoucr(&c, (const uint8_t *)p + i, s.n - i);

        if (len <= 0)
            return YB_STR("");
        if (c >= 0x30a1 && c <= 0x30f6) /* as long, 0x60 below */
            (void)u8_uctomb((uint8_t *)p + i, c - 0x60, 3);
        i += (size_t)len;
    }
    return s;
}

static void
put(struct yb_terms *t, struct yb_str word)
{
    size_t n = 0, size;

    while (n < word.n && (size = yb_utf8_size(yb_str_skip(word, n))) > 0 &&
           n + size <= YB_TERM_OCTETS)
        n += size;
    word = yb_str_head(word, n);
    for (size_t i = 0; i < t->n; i++) {
        if (yb_str_eq(t->v[i], word))
            return;
    }
    if (word.n > 0 && t->n < YB_TERMS_MOST)
        t->v[t->n++] = word;
}

/* A word at each character of the run, or one of it. */
static void
put_run(struct yb_terms *t, struct yb_str run, bool wanted)
{
    while (run.n > 0 && t->n < YB_TERMS_MOST) {
        size_t n = 0;

        for (size_t i = 0; i < YB_TERM_RUN && n < run.n; i++)
            n += yb_utf8_size(yb_str_skip(run, n));
        put(t, yb_str_head(run, n));
        if (wanted)
            return;
        run = yb_str_skip(run, yb_utf8_size(run));
    }
}

static void
add(struct yb_terms *t, struct yb_str text, bool wanted, struct yb_arena *arena)
{
    enum sort in = BETWEEN;
    size_t from = 0, i = 0;

    text = yb_str_head(text, YB_TERMS_TEXT);
    while (text.n > 0 && !yb_str_utf8(text) && text.n > YB_TERMS_TEXT - 4)
        text.n--; /* it was cut inside a character */
    if (!yb_str_utf8(text))
        return;
    text = fold(text, arena);
    while (i <= text.n) {
        enum sort now = BETWEEN;
        ucs4_t c;
        int len = i < text.n ? u8_mbtoucr(&c, (const uint8_t *)text.p + i, text.n - i) : 1;

        if (i < text.n)
            now = sort_of(c);
        if (now != in) {
            struct yb_str word = yb_str(text.p + from, i - from);

            if (in == UNSPACED)
                put_run(t, word, wanted);
            else if (in != BETWEEN)
                put(t, word);
            from = i;
            in = now;
        }
        i += (size_t)len;
    }
}

void
yb_terms_add(struct yb_terms *t, struct yb_str text, struct yb_arena *arena)
{
    add(t, text, false, arena);
}

void
yb_terms_wanted(struct yb_terms *t, struct yb_str text, struct yb_arena *arena)
{
    add(t, text, true, arena);
}

struct yb_str
yb_terms_behind(struct yb_str prefix, struct yb_arena *arena)
{
    static const char last[] = "\xf4\x8f\xbf\xbf"; /* U+10FFFF, which is no character */

    return yb_arena_printf(arena, "%.*s%s", YB_STR_ARG(prefix), last);
}
