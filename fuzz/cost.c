#include "fuzz/cost.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The counting does not count itself (and would call itself for ever). */
#ifdef __clang__
#define UNCOUNTED __attribute__((no_sanitize("coverage")))
#else
#define UNCOUNTED
#endif

/* Of the thread that runs the target; what others do (libFuzzer's watcher) is not the input's. */
static _Thread_local struct cost now;
static _Thread_local uint64_t passed; /* octets that libc went over */
static struct cost last;
static bool tell_only, counts_steps;
static unsigned told;
static const char *input_is;

/* --- the linker's --wrap: calls of X come to __wrap_X, and __real_X is X --- */

#define WRAP(type, name, params)                                                                   \
    type __real_##name params __attribute__((weak));                                               \
    type __wrap_##name params;                                                                     \
    UNCOUNTED type __wrap_##name params

WRAP(void *, malloc, (size_t size))
{
    now.octets += size;
    return __real_malloc(size);
}

WRAP(void *, calloc, (size_t n, size_t size))
{
    now.octets += n * size;
    return __real_calloc(n, size);
}

WRAP(void *, realloc, (void *p, size_t size))
{
    now.octets += size;
    return __real_realloc(p, size);
}

#ifdef YB_FUZZERS
void __wrap___sanitizer_cov_trace_pc_guard(uint32_t *guard);
void __wrap___sanitizer_cov_trace_pc_guard_init(uint32_t *from, uint32_t *to);

UNCOUNTED void
__wrap___sanitizer_cov_trace_pc_guard(uint32_t *guard YB_UNUSED)
{
    now.steps++;
}

UNCOUNTED void
__wrap___sanitizer_cov_trace_pc_guard_init(uint32_t *from YB_UNUSED, uint32_t *to YB_UNUSED)
{
    counts_steps = true;
}

/* AddressSanitizer has names of its own for these three. */
#define WRAP_COPY(name, params, args)                                                              \
    WRAP(void *, name, params)                                                                     \
    {                                                                                              \
        passed += n;                                                                               \
        return __real_##name args;                                                                 \
    }

WRAP_COPY(memcpy, (void *to, const void *from, size_t n), (to, from, n))
WRAP_COPY(memmove, (void *to, const void *from, size_t n), (to, from, n))
WRAP_COPY(memset, (void *to, int c, size_t n), (to, c, n))
WRAP_COPY(__asan_memcpy, (void *to, const void *from, size_t n), (to, from, n))
WRAP_COPY(__asan_memmove, (void *to, const void *from, size_t n), (to, from, n))
WRAP_COPY(__asan_memset, (void *to, int c, size_t n), (to, c, n))

WRAP(void *, memchr, (const void *p, int c, size_t n))
{
    char *found = __real_memchr(p, c, n);

    passed += found == NULL ? n : (size_t)(found - (const char *)p);
    return found;
}

WRAP(void *, memrchr, (const void *p, int c, size_t n))
{
    char *found = __real_memrchr(p, c, n);

    passed += found == NULL ? n : n - (size_t)(found - (const char *)p);
    return found;
}

WRAP(void *, memmem, (const void *p, size_t n, const void *what, size_t m))
{
    char *found = __real_memmem(p, n, what, m);

    passed += found == NULL ? n : (size_t)(found - (const char *)p);
    return found;
}

WRAP(size_t, strlen, (const char *s))
{
    size_t n = __real_strlen(s);

    passed += n;
    return n;
}

WRAP(char *, strchr, (const char *s, int c))
{
    char *found = __real_strchr(s, c);

    passed += found == NULL ? __real_strlen(s) : (size_t)(found - s);
    return found;
}

/* As far as they are alike. */
UNCOUNTED static void
compared(const char *a, const char *b, size_t n)
{
    size_t i = 0;

    while (i < n && a[i] == b[i])
        i++;
    passed += i;
}

WRAP(int, memcmp, (const void *a, const void *b, size_t n))
{
    compared(a, b, n);
    return __real_memcmp(a, b, n);
}

WRAP(int, bcmp, (const void *a, const void *b, size_t n))
{
    compared(a, b, n);
    return __real_bcmp(a, b, n);
}
#endif

/* --- bounds --- */

const struct cost_bound *
cost_bound(void)
{
    static const struct cost_bound *bound;
    const char *name = program_invocation_short_name;

    if (bound != NULL)
        return bound;
    if (strncmp(name, "fuzz_", 5) == 0)
        name += 5;
    for (bound = cost_bounds; bound->target != NULL; bound++) {
        if (strcmp(bound->target, name) == 0)
            return bound;
    }
    fprintf(stderr, "%s: no bound on the cost of %s in fuzz/bounds.c\n",
            program_invocation_short_name, name);
    abort();
}

struct cost
cost_last(void)
{
    return last;
}

void
cost_tell_only(void)
{
    tell_only = true;
}

unsigned
cost_told(void)
{
    return told;
}

void
cost_input_is(const char *what)
{
    input_is = what;
}

bool
cost_counts_steps(void)
{
    return counts_steps;
}

static void
check(size_t size, const char *what, uint64_t used, uint64_t fixed, uint64_t each)
{
    if (used <= fixed + each * size)
        return;
    fprintf(stderr,
            "%s: cost: an input of %zu octets used %" PRIu64 " %s, over the bound %" PRIu64
            " (%" PRIu64 " and %" PRIu64 " an octet)%s%s\n",
            program_invocation_short_name, size, used, what, fixed + each * size, fixed, each,
            input_is == NULL ? "" : ": ", input_is == NULL ? "" : input_is);
    if (!tell_only)
        abort();
    told++;
}

int __real_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
__wrap_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    const struct cost_bound *b = cost_bound();

    if (!begun) {
        /* Whatever files a target needs cost least in memory. */
        if (access("/dev/shm", W_OK) == 0)
            setenv("TMPDIR", "/dev/shm", 0);
        /* What it makes once is not the input's. */
        __real_LLVMFuzzerTestOneInput(data, size);
        begun = true;
    }
    now = (struct cost){ 0 };
    passed = 0;
    __real_LLVMFuzzerTestOneInput(data, size);
    last = now;
    last.steps += passed / COST_STEP_OCTETS;
    check(size, "octets of memory", last.octets, b->octets_fixed, b->octets_each);
    check(size, "steps", last.steps, b->steps_fixed, b->steps_each);
    return 0;
}
