/*
 * Arguments of IMAP commands: the first byte chooses a parser, the rest is its input. Whatever the
 * bytes are, a parser ends, stays inside, and says why when it refuses; what is answered from an
 * argument (a section's label) is read again as the same.
 */
#include "imapd/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
inside(const struct imapd_lex *l)
{
    return l->at <= l->in.n;
}

static void
check_section(const struct imapd_section *s, struct yb_arena *arena)
{
    struct yb_str text = yb_arena_printf(arena, "1 %.*s", YB_STR_ARG(s->label));
    struct imapd_lex l = { .arena = arena };
    struct imapd_fetch again;

    if (s->partial)
        text = yb_arena_printf(arena, "%.*s.%u>", YB_STR_ARG(yb_str_head(text, text.n - 1)),
                               s->length);
    l.in = text;
    yb_assert(yb_str_find(text, '\r') == text.n && yb_str_find(text, '\n') == text.n);
    yb_assert(imapd_parse_fetch(&l, &again));
    yb_assert(again.n_sections == 1 && again.sections[0].text == s->text);
    if (yb_str_starts(s->label, YB_STR("BODY[")))
        yb_assert(yb_str_eq(again.sections[0].label, s->label));
}

static bool
try_fetch(struct imapd_lex *l)
{
    struct imapd_fetch f;

    if (!imapd_parse_fetch(l, &f))
        return false;
    for (size_t i = 0; i < f.n_sections && i < 4; i++)
        check_section(&f.sections[i], l->arena);
    return true;
}

static unsigned
depth_of(const struct imapd_key *k)
{
    unsigned depth = 0;

    for (const struct imapd_key *child = k->child; child != NULL; child = child->next) {
        unsigned of_child = depth_of(child);

        depth = of_child > depth ? of_child : depth;
    }
    return depth + 1;
}

static bool
try_search(struct imapd_lex *l)
{
    struct imapd_search s;

    if (!imapd_parse_search(l, &s))
        return false;
    yb_assert(s.n_keys <= IMAPD_SEARCH_KEYS && depth_of(s.root) <= IMAPD_SEARCH_DEPTH + 2);
    return true;
}

static bool
try_other(struct imapd_lex *l, unsigned which)
{
    union {
        struct imapd_store store;
        struct imapd_select select;
        struct imapd_status status;
        struct imapd_create create;
        struct imapd_list list;
        struct imapd_copy copy;
        struct imapd_append append;
        struct imapd_id id;
        struct yb_str root;
    } u;

    switch (which) {
    case 2:
        return imapd_parse_store(l, &u.store);
    case 3:
        return imapd_parse_select(l, &u.select);
    case 4:
        return imapd_parse_status(l, &u.status);
    case 5:
        return imapd_parse_list(l, &u.list);
    case 6:
        return imapd_parse_copy(l, &u.copy);
    case 7:
        return imapd_parse_append(l, &u.append);
    case 8:
        return imapd_parse_id(l, &u.id);
    case 9:
        return imapd_parse_lsub(l, &u.list);
    case 10:
        return imapd_parse_create(l, &u.create);
    default:
        return imapd_parse_setquota(l, &u.root);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_arena *arena = yb_arena_new(4096);
    struct imapd_lex l = { .arena = arena };
    bool ok;

    if (size > 0) {
        unsigned which = (unsigned)(data[0] - '0');

        l.in = yb_str((const char *)data + 1, size - 1);
        ok = which == 0 ? try_fetch(&l) : which == 1 ? try_search(&l) : try_other(&l, which);
        yb_assert(inside(&l));
        yb_assert(ok ? l.at == l.in.n || which == 7 : l.why != NULL);
    }
    yb_arena_free(&arena);
    return 0;
}
