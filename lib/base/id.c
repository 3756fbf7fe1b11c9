#include "lib/base/id.h"

#include <pthread.h>
#include <sys/random.h>

/* Bytes drawn from the kernel at once: ids are made for every message, a call each is too many. A
 * draw of up to 256 bytes is never cut short (getrandom(2)). */
#define POOL_BYTES 256

static _Thread_local unsigned char pool[POOL_BYTES];
static _Thread_local size_t pool_left;

/* In a forked child: the parent hands out what is in the pool. */
static void
pool_drop(void)
{
    pool_left = 0;
}

static void
pool_watch_forks(void)
{
    yb_assert(pthread_atfork(NULL, NULL, pool_drop) == 0);
}

static void
kernel_random(unsigned char *to, size_t n)
{
    while (n > 0) {
        size_t part = n < POOL_BYTES ? n : POOL_BYTES;

        yb_assert(getrandom(to, part, 0) == (ssize_t)part);
        to += part;
        n -= part;
    }
}

void
yb_random(void *to, size_t n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (n > POOL_BYTES) {
        kernel_random(to, n);
        return;
    }
    pthread_once(&once, pool_watch_forks);
    if (pool_left < n) {
        kernel_random(pool, POOL_BYTES);
        pool_left = POOL_BYTES;
    }
    memcpy(to, pool + pool_left - n, n);
    explicit_bzero(pool + pool_left - n, n); /* what was given out is not kept */
    pool_left -= n;
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
