/*
 * The words every room uses: attributes, counts, the assertion on our own state, and malloc that
 * cannot fail. Includes nothing of ours; any file may include it.
 */
#ifndef YB_BASE_BASE_H
#define YB_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define YB_MUST_USE __attribute__((warn_unused_result))
#define YB_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define YB_UNUSED __attribute__((unused))
#define YB_COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* The struct that holds `field` at `pointer`. */
#define YB_CONTAINER(pointer, type, field)                                                         \
    ((type *)(void *)((char *)(pointer)-offsetof(type, field)))

/*
 * Kept in release builds. For our own state only: bytes from a peer, a file, a row or another
 * process never reach it.
 */
#define yb_assert(what) ((what) ? (void)0 : yb_assert_failed(#what, __FILE__, __LINE__))
_Noreturn void yb_assert_failed(const char *what, const char *file, int line);

/* The end of a forked process: nothing that its parent would do at its own end is done here. */
_Noreturn void yb_leave(int code);

/* Zeroed memory for n objects of `size` bytes. Out of memory or an overflow aborts. */
void *yb_alloc(size_t n, size_t size) YB_MUST_USE __attribute__((malloc));
/* Resizes to n * size bytes; the new part is not zeroed. Aborts like yb_alloc(). */
void *yb_realloc(void *p, size_t n, size_t size) YB_MUST_USE;
/* A NUL-terminated copy of the n bytes at p. */
char *yb_dup(const char *p, size_t n) YB_MUST_USE;
/* Frees what the calls above gave; NULL is fine. */
void yb_free(void *p);

#endif
