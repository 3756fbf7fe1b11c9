/*
 * The checksum of what lib/store keeps beside the messages: finds torn and flipped bytes, nothing
 * more. Fast, because a SELECT checks every record of a mailbox: two lanes of multiply and shift
 * over 64-bit words. `n` is a multiple of 16.
 */
#ifndef YB_STORE_SUM_H
#define YB_STORE_SUM_H

#include "lib/base/base.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the files are little-endian");

static inline uint64_t
yb_sum_mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static inline uint64_t
yb_sum(const void *p, size_t n)
{
    const char *at = p;
    uint64_t a = 0x2545f4914f6cdd1du, b = 0xd6e8feb86659fd93u, word[2];

    for (size_t i = 0; i < n; i += 16) {
        memcpy(word, at + i, 16);
        a = yb_sum_mix(a, word[0]);
        b = yb_sum_mix(b, word[1]);
    }
    return yb_sum_mix(a ^ n, b);
}

#endif
