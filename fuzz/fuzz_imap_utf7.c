/* Modified UTF-7: what decodes is UTF-8 and encodes to the same bytes; whatever encodes decodes. */
#include "imapd/match.h"
#include "imapd/utf7.h"

#define MATCHED 256 /* octets of names that are matched */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_arena *arena = yb_arena_new(4096);
    struct yb_str in = yb_str((const char *)data, size), out, wire;

    if (imapd_utf7_decode(in, arena, &out)) {
        yb_assert(yb_str_utf8(out));
        yb_assert(yb_str_eq(imapd_utf7_encode(out, arena), in));
    }
    wire = imapd_utf7_encode(in, arena);
    yb_assert(yb_str_ascii(wire) && imapd_utf7_decode(wire, arena, &out));
    if (yb_str_utf8(in))
        yb_assert(yb_str_eq(out, in));
    /* A name matches itself, and '*' everything; that takes as many steps as pattern times name. */
    if (size > 0 && size < MATCHED) {
        yb_assert(imapd_match(YB_STR("*"), in));
        yb_assert(imapd_match(in, in));
    }
    yb_arena_free(&arena);
    return 0;
}
