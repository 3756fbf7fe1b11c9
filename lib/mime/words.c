#include "lib/mime/words.h"

#include "lib/base/buf.h"
#include "lib/base/id.h"
#include "lib/base/io.h"
#include "lib/mime/charset.h"
#include "lib/mime/raw.h"
#include "lib/mime/transfer.h"

#define WORD_MAX 75 /* RFC 2047 §2 */
#define WORD_FRAME                                                                                 \
    (sizeof("=?utf-8?B?"                                                                           \
            "?=") -                                                                                \
     1)
#define LINE_MAX 76
#define KEPT_CHARSETS 4
/* Of one text: beyond that words of further charsets stay as they are. Nobody writes in so many. */
#define OPENED_CHARSETS 32
#define ROOM_MIN 36 /* a word on a line that is nearly full: longer than 76, shorter than 998 */

struct word {
    struct yb_str charset; /* without a language (RFC 2231 §5) */
    char encoding;         /* 'B' or 'Q' */
    struct yb_str text;
    size_t size; /* of the whole word */
};

static bool
is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Up to `sep`, all printable ASCII without spaces; false when it is not there. */
static bool
take_until(struct yb_str *s, char sep, struct yb_str *out)
{
    size_t n = 0;

    while (n < s->n && s->p[n] > ' ' && s->p[n] < 127 && s->p[n] != sep)
        n++;
    if (n == s->n || s->p[n] != sep)
        return false;
    *out = yb_str_head(*s, n);
    *s = yb_str_skip(*s, n + 1);
    return true;
}

/* The encoded word at the start of s. */
static bool
take_word(struct yb_str s, struct word *w)
{
    struct yb_str rest = yb_str_skip(s, 2), encoding;

    if (!yb_str_starts(s, YB_STR("=?")) || !take_until(&rest, '?', &w->charset) ||
        !take_until(&rest, '?', &encoding) || !take_until(&rest, '?', &w->text) || rest.n == 0 ||
        rest.p[0] != '=' || encoding.n != 1)
        return false;
    w->encoding = yb_upper(encoding.p[0]);
    w->charset = yb_str_head(w->charset, yb_str_find(w->charset, '*'));
    w->size = s.n - rest.n + 1;
    return w->encoding == 'B' || w->encoding == 'Q';
}

/* The bytes a word stands for. */
static void
word_bytes(const struct word *w, struct yb_buf *out)
{
    struct yb_transfer t = yb_transfer_begin(YB_TRANSFER_BASE64);

    if (w->encoding == 'B') {
        (void)!yb_transfer_feed(&t, w->text, out, NULL);
        return;
    }
    for (size_t i = 0; i < w->text.n; i++) {
        char c = w->text.p[i];
        uint8_t byte;

        if (c == '=' && yb_unhex(yb_str_head(yb_str_skip(w->text, i + 1), 2), &byte, 1)) {
            yb_buf_add_c(out, (char)byte);
            i += 2;
        } else {
            yb_buf_add_c(out, c == '_' ? ' ' : c);
        }
    }
}

static size_t
white_run(struct yb_str s)
{
    size_t n = 0;

    while (n < s.n && is_white(s.p[n]))
        n++;
    return n;
}

/* The charsets of one text. To open one takes far longer than to decode a word. */
struct charsets {
    struct yb_charset *open[KEPT_CHARSETS]; /* those used lately */
    struct yb_str names[KEPT_CHARSETS];
    size_t next; /* to be replaced */
    unsigned opened;
};

/* NULL: it is unknown, or one too many. */
static struct yb_charset *
charset_get(struct charsets *c, struct yb_str name)
{
    for (size_t i = 0; i < KEPT_CHARSETS; i++) {
        if (c->open[i] != NULL && yb_str_eqi(c->names[i], name))
            return c->open[i];
    }
    if (c->opened == OPENED_CHARSETS)
        return NULL;
    c->opened++;
    c->next = (c->next + 1) % KEPT_CHARSETS;
    yb_charset_close(&c->open[c->next]);
    c->open[c->next] = yb_charset_open(name);
    c->names[c->next] = name;
    return c->open[c->next];
}

/*
 * Takes the words at the start of *text (there is one) that follow each other and share a charset,
 * and appends what they say. White space behind the last is taken if a word of another charset
 * follows. A word of an unknown charset is taken as it is.
 */
static void
take_words(struct yb_str *text, struct charsets *charsets, struct yb_buf *out)
{
    struct word first, w;
    struct yb_charset *charset;
    struct yb_buf *bytes;
    size_t gap = 0;

    (void)take_word(*text, &first);
    charset = charset_get(charsets, first.charset);
    if (charset == NULL) {
        yb_buf_add(out, yb_str_head(*text, first.size));
        *text = yb_str_skip(*text, first.size);
        return;
    }
    bytes = yb_buf_new(text->n);
    for (w = first;;) {
        word_bytes(&w, bytes);
        *text = yb_str_skip(*text, gap + w.size);
        gap = white_run(*text);
        if (!take_word(yb_str_skip(*text, gap), &w))
            break;
        if (!yb_str_eqi(w.charset, first.charset)) {
            *text = yb_str_skip(*text, gap);
            break;
        }
    }
    if (yb_charset_feed(charset, yb_buf_view(bytes), out, NULL) == 0)
        (void)!yb_charset_end(charset, out, NULL);
    yb_buf_free(&bytes);
}

