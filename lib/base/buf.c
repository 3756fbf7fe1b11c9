#include "lib/base/buf.h"

#include <stdarg.h>
#include <stdio.h>

struct yb_buf {
    char *p;                        /* size + 1 bytes: printf writes a NUL behind */
    size_t start, end, size, limit; /* bytes in use: p[start..end) */
    bool overflowed;
    struct yb_budget *budget;
};

struct yb_buf *
yb_buf_new(size_t limit)
{
    return yb_buf_new_charged(limit, NULL);
}

struct yb_buf *
yb_buf_new_charged(size_t limit, struct yb_budget *budget)
{
    struct yb_buf *b = yb_alloc(1, sizeof(*b));

    b->limit = limit;
    b->budget = budget;
    return b;
}

void
yb_buf_free(struct yb_buf **b)
{
    if (*b == NULL)
        return;
    yb_buf_release(*b);
    yb_free(*b);
    *b = NULL;
}

char *
yb_buf_room(struct yb_buf *b, size_t n)
{
    size_t used = b->end - b->start, want, size;

    if (__builtin_add_overflow(used, n, &want) || want > b->limit || want > SIZE_MAX / 4)
        return NULL;
    if (b->p != NULL && b->size - b->end >= n)
        return b->p + b->end;
    if (b->start > 0) {
        memmove(b->p, b->p + b->start, used);
        b->start = 0;
        b->end = used;
    }
    if (want > b->size || b->p == NULL) {
        size = b->size < 64 ? 64 : b->size;
        while (size < want)
            size *= 2;
        size = size > b->limit ? b->limit : size;
        b->p = yb_realloc(b->p, size + 1, 1);
        yb_budget_charge(b->budget, size - b->size);
        b->size = size;
    }
    return b->p + b->end;
}

void
yb_buf_wrote(struct yb_buf *b, size_t n)
{
    yb_assert(n <= b->size - b->end);
    b->end += n;
}

int
yb_buf_append(struct yb_buf *b, struct yb_str s, struct yb_err *err)
{
    char *to = yb_buf_room(b, s.n);

    if (to == NULL)
        return yb_err_inside(err, YB_TEMP, "4.3.1", "a buffer of %zu bytes is full", b->limit);
    if (s.n > 0)
        memcpy(to, s.p, s.n);
    b->end += s.n;
    return 0;
}

void
yb_buf_add(struct yb_buf *b, struct yb_str s)
{
    if (b->overflowed || yb_buf_append(b, s, NULL) < 0)
        b->overflowed = true;
}

void
yb_buf_add_c(struct yb_buf *b, char c)
{
    if (b->p != NULL && b->end < b->size && !b->overflowed)
        b->p[b->end++] = c;
    else
        yb_buf_add(b, yb_str(&c, 1));
}

void
yb_buf_add_u64(struct yb_buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    yb_buf_add(b, yb_str(digits + at, sizeof(digits) - at));
}

void
yb_buf_printf(struct yb_buf *b, const char *fmt, ...)
{
    va_list args;
    char *to;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    yb_assert(n >= 0);
    to = b->overflowed ? NULL : yb_buf_room(b, (size_t)n);
    if (to == NULL) {
        b->overflowed = true;
        return;
    }
    va_start(args, fmt);
    vsnprintf(to, (size_t)n + 1, fmt, args);
    va_end(args);
    b->end += (size_t)n;
}

bool
yb_buf_overflowed(const struct yb_buf *b)
{
    return b->overflowed;
}

struct yb_str
yb_buf_view(const struct yb_buf *b)
{
    return b->p == NULL ? yb_str("", 0) : yb_str(b->p + b->start, b->end - b->start);
}

size_t
yb_buf_size(const struct yb_buf *b)
{
    return b->end - b->start;
}

void
yb_buf_consume(struct yb_buf *b, size_t n)
{
    yb_assert(n <= b->end - b->start);
    b->start += n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void
yb_buf_truncate(struct yb_buf *b, size_t n)
{
    yb_assert(n <= b->end - b->start);
    b->end = b->start + n;
}

void
yb_buf_clear(struct yb_buf *b)
{
    b->start = b->end = 0;
    b->overflowed = false;
}

void
yb_buf_release(struct yb_buf *b)
{
    yb_free(b->p);
    yb_budget_release(b->budget, b->size);
    b->p = NULL;
    b->size = 0;
    yb_buf_clear(b);
}
