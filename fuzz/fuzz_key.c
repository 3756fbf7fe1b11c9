/*
 * Addresses of strangers becoming keys of the directory: local part, the first '@', domain. A key
 * taken apart and made into a key again is the same key, so nothing has two keys.
 */
#include "lib/directory/step.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str in = yb_str((const char *)data, size), key, again, local, domain;
    size_t at = yb_str_find(in, '@');
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_err err = { 0 };
    char room[YB_KEY_MAX], more[YB_KEY_MAX];

    if (yb_key_address(YB_KEY_RECIPIENT, yb_str_head(in, at), yb_str_skip(in, at + 1), room, arena,
                       &key, &err) == 0) {
        yb_assert(key.p == room && key.n <= YB_KEY_MAX);
        yb_key_split(key, &local, &domain);
        yb_assert(local.n > 0 && domain.n > 0);
        yb_assert(yb_key_address(YB_KEY_RECIPIENT, local, domain, more, arena, &again, &err) == 0);
        yb_assert(yb_str_eq(key, again));
    } else {
        yb_assert(err.class == YB_PERM);
    }
    yb_arena_free(&arena);
    return 0;
}
