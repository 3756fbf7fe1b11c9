#include "imapd/text.h"

#include "lib/base/buf.h"
#include "lib/mime/charset.h"
#include "lib/mime/words.h"

#define TEXT_MAX ((size_t)1 << 30) /* more than any message decodes to */

static struct yb_str
fold(struct yb_str utf8, struct yb_arena *arena)
{
    struct yb_buf *b = yb_buf_new(TEXT_MAX);
    struct yb_err err = { 0 };
    struct yb_str out;

    out = yb_arena_dup(arena, yb_text_fold(utf8, b, &err) == 0 ? yb_buf_view(b) : utf8);
    yb_buf_free(&b);
    return out;
}

struct yb_str
imapd_text_needle(struct yb_str text, struct yb_arena *arena)
{
    return fold(text, arena);
}

struct yb_str
imapd_text_header(struct yb_str value, struct yb_arena *arena)
{
    return fold(yb_str_trim(yb_mime_words_decode(value, arena)), arena);
}

struct yb_str
imapd_text_squeeze(struct yb_str text, struct yb_arena *arena)
{
    char *to;
    size_t n = 0;

    if (yb_str_find(text, '\t') == text.n && yb_str_find_str(text, YB_STR("  ")) == text.n)
        return text;
    to = yb_arena_alloc(arena, text.n, 1);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i] == '\t' ? ' ' : text.p[i];

        if (c != ' ' || n == 0 || to[n - 1] != ' ')
            to[n++] = c;
    }
    return yb_str(to, n);
}
