#include "tests/unit/fuzz/parsers.h"

#include <string.h>

static size_t
by_loop(const char *p, size_t n)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++) {
        if (p[i] != ',')
            continue;
        found = 0;
        for (size_t k = 0; k <= i; k++)
            found += p[k] == ',';
    }
    return found;
}

static size_t
by_search(const char *p, size_t n)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++) {
        bool more = memchr(p + i, '!', n - i) != NULL;

        found += p[i] == ',' || (p[i] == '!' && !more);
    }
    return found;
}

static size_t
by_copy(const char *p, size_t n)
{
    char *copy = yb_dup(p, n);
    size_t found = 0, at = 0;

    while (at < n) {
        bool comma = copy[at++] == ',';

        if (!comma)
            continue;
        found++;
        n -= at;
        memmove(copy, copy + at, n);
        at = 0;
    }
    yb_free(copy);
    return found;
}

static size_t
by_growth(const char *p, size_t n)
{
    size_t found = 0, *places = NULL;

    for (size_t i = 0; i < n; i++) {
        if (p[i] != ',')
            continue;
        places = yb_realloc(places, found + 1, sizeof(*places));
        places[found++] = i;
    }
    yb_free(places);
    return found;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data + 1;
    size_t commas = 0, found;

    if (size == 0)
        return 0;
    for (size_t i = 1; i < size; i++)
        commas += data[i] == ',';
    switch (data[0]) {
    case BY_LOOP:
        found = by_loop(p, size - 1);
        break;
    case BY_SEARCH:
        found = by_search(p, size - 1);
        break;
    case BY_COPY:
        found = by_copy(p, size - 1);
        break;
    case BY_GROWTH:
        found = by_growth(p, size - 1);
        break;
    default:
        found = commas;
        break;
    }
    yb_assert(found == commas);
    return 0;
}