/* Text between words: *raw, which is empty then. */
static void
put_raw(struct yb_buf *raw, struct charsets *charsets, struct yb_buf *out)
{
    struct yb_str text = yb_buf_view(raw);
    struct yb_charset *charset = NULL;

    if (!yb_charset_is_plain(yb_str(NULL, 0), text))
        charset = charset_get(charsets, yb_mime_raw_charset(text));
    if (charset == NULL)
        yb_buf_add(out, text);
    else if (yb_charset_feed(charset, text, out, NULL) == 0)
        (void)!yb_charset_end(charset, out, NULL);
    yb_buf_clear(raw);
}

struct yb_str
yb_mime_words_decode(struct yb_str text, struct yb_arena *arena)
{
    struct charsets charsets = { 0 };
    struct yb_buf *out, *raw;
    struct yb_str plain, all;

    if (yb_str_find_str(text, YB_STR("=?")) == text.n &&
        yb_charset_is_plain(yb_str(NULL, 0), text) && yb_str_find(text, '\n') == text.n)
        return text;
    out = yb_buf_new(4 * text.n + 16);
    raw = yb_buf_new(text.n);
    while (text.n > 0) {
        size_t n = yb_str_find_str(text, YB_STR("=?"));
        struct word word;

        if (n == 0 && take_word(text, &word)) {
            put_raw(raw, &charsets, out);
            take_words(&text, &charsets, out);
            continue;
        }
        n = n == 0 ? 2 : n; /* "=?" that begins no word */
        for (size_t i = 0; i < n && i < text.n; i++) {
            if (text.p[i] != '\r' && text.p[i] != '\n')
                yb_buf_add_c(raw, text.p[i]);
        }
        text = yb_str_skip(text, n);
    }
    put_raw(raw, &charsets, out);
    for (size_t i = 0; i < KEPT_CHARSETS; i++)
        yb_charset_close(&charsets.open[i]);
    all = yb_buf_view(out);
    if (yb_str_utf8(all) || !yb_charset_to_utf8(YB_STR("utf-8"), all, 4 * all.n, arena, &plain))
        plain = yb_arena_dup(arena, all);
    yb_buf_free(&raw);
    yb_buf_free(&out);
    return plain;
}

static bool
needs_encoding(struct yb_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c < ' ' || c >= 127)
            return true;
    }
    return yb_str_find_str(s, YB_STR("=?")) < s.n;
}

/* Bytes of the UTF-8 character at the start of well-formed s. */
static size_t
character_size(struct yb_str s)
{
    unsigned char c = (unsigned char)s.p[0];

    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* A byte that may stand for itself in a Q word anywhere in a header (RFC 2047 §5 (3)). */
static bool
is_q_plain(char c)
{
    return yb_is_alpha(c) || yb_is_digit(c) || c == '!' || c == '*' || c == '+' || c == '-' ||
           c == '/';
}

static size_t
q_size(struct yb_str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += is_q_plain(s.p[i]) || s.p[i] == ' ' ? 1 : 3;
    return n;
}

static size_t
encoded_size(struct yb_str s, bool base64)
{
    return base64 ? YB_BASE64_SIZE(s.n) - 1 : q_size(s);
}

/* `chunk` as one word. */
static void
put_word(struct yb_buf *out, struct yb_str chunk, bool base64)
{
    char text[YB_BASE64_SIZE(WORD_MAX)];

    yb_buf_printf(out, "=?utf-8?%c?", base64 ? 'B' : 'Q');
    if (base64)
        yb_buf_add(out, yb_str(text, yb_base64(chunk, text)));
    for (size_t i = 0; !base64 && i < chunk.n; i++) {
        if (is_q_plain(chunk.p[i]))
            yb_buf_add_c(out, chunk.p[i]);
        else if (chunk.p[i] == ' ')
            yb_buf_add_c(out, '_');
        else
            yb_buf_printf(out, "=%02X", (unsigned char)chunk.p[i]);
    }
    yb_buf_add(out, YB_STR("?="));
}

struct yb_str
yb_mime_words_encode(struct yb_str utf8, size_t used, struct yb_arena *arena)
{
    struct yb_buf *out;
    struct yb_str done;
    bool base64;

    if (!needs_encoding(utf8))
        return utf8;
    if (!yb_str_utf8(utf8) && !yb_charset_to_utf8(YB_STR("utf-8"), utf8, 4 * utf8.n, arena, &utf8))
        return yb_str("", 0);
    base64 = encoded_size(utf8, true) < q_size(utf8);
    out = yb_buf_new(16 * utf8.n + 64);
    while (utf8.n > 0) {
        size_t left = used >= LINE_MAX - ROOM_MIN ? ROOM_MIN : LINE_MAX - used;
        size_t room = left > WORD_MAX ? WORD_MAX : left;
        size_t n = 0, next = character_size(utf8);

        while (n + next <= utf8.n &&
               WORD_FRAME + encoded_size(yb_str_head(utf8, n + next), base64) <= room) {
            n += next;
            next = n < utf8.n ? character_size(yb_str_skip(utf8, n)) : 1;
        }
        put_word(out, yb_str_head(utf8, n), base64);
        utf8 = yb_str_skip(utf8, n);
        used = 1;
        if (utf8.n > 0)
            yb_buf_add(out, YB_STR("\r\n "));
    }
    yb_assert(!yb_buf_overflowed(out));
    done = yb_arena_dup(arena, yb_buf_view(out));
    yb_buf_free(&out);
    return done;
}
