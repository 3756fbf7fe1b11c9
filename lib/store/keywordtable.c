#include "lib/store/keywordtable.h"

#include "lib/store/sum.h"

#include <stdio.h>

#define SET_LOST "unknown-set-"
#define NAMES_BLOCK 512 /* for the usual names: each open mailbox keeps its own */

/* Keywords are the same in any case (RFC 3501 §2.3.2). */
static struct yb_str
fold(struct yb_str name, char room[YB_KEYWORD_BYTES])
{
    yb_lower_bytes(room, name.p, name.n);
    return yb_str(room, name.n);
}

static void *
as_value(size_t number)
{
    return (void *)(uintptr_t)(number + 1);
}

struct yb_keywords *
yb_keywords_new(void)
{
    struct yb_keywords *k = yb_alloc(1, sizeof(*k));

    atomic_init(&k->refs, 1);
    k->arena = yb_arena_new(NAMES_BLOCK);
    k->by_name = yb_map_new();
    k->by_members = yb_map_new();
    return k;
}

/* Who has it in common changes nothing but the count. */
static struct yb_keywords *
counted(const struct yb_keywords *k)
{
    return (struct yb_keywords *)(uintptr_t)k;
}

const struct yb_keywords *
yb_keywords_ref(const struct yb_keywords *k)
{
    atomic_fetch_add(&counted(k)->refs, 1);
    return k;
}

void
yb_keywords_release(const struct yb_keywords **keywords)
{
    struct yb_keywords *k = counted(*keywords);

    *keywords = NULL;
    if (k == NULL || atomic_fetch_sub(&k->refs, 1) != 1)
        return;
    yb_arena_free(&k->arena);
    yb_map_free(&k->by_name);
    yb_map_free(&k->by_members);
    yb_free(k->names);
    yb_free(k->sets);
    yb_free(k);
}

/* Room for names up to this number; most mailboxes have a handful, and each open one keeps them. */
static void
names_grow(struct yb_keywords *k, size_t number)
{
    size_t before = k->names_room;

    if (number < before)
        return;
    k->names_room = number < 2 * before ? 2 * before : (number / 8 + 1) * 8;
    k->names = yb_realloc(k->names, k->names_room, sizeof(*k->names));
    memset(k->names + before, 0, (k->names_room - before) * sizeof(*k->names));
}

void
yb_keywords_put_name(struct yb_keywords *k, size_t number, struct yb_str name)
{
    char room[YB_KEYWORD_BYTES];
    struct yb_str key = fold(name, room);

    names_grow(k, number);
    k->n_named += k->names[number].n == 0;
    k->names[number] = yb_arena_dup(k->arena, name);
    if (number >= k->n)
        k->n = number + 1;
    if (yb_map_get(k->by_name, key) == NULL) /* of two with one name the first is meant */
        yb_map_put(k->by_name, key, as_value(number));
    k->version = (uint32_t)yb_sum_with(name.p, name.n, k->version + number);
}

static struct yb_str
members_key(const uint16_t *v, size_t n)
{
    return yb_str((const char *)v, n * sizeof(*v));
}

const struct yb_keyword_set *
yb_keywords_put_set(struct yb_keywords *k, uint32_t number, const uint16_t *v, size_t n)
{
    uint16_t *own = yb_arena_alloc(k->arena, n, sizeof(*own));

    if (k->n_sets == k->sets_room) {
        k->sets_room = k->sets_room * 2 + 16;
        k->sets = yb_realloc(k->sets, k->sets_room, sizeof(*k->sets));
    }
    memcpy(own, v, n * sizeof(*own));
    k->sets[k->n_sets] = (struct yb_keyword_set){ number, (uint32_t)n, own };
    yb_map_put(k->by_members, members_key(own, n), as_value(number));
    return &k->sets[k->n_sets++];
}

const struct yb_keyword_set *
yb_keywords_set(const struct yb_keywords *k, uint32_t number)
{
    size_t low = 0, high = k->n_sets;

    while (low < high) {
        size_t at = low + (high - low) / 2;

        if (k->sets[at].number < number)
            low = at + 1;
        else
            high = at;
    }
    return low < k->n_sets && k->sets[low].number == number ? &k->sets[low] : NULL;
}

size_t
yb_keywords_members(const struct yb_keyword_bits *bits, uint16_t v[YB_KEYWORDS_MOST])
{
    size_t n = 0;

    for (size_t i = YB_LETTERS; i < YB_KEYWORDS_MOST; i++) {
        if (yb_keyword_bit(bits, i))
            v[n++] = (uint16_t)i;
    }
    return n;
}

