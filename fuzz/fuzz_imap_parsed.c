/*
 * A message as FETCH answers it: ENVELOPE, BODY and BODYSTRUCTURE are balanced and hold nothing
 * that could be taken for protocol; the cache's bytes give the same again. The same bytes read as a
 * cache are refused or harmless.
 */
#include "imapd/parsed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Passes over a literal's head and bytes. */
static size_t
skip_literal(struct yb_str s, size_t at)
{
    uint64_t n = 0;
    size_t close = at + yb_str_find(yb_str_skip(s, at), '}');

    yb_assert(close < s.n && yb_str_u64(yb_str(s.p + at + 1, close - at - 1), s.n, &n));
    yb_assert(close + 3 + n <= s.n && s.p[close + 1] == '\r' && s.p[close + 2] == '\n');
    return close + 3 + (size_t)n;
}

static void
check_balanced(struct yb_str s)
{
    unsigned depth = 0;
    size_t at = 0;

    while (at < s.n) {
        switch (s.p[at]) {
        case '"':
            for (at++; s.p[at] != '"'; at++) {
                if (s.p[at] == '\\')
                    at++;
                yb_assert(at + 1 < s.n && s.p[at] != '\r' && s.p[at] != '\n' && s.p[at] != '\0');
            }
            at++;
            continue;
        case '{':
            at = skip_literal(s, at);
            continue;
        case '(':
            depth++;
            break;
        case ')':
            yb_assert(depth-- > 0);
            break;
        default:
            yb_assert(s.p[at] >= ' ' && s.p[at] < 127);
            break;
        }
        at++;
        yb_assert(depth > 0 || at == s.n);
    }
    yb_assert(depth == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_arena *arena = yb_arena_new(4096);
    struct yb_str in = yb_str((const char *)data, size), bytes;
    struct imapd_parsed made, again;
    struct yb_mime_tree tree;

    yb_mime_tree_parse(in, arena, &tree);
    imapd_parsed_make(&tree, arena, &made);
    check_balanced(made.envelope);
    check_balanced(made.body);
    check_balanced(made.structure);
    bytes = imapd_parsed_encode(&made, arena);
    yb_assert(imapd_parsed_decode(bytes, arena, &again));
    yb_assert(yb_str_eq(made.structure, again.structure) && made.tree.n == again.tree.n);
    yb_assert(yb_str_eq(imapd_parsed_encode(&again, arena), bytes));
    if (imapd_parsed_decode(in, arena, &again))
        yb_assert(again.tree.n > 0);
    yb_arena_free(&arena);
    return 0;
}
