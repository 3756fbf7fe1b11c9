/*
 * Words that a name is found by: UTF-8 without blanks and capitals, each once, within their bounds; what
 * is looked for is found: each word of it, made alone, begins a word of the text itself.
 */
#include "lib/mime/terms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct yb_terms *t)
{
    for (size_t i = 0; i < t->n; i++) {
        yb_assert(t->v[i].n > 0 && t->v[i].n <= YB_TERM_OCTETS && yb_str_utf8(t->v[i]));
        for (size_t k = 0; k < t->v[i].n; k++)
            yb_assert((unsigned char)t->v[i].p[k] > ' ' &&
                      (t->v[i].p[k] < 'A' || t->v[i].p[k] > 'Z'));
        for (size_t k = 0; k < i; k++)
            yb_assert(!yb_str_eq(t->v[i], t->v[k]));
    }
}

static bool
finds(const struct yb_terms *t, struct yb_str word)
{
    for (size_t i = 0; i < t->n; i++) {
        if (yb_str_starts(t->v[i], word) || yb_str_starts(word, t->v[i]))
            return true;
    }
    return t->n == YB_TERMS_MOST;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str in = yb_str((const char *)data, size);
    struct yb_arena *arena = yb_arena_new(4096);
    struct yb_terms all = { .n = 0 }, wanted = { .n = 0 };

    yb_terms_add(&all, in, arena);
    yb_terms_wanted(&wanted, in, arena);
    check(&all);
    check(&wanted);
    for (size_t i = 0; i < wanted.n; i++)
        yb_assert(finds(&all, wanted.v[i]));
    if (wanted.n > 0) {
        struct yb_str behind = yb_terms_behind(wanted.v[0], arena);

        yb_assert(yb_str_cmp(wanted.v[0], behind) < 0 && yb_str_utf8(behind));
    }
    yb_arena_free(&arena);
    return 0;
}
