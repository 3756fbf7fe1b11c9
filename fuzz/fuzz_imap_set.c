/* Sequence sets: resolved, written and read again they hold the same numbers. */
#include "imapd/lex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
named(const struct imapd_set *s, uint32_t star, uint32_t number)
{
    for (size_t i = 0; i < s->n; i++) {
        uint32_t a = s->v[i].lo == IMAPD_STAR ? star : s->v[i].lo;
        uint32_t b = s->v[i].hi == IMAPD_STAR ? star : s->v[i].hi;

        if (number >= (a < b ? a : b) && number <= (a < b ? b : a))
            return true;
    }
    return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_arena *arena = yb_arena_new(4096);
    struct imapd_lex l = { .in = yb_str((const char *)data, size), .arena = arena };
    struct imapd_set s, raw, again;
    struct yb_buf *b = yb_buf_new(1 << 20);
    struct imapd_set_writer w = { .out = b };
    uint32_t star = 40;

    if (imapd_lex_set(&l, &s)) {
        raw = s;
        raw.v = yb_arena_alloc(arena, s.n, sizeof(*s.v));
        memcpy(raw.v, s.v, s.n * sizeof(*s.v));
        imapd_set_resolve(&s, star);
        for (uint32_t i = 1; i < 80; i++) {
            yb_assert(imapd_set_has(&s, i) == named(&raw, star, i));
            if (imapd_set_has(&s, i))
                imapd_set_add(&w, i);
        }
        imapd_set_end(&w);
        for (size_t i = 1; i < s.n; i++)
            yb_assert(s.v[i].lo > s.v[i - 1].hi + 1);
        l = (struct imapd_lex){ .in = yb_buf_view(b), .arena = arena };
        if (l.in.n > 0) {
            yb_assert(imapd_lex_set(&l, &again) && l.at == l.in.n);
            imapd_set_resolve(&again, star);
            for (uint32_t i = 1; i < 80; i++)
                yb_assert(imapd_set_has(&again, i) == imapd_set_has(&s, i));
        }
    }
    yb_buf_free(&b);
    yb_arena_free(&arena);
    return 0;
}
