/*
 * Charsets: first byte which, second where to cut. Whole, in pieces and by bytes are alike, and
 * UTF-8. Folded text is UTF-8 without ASCII capitals.
 */
#include "lib/mime/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
convert(struct yb_str name, struct yb_str in, size_t step, struct yb_buf *out)
{
    struct yb_charset *c = yb_charset_open(name);

    yb_assert(c != NULL);
    while (in.n > 0) {
        yb_assert(yb_charset_feed(c, yb_str_head(in, step), out, NULL) == 0);
        in = yb_str_skip(in, step < in.n ? step : in.n);
    }
    yb_assert(yb_charset_end(c, out, NULL) == 0);
    yb_charset_close(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct yb_str names[] = {
        YB_STR_INIT("utf-8"),   YB_STR_INIT("iso-8859-1"),  YB_STR_INIT("iso-2022-jp"),
        YB_STR_INIT("gb18030"), YB_STR_INIT("shift_jis"),   YB_STR_INIT("euc-jp"),
        YB_STR_INIT("big5"),    YB_STR_INIT("euc-kr"),      YB_STR_INIT("tis-620"),
        YB_STR_INIT("utf-16"),  YB_STR_INIT("iso-2022-kr"), YB_STR_INIT("windows-1258"),
        YB_STR_INIT(""),        YB_STR_INIT("koi8-u"),      YB_STR_INIT("iso-2022-jp-2"),
    };
    struct yb_str in = yb_str_skip(yb_str((const char *)data, size), 2), name;
    struct yb_buf *whole = yb_buf_new(64 * size + 64), *other = yb_buf_new(64 * size + 64);

    if (size >= 2) {
        name = names[data[0] % YB_COUNT(names)];
        convert(name, in, in.n, whole);
        yb_assert(yb_str_utf8(yb_buf_view(whole)));
        convert(name, in, (size_t)data[1] + 1, other);
        yb_assert(yb_str_eq(yb_buf_view(whole), yb_buf_view(other)));
        yb_buf_clear(other);
        convert(name, in, 1, other);
        yb_assert(yb_str_eq(yb_buf_view(whole), yb_buf_view(other)));
        yb_buf_clear(other);
        yb_assert(yb_text_fold(yb_buf_view(whole), other, NULL) == 0);
        yb_assert(yb_str_utf8(yb_buf_view(other)));
        for (size_t i = 0; i < yb_buf_size(other); i++)
            yb_assert(yb_buf_view(other).p[i] < 'A' || yb_buf_view(other).p[i] > 'Z');
    }
    yb_buf_free(&whole);
    yb_buf_free(&other);
    return 0;
}
