#include "lib/store/sum.h"

/* Without a call for each few octets, and without a library to load. */
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t
yb_sum(const void *p, size_t n)
{
    return XXH3_64bits(p, n);
}

uint64_t
yb_sum_with(const void *p, size_t n, uint64_t number)
{
    return XXH3_64bits_withSeed(p, n, number);
}

uint64_t
yb_sum_old_mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

uint64_t
yb_sum_old(const void *p, size_t n)
{
    const char *at = p;
    uint64_t a = 0x2545f4914f6cdd1du, b = 0xd6e8feb86659fd93u, word[2];

    for (size_t i = 0; i < n; i += 16) {
        memcpy(word, at + i, 16);
        a = yb_sum_old_mix(a, word[0]);
        b = yb_sum_old_mix(b, word[1]);
    }
    return yb_sum_old_mix(a ^ n, b);
}
