/*
 * Frames and the configuration source inside one: whatever the bytes, what is cut off lies inside
 * the input, and a source that decodes encodes to the same bytes.
 */
#include "lib/daemon/conf.h"
#include "lib/daemon/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_source(struct yb_str body)
{
    struct yb_err err = { 0 };
    struct yb_conf_source *s = yb_conf_source_decode(body, &err);
    struct yb_buf *again = yb_buf_new(body.n + 1);

    if (s != NULL) {
        yb_conf_source_encode(s, again);
        /* Paths are C strings there: a NUL in one ends it. */
        yb_assert(yb_buf_size(again) <= body.n);
        if (yb_str_find(body, '\0') == body.n)
            yb_assert(yb_str_eq(yb_buf_view(again), body));
    }
    yb_conf_source_free(&s);
    yb_buf_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str in = yb_str((const char *)data, size), before = in;
    struct yb_err err = { 0 };
    struct yb_frame f;

    while (yb_frame_cut(&in, 4096, &f, &err) == 1) {
        yb_assert(in.n + YB_FRAME_HEAD + f.body.n == before.n);
        yb_assert(f.body.p == before.p + YB_FRAME_HEAD);
        check_source(f.body);
        before = in;
    }
    check_source(yb_str((const char *)data, size));
    return 0;
}
