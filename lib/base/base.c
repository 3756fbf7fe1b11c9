#include "lib/base/base.h"

#ifdef YB_COVERAGE
#include <gcov.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void
yb_assert_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "level=bug event=assert what=\"%s\" at=%s:%d\n", what, file, line);
    abort();
}

_Noreturn void
yb_leave(int code)
{
#ifdef YB_COVERAGE
    __gcov_dump(); /* which exit() would do */
#endif
    _exit(code);
}

void *
yb_alloc(size_t n, size_t size)
{
    size_t want;
    void *p = NULL;

    if (__builtin_mul_overflow(n, size, &want) || (p = calloc(1, want == 0 ? 1 : want)) == NULL)
        abort();
    return p;
}

void *
yb_realloc(void *p, size_t n, size_t size)
{
    size_t want;

    if (__builtin_mul_overflow(n, size, &want) || (p = realloc(p, want == 0 ? 1 : want)) == NULL)
        abort();
    return p;
}

char *
yb_dup(const char *p, size_t n)
{
    char *copy;

    yb_assert(n < SIZE_MAX);
    copy = yb_alloc(n + 1, 1);
    if (n > 0)
        memcpy(copy, p, n);
    return copy;
}

void
yb_free(void *p)
{
    free(p);
}