const struct yb_keyword_set *
yb_keywords_set_of(const struct yb_keywords *k, const struct yb_keyword_bits *bits)
{
    uint16_t v[YB_KEYWORDS_MOST];
    size_t n = yb_keywords_members(bits, v);
    uintptr_t found = (uintptr_t)yb_map_get(k->by_members, members_key(v, n));

    return found == 0 ? NULL : yb_keywords_set(k, (uint32_t)(found - 1));
}

/* --- what who shows keywords wants to know --- */

uint32_t
yb_keywords_version(const struct yb_keywords *k)
{
    return k->version;
}

bool
yb_keywords_full(const struct yb_keywords *k)
{
    return k->n_named >= YB_KEYWORDS_MOST;
}

size_t
yb_keywords_octets(const struct yb_keywords *k)
{
    size_t octets = 0;

    for (size_t i = 0; i < k->n; i++)
        octets += k->names[i].n > 0 ? k->names[i].n + 1 : 0;
    return octets;
}

bool
yb_keywords_next(const struct yb_keywords *k, size_t *at, struct yb_str *name)
{
    while (*at < k->n) {
        *name = k->names[(*at)++];
        if (name->n > 0)
            return true;
    }
    return false;
}

/* Stand-ins that no line has: numbers above all others. */
#define LOST_SETS ((uint64_t)1 << 32)
#define UNKNOWN "unknown-"

uint64_t
yb_keywords_find(const struct yb_keywords *k, struct yb_str name)
{
    char room[YB_KEYWORD_BYTES];
    struct yb_str digits;
    uintptr_t found;
    uint64_t number;

    if (name.n == 0 || name.n > YB_KEYWORD_BYTES)
        return YB_KEYWORD_NONE;
    found = (uintptr_t)yb_map_get(k->by_name, fold(name, room));
    if (found != 0)
        return found - 1;
    name = fold(name, room);
    digits = yb_str_skip(name, strlen(SET_LOST));
    if (yb_str_starts(name, YB_STR(SET_LOST)) && yb_str_u64(digits, UINT32_MAX, &number) &&
        yb_keywords_set(k, (uint32_t)number) == NULL)
        return LOST_SETS + number;
    digits = yb_str_skip(name, strlen(UNKNOWN));
    if (yb_str_starts(name, YB_STR(UNKNOWN)) && yb_str_u64(digits, YB_KEYWORDS_MOST - 1, &number) &&
        number >= YB_LETTERS && yb_keywords_named(k, (size_t)number).n == 0)
        return number;
    return YB_KEYWORD_NONE;
}

static bool
set_has(const struct yb_keyword_set *s, uint64_t number)
{
    size_t low = 0, high = s->n;

    while (low < high) {
        size_t at = low + (high - low) / 2;

        if (s->v[at] < number)
            low = at + 1;
        else
            high = at;
    }
    return low < s->n && s->v[low] == number;
}

bool
yb_keywords_has(const struct yb_keywords *k, const struct yb_record *r, uint64_t number)
{
    const struct yb_keyword_set *s;

    if (number < YB_LETTERS)
        return (r->keywords >> number & 1) != 0;
    if (r->keyword_set == 0 || number == YB_KEYWORD_NONE)
        return false;
    s = yb_keywords_set(k, r->keyword_set);
    return s == NULL ? number == LOST_SETS + r->keyword_set : set_has(s, number);
}

struct yb_str
yb_keywords_name(const struct yb_keywords *k, size_t number, char room[YB_KEYWORD_TEXT])
{
    int n;

    if (yb_keywords_named(k, number).n > 0)
        return k->names[number];
    n = number < YB_LETTERS ? snprintf(room, YB_KEYWORD_TEXT, UNKNOWN "%c", (char)('a' + number))
                            : snprintf(room, YB_KEYWORD_TEXT, UNKNOWN "%zu", number);
    return yb_str(room, (size_t)n);
}

bool
yb_keywords_of(const struct yb_keywords *k, const struct yb_record *r, size_t *at,
               char room[YB_KEYWORD_TEXT], struct yb_str *name)
{
    const struct yb_keyword_set *s;

    for (; *at < YB_LETTERS; (*at)++) {
        if ((r->keywords >> *at & 1) != 0) {
            *name = yb_keywords_name(k, (*at)++, room);
            return true;
        }
    }
    if (r->keyword_set == 0)
        return false;
    s = yb_keywords_set(k, r->keyword_set);
    if (*at - YB_LETTERS >= (s == NULL ? 1 : s->n))
        return false;
    if (s == NULL)
        *name =
            yb_str(room, (size_t)snprintf(room, YB_KEYWORD_TEXT, SET_LOST "%u", r->keyword_set));
    else
        *name = yb_keywords_name(k, s->v[*at - YB_LETTERS], room);
    (*at)++;
    return true;
}
