/*
 * A fuzz target for the test of fuzz/cost.h: its first octet chooses a parser that counts the commas
 * of the rest. One is linear; each of the others is quadratic in a way of its own, and right.
 */
#ifndef TESTS_FUZZ_PARSERS_H
#define TESTS_FUZZ_PARSERS_H

#include "lib/base/base.h"

enum parser {
    LINEAR = 'l',
    BY_LOOP = 'p',   /* from the beginning again for each comma */
    BY_SEARCH = 's', /* memchr() from each octet to the end */
    BY_COPY = 'c',   /* what is left moves down at each comma */
    BY_GROWTH = 'g', /* room for one more at each comma */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
