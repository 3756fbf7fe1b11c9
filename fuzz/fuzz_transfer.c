/* Transfer decoders: first byte the kind, second where to cut; whole, in two and by bytes are
 * alike. */
#include "lib/mime/transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct yb_str
decode(enum yb_transfer_kind kind, struct yb_str in, size_t step, struct yb_buf *out)
{
    struct yb_transfer t = yb_transfer_begin(kind);

    yb_buf_clear(out);
    while (in.n > 0) {
        yb_assert(yb_transfer_feed(&t, yb_str_head(in, step), out, NULL) == 0);
        in = yb_str_skip(in, step < in.n ? step : in.n);
    }
    yb_assert(yb_transfer_end(&t, out, NULL) == 0);
    return yb_buf_view(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum yb_transfer_kind kinds[] = { YB_TRANSFER_QUOTED_PRINTABLE, YB_TRANSFER_BASE64,
                                                   YB_TRANSFER_IDENTITY };
    struct yb_str in = yb_str_skip(yb_str((const char *)data, size), 2), whole;
    struct yb_buf *a = yb_buf_new(size + 1), *b = yb_buf_new(size + 1);
    enum yb_transfer_kind kind;

    if (size >= 2) {
        kind = kinds[data[0] % YB_COUNT(kinds)];
        whole = decode(kind, in, in.n, a);
        yb_assert(whole.n <= in.n);
        yb_assert(yb_str_eq(whole, decode(kind, in, 1, b)));
        yb_assert(yb_str_eq(whole, decode(kind, in, (size_t)data[1] + 1, b)));
    }
    yb_buf_free(&a);
    yb_buf_free(&b);
    return 0;
}
