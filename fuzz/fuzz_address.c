/*
 * SMTP paths, bare addresses, domain names: what is accepted has no control in it, is written again
 * and parsed to the same, and the rest is the end of the input.
 */
#include "lib/mime/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_printable(struct yb_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
            return false;
    }
    return yb_str_utf8(s);
}

static bool
is_same(const struct yb_address *a, const struct yb_address *b)
{
    return yb_str_eq(a->local, b->local) && yb_str_eq(a->domain, b->domain) && a->null == b->null &&
           a->no_domain == b->no_domain && a->literal == b->literal && a->percent == b->percent &&
           a->bang == b->bang && a->at == b->at;
}

static bool
is_reverse(enum yb_path_kind kind)
{
    return kind == YB_PATH_REVERSE || kind == YB_PATH_REVERSE_FOREIGN;
}

/* What the strict kind takes, the foreign one reads alike; what only the foreign one takes is odd. */
static void
check_foreign(struct yb_str in, enum yb_path_kind strict, struct yb_arena *arena)
{
    enum yb_path_kind foreign =
        strict == YB_PATH_REVERSE ? YB_PATH_REVERSE_FOREIGN : YB_PATH_FORWARD_FOREIGN;
    struct yb_address a, b;
    struct yb_str rest;
    bool is_strict = yb_path_parse(in, strict, true, arena, &a, &rest, NULL) == 0;

    if (yb_path_parse(in, foreign, true, arena, &b, &rest, NULL) < 0)
        yb_assert(!is_strict);
    else
        yb_assert(is_strict ? is_same(&a, &b) && !b.odd_local && !b.odd_domain
                            : b.odd_local || b.odd_domain);
}

static void
check_path(struct yb_str in, enum yb_path_kind kind, bool utf8, struct yb_arena *arena)
{
    struct yb_address a, again;
    struct yb_str rest, text;
    struct yb_err err = { 0 };

    if (yb_path_parse(in, kind, utf8, arena, &a, &rest, &err) < 0) {
        yb_assert(err.class == YB_PERM && err.status[0] == '5');
        return;
    }
    yb_assert(rest.p + rest.n == in.p + in.n && (rest.n == 0 || rest.p[0] == ' '));
    yb_assert(is_printable(a.local) && is_printable(a.domain) && yb_str_ascii(a.domain));
    yb_assert(utf8 || (yb_str_ascii(a.local) && !a.utf8));
    yb_assert(!a.null || is_reverse(kind));
    yb_assert((a.domain.n == 0) == (a.null || a.no_domain));
    yb_assert(a.local.n <= YB_LOCAL_MAX || is_reverse(kind));
    text = yb_address_write(&a, arena);
    text = yb_arena_printf(arena, "<%.*s>", YB_STR_ARG(text));
    /* A-labels are longer than what they were written as, and an odd local part gets quotes. */
    if (text.n <= YB_PATH_MAX &&
        (!a.odd_local || is_reverse(kind) || a.local.n + 2 <= YB_LOCAL_MAX))
        yb_assert(yb_path_parse(text, kind, true, arena, &again, &rest, &err) == 0 &&
                  is_same(&a, &again));
    yb_assert(yb_str_utf8(yb_address_fold(a.local, arena)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str in = yb_str((const char *)data, size), domain, again;
    struct yb_arena *arena = yb_arena_new(4096);
    struct yb_address a, b;

    check_path(in, YB_PATH_FORWARD, true, arena);
    check_path(in, YB_PATH_FORWARD, false, arena);
    check_path(in, YB_PATH_REVERSE, true, arena);
    check_path(in, YB_PATH_REVERSE_FOREIGN, true, arena);
    check_path(in, YB_PATH_FORWARD_FOREIGN, true, arena);
    check_foreign(in, YB_PATH_REVERSE, arena);
    check_foreign(in, YB_PATH_FORWARD, arena);
    if (yb_address_parse(in, arena, &a, NULL) == 0 && a.domain.n < 180)
        yb_assert(yb_address_parse(yb_address_write(&a, arena), arena, &b, NULL) == 0 &&
                  is_same(&a, &b));
    if (yb_domain_normal(in, arena, &domain, NULL) == 0)
        yb_assert(yb_domain_normal(domain, arena, &again, NULL) == 0 && yb_str_eq(domain, again));
    yb_assert(yb_address_fold(in, arena).p != NULL);
    yb_arena_free(&arena);
    return 0;
}
