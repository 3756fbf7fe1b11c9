#include "lib/base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

struct block {
    struct block *next;
    size_t size, used;
    alignas(max_align_t) char bytes[];
};

struct yb_arena {
    struct block *first, *last;
    size_t block_size, used;
    struct yb_budget *budget;
};

static struct block *
block_new(struct yb_arena *a, size_t size)
{
    struct block *b = yb_alloc(1, sizeof(*b) + size);

    b->size = size;
    yb_budget_charge(a->budget, sizeof(*b) + size);
    return b;
}

struct yb_arena *
yb_arena_new(size_t block)
{
    return yb_arena_new_charged(block, NULL);
}

struct yb_arena *
yb_arena_new_charged(size_t block, struct yb_budget *budget)
{
    struct yb_arena *a = yb_alloc(1, sizeof(*a));

    a->block_size = block;
    a->budget = budget;
    return a;
}

static void
blocks_free(struct yb_arena *a, struct block *b)
{
    while (b != NULL) {
        struct block *next = b->next;

        yb_budget_release(a->budget, sizeof(*b) + b->size);
        yb_free(b);
        b = next;
    }
}

void
yb_arena_free(struct yb_arena **a)
{
    if (*a == NULL)
        return;
    blocks_free(*a, (*a)->first);
    yb_free(*a);
    *a = NULL;
}

void
yb_arena_reset(struct yb_arena *a)
{
    if (a->first == NULL)
        return;
    if (a->first->size >
        a->block_size) { /* made for one large request: it is not kept for small ones */
        blocks_free(a, a->first);
        a->first = a->last = NULL;
        a->used = 0;
        return;
    }
    blocks_free(a, a->first->next);
    a->first->next = NULL;
    a->last = a->first;
    a->first->used = 0;
    a->used = 0;
}

void *
yb_arena_alloc(struct yb_arena *a, size_t n, size_t size)
{
    const size_t align = alignof(max_align_t);
    size_t want;
    void *p;

    yb_assert(!__builtin_mul_overflow(n, size, &want) && want < SIZE_MAX / 2);
    want = (want + align - 1) / align * align;
    if (a->last == NULL || a->last->size - a->last->used < want) {
        struct block *b = block_new(a, want > a->block_size ? want : a->block_size);

        if (a->last == NULL)
            a->first = b;
        else
            a->last->next = b;
        a->last = b;
    }
    p = a->last->bytes + a->last->used;
    a->last->used += want;
    a->used += want;
    return memset(p, 0, want);
}

struct yb_str
yb_arena_dup(struct yb_arena *a, struct yb_str s)
{
    char *p = yb_arena_alloc(a, s.n + 1, 1);

    if (s.n > 0)
        memcpy(p, s.p, s.n);
    return yb_str(p, s.n);
}

struct yb_str
yb_arena_printf(struct yb_arena *a, const char *fmt, ...)
{
    va_list args;
    char *p;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    yb_assert(n >= 0);
    p = yb_arena_alloc(a, (size_t)n + 1, 1);
    va_start(args, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, args);
    va_end(args);
    return yb_str(p, (size_t)n);
}

size_t
yb_arena_used(const struct yb_arena *a)
{
    return a->used;
}
