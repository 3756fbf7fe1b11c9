/*
 * What a fuzz target spends on an input, and the bound on it. The linker puts this between
 * libFuzzer (or replay.c) and the target's LLVMFuzzerTestOneInput(): every input that is run, by
 * whomever, is counted, and one over its target's bound aborts with a line that says by how much.
 *
 * Octets: all that malloc, calloc and realloc gave (a realloc counts as a whole), what was freed
 * meanwhile included; so it bounds the peak, too. Shared libraries are not counted.
 * Steps: edges of the control flow run through, plus one for each COST_STEP_OCTETS octets that
 * memcpy, memchr and their like went over. Only a build with --enable-fuzzers counts them: its code
 * calls at each edge; elsewhere they are 0.
 *
 * Both are linear in the input: fixed + factor * size. What lies over that at any size is a fault of
 * the parser, or of a target whose own checks are not linear. fuzz/bounds.c has the table.
 */
#ifndef FUZZ_COST_H
#define FUZZ_COST_H

#include "lib/base/base.h"

#define COST_STEP_OCTETS 16

struct cost {
    uint64_t octets, steps;
};

struct cost_bound {
    const char *target; /* fuzz_<target> */
    size_t max_len;     /* the longest input that libFuzzer makes */
    size_t stretch;     /* the longest that the stretch pass makes */
    uint64_t octets_fixed, octets_each;
    uint64_t steps_fixed, steps_each;
};

/* Ends with a row without a target. */
extern const struct cost_bound cost_bounds[];

/* The bound of this program. A target without one aborts: it has to be stated. */
const struct cost_bound *cost_bound(void);
/* What the last input cost. */
struct cost cost_last(void);
/* From now on an input over the bound is told on stderr, and counted, instead of aborting. */
void cost_tell_only(void);
unsigned cost_told(void);
/* Words for messages about the input under way: where it comes from. NULL: nothing to say. */
void cost_input_is(const char *what);
/* Whether this build counts steps. */
bool cost_counts_steps(void);

#endif
