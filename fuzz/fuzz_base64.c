/* Strict base64: what is decoded encodes to the same text but for unused bits of the last group. */
#include "lib/base/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str in = yb_str((const char *)data, size);
    uint8_t *bytes = yb_alloc(size + 1, 1), *again = yb_alloc(size + 1, 1);
    char *text = yb_alloc(YB_BASE64_SIZE(size), 1);
    size_t n, m;

    n = yb_base64(in, text);
    yb_assert(n + 1 == YB_BASE64_SIZE(size));
    yb_free(text);
    if (yb_unbase64(in, bytes, &n)) {
        yb_assert(n <= size / 4 * 3);
        text = yb_alloc(YB_BASE64_SIZE(n), 1);
        yb_assert(yb_base64(yb_str((const char *)bytes, n), text) == size);
        yb_assert(yb_unbase64(yb_str(text, size), again, &m) && m == n);
        yb_assert(memcmp(bytes, again, n) == 0);
        yb_free(text);
    }
    yb_free(bytes);
    yb_free(again);
    return 0;
}
