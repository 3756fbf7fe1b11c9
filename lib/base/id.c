#include "lib/base/id.h"

#include <stdlib.h>
#include <sys/random.h>

/* Bytes drawn from the kernel at once: ids are made for every message, a call each is too many. */
#define POOL_BYTES 256

void
yb_random(void *to, size_t n)
{
    static _Thread_local unsigned char pool[POOL_BYTES];
    static _Thread_local size_t left;

    if (n > POOL_BYTES) {
        yb_assert(getrandom(to, n, 0) == (ssize_t)n);
        return;
    }
    if (left < n) {
        yb_assert(getrandom(pool, POOL_BYTES, 0) == POOL_BYTES);
        left = POOL_BYTES;
    }
    memcpy(to, pool + left - n, n);
    memset(pool + left - n, 0, n); /* what was given out is not kept */
    left -= n;
}

char *
yb_hex(const uint8_t *v, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[v[i] >> 4];
        out[2 * i + 1] = digits[v[i] & 15];
    }
    out[2 * n] = '\0';
    return out;
}

static int
hex_digit(char c)
{
    c = yb_lower(c);
    return yb_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
yb_unhex(struct yb_str text, uint8_t *v, size_t n)
{
    if (text.n != 2 * n)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (hex_digit(text.p[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < n; i++)
        v[i] = (uint8_t)(hex_digit(text.p[2 * i]) << 4 | hex_digit(text.p[2 * i + 1]));
    return true;
}
