#include "imapd/text.h"

#include "lib/mime/charset.h"
#include "lib/mime/content.h"
#include "lib/mime/header.h"
#include "lib/mime/transfer.h"
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

void
imapd_text_add_headers(struct yb_str header, struct yb_buf *out, struct yb_arena *arena)
{
    struct yb_header h;

    while (yb_header_next(&header, &h)) {
        yb_buf_add(out, fold(h.name, arena));
        yb_buf_add(out, YB_STR(": "));
        yb_buf_add(out, imapd_text_header(h.value, arena));
        yb_buf_add_c(out, '\n');
    }
}

/* Transfer encoding and charset of one part, folded into `out`. Most texts are neither encoded nor
 * more than ASCII: they are not copied on the way. */
static int
add_decoded(struct yb_str text, struct yb_transfer transfer, struct yb_str charset,
            struct yb_buf *out, struct yb_err *err)
{
    struct yb_buf *raw = yb_buf_new(TEXT_MAX), *utf8 = yb_buf_new(TEXT_MAX);
    struct yb_charset *c = NULL;
    int rc = 0;

    if (transfer.kind != YB_TRANSFER_IDENTITY) {
        if (yb_transfer_feed(&transfer, text, raw, err) < 0 ||
            yb_transfer_end(&transfer, raw, err) < 0)
            rc = -1;
        text = yb_buf_view(raw);
    }
    if (!yb_charset_is_utf8(charset) || yb_ascii_run(text) < text.n)
        c = yb_charset_open(charset);
    if (rc == 0 && c != NULL) {
        if (yb_charset_feed(c, text, utf8, err) < 0 || yb_charset_end(c, utf8, err) < 0)
            rc = -1;
        text = yb_buf_view(utf8);
    }
    if (rc == 0)
        rc = yb_text_fold(text, out, err);
    yb_charset_close(&c);
    yb_buf_free(&utf8);
    yb_buf_free(&raw);
    return rc;
}

void
imapd_text_add_part(struct yb_str message, const struct yb_mime_part *part, struct yb_buf *out,
                    struct yb_arena *arena)
{
    struct yb_str body = yb_str(message.p + part->body, (size_t)(part->end - part->body));
    struct yb_mime_content content = { 0 };
    struct yb_str charset = { 0 };
    enum yb_transfer_kind kind = YB_TRANSFER_IDENTITY;
    struct yb_err err = { 0 };

    if (part->kind != YB_MIME_LEAF || !yb_str_eqi(part->type, YB_STR("text")))
        return;
    if (part->fields[YB_MIME_TYPE].p != NULL &&
        yb_mime_content_type(part->fields[YB_MIME_TYPE], arena, &content))
        charset = yb_mime_param_find(&content, YB_STR("charset"));
    if (part->fields[YB_MIME_ENCODING].p != NULL)
        kind = yb_transfer_kind(part->fields[YB_MIME_ENCODING]);
    /* What does not fit is not searched; the limit is beyond any message. */
    (void)add_decoded(body, yb_transfer_begin(kind), charset, out, &err);
}
