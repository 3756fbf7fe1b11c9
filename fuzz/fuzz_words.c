/* Encoded words: decoding gives UTF-8 of bounded size; what is encoded decodes to the same. */
#include "lib/mime/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str in = yb_str((const char *)data, size), text, line;
    struct yb_arena *arena = yb_arena_new(16384);

    text = yb_mime_words_decode(in, arena);
    yb_assert(yb_str_utf8(text) && text.n <= 12 * size + 64);
    for (size_t used = 0; used < 90; used += 30) {
        struct yb_str encoded = yb_mime_words_encode(text, used, arena);

        yb_assert(yb_str_eq(yb_mime_words_decode(encoded, arena), text));
        if (!yb_str_eq(encoded, text)) {
            while (yb_str_split(&encoded, '\n', &line))
                yb_assert(line.n <= 78);
        }
    }
    yb_assert(yb_str_ascii(yb_mime_words_encode(in, 0, arena)));
    yb_arena_free(&arena);
    return 0;
}
