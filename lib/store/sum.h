/*
 * The checksum of what lib/store keeps beside the messages: finds torn and flipped bytes, nothing
 * more. XXH3-64 (docs/store.md has the measurement); what was written by the first form of our
 * files has the one of before.
 */
#ifndef YB_STORE_SUM_H
#define YB_STORE_SUM_H

#include "lib/base/base.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the files are little-endian");

uint64_t yb_sum(const void *p, size_t n);
/* The same, of two pieces that belong together by a number. */
uint64_t yb_sum_with(const void *p, size_t n, uint64_t number);
/* Of the first form; `n` is a multiple of 16. */
uint64_t yb_sum_old(const void *p, size_t n);
uint64_t yb_sum_old_mix(uint64_t h, uint64_t word);

#endif
