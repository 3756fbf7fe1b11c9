/*
 * Header address lists. For showing: the list is as long as it says, groups are balanced, no string
 * holds a control. For deciding: every address of an accepted header is one that is shown, too.
 */
#include "lib/mime/addresses.h"
#include "lib/mime/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(struct yb_str s)
{
    for (size_t i = 0; i < s.n; i++)
        yb_assert((unsigned char)s.p[i] >= ' ' || s.p[i] == '\t');
}

static void
check_list(const struct yb_mime_addresses *list)
{
    const struct yb_mime_address *a = list->first;
    size_t n = 0, depth = 0;

    for (; a != NULL; a = a->next, n++) {
        check_text(a->name);
        check_text(a->route);
        check_text(a->local);
        check_text(a->domain);
        if (a->kind == YB_MIME_GROUP_START)
            depth++;
        if (a->kind == YB_MIME_GROUP_END)
            depth--;
        yb_assert(depth <= 1);
        yb_assert(list->broken || a->kind != YB_MIME_MAILBOX || (!a->no_domain && a->domain.n > 0));
    }
    yb_assert(n == list->n && (depth == 0 || list->n == YB_MIME_ADDRESSES_MAX));
}

/* True when the domain of `a`, in normal form, is that of a member of one of the From fields. */
static bool
is_shown(struct yb_str header, const struct yb_address *a, struct yb_arena *arena)
{
    struct yb_header h;

    while (yb_header_next(&header, &h)) {
        struct yb_mime_addresses list;

        if (!yb_str_eqi(h.name, YB_STR("from")))
            continue;
        yb_mime_addresses_parse(h.value, arena, &list);
        for (const struct yb_mime_address *m = list.first; m != NULL; m = m->next) {
            struct yb_str domain;

            if (yb_str_eq(m->local, a->local) &&
                (a->literal || (yb_domain_normal(m->domain, arena, &domain, NULL) == 0 &&
                                yb_str_eq(domain, a->domain))))
                return true;
        }
    }
    return false;
}

/* In the From fields that are no UTF-8: each is that of an address. */
static size_t
count_ats(struct yb_str header)
{
    struct yb_header h;
    size_t n = 0;

    while (yb_header_next(&header, &h)) {
        if (!yb_str_eqi(h.name, YB_STR("from")) || yb_str_utf8(h.value))
            continue;
        for (size_t i = 0; i < h.value.n; i++)
            n += h.value.p[i] == '@';
    }
    return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str in = yb_str((const char *)data, size);
    struct yb_arena *arena = yb_arena_new(16384);
    struct yb_mime_addresses list;
    struct yb_address_list from;

    yb_mime_addresses_parse(in, arena, &list);
    check_list(&list);
    if (yb_mime_from_addresses(in, arena, &from, NULL) == 0) {
        yb_assert(from.n > 0 && from.fields > 0);
        for (size_t i = 0; i < from.n; i++)
            yb_assert(from.addresses[i].domain.n > 0 && is_shown(in, &from.addresses[i], arena));
    }
    in = yb_arena_printf(arena, "From: %.*s", YB_STR_ARG(in));
    if (yb_mime_from_addresses(in, arena, &from, NULL) == 0) {
        yb_assert(is_shown(in, &from.addresses[0], arena));
        yb_assert(count_ats(in) <= from.n);
    }
    yb_arena_free(&arena);
    return 0;
}
