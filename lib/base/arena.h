/*
 * Arena: memory that is freed all at once. Three lifetimes are in use: scratch (reset by the
 * dispatcher after each command), transaction and session. Not thread safe; one owner at a time.
 * A reset arena keeps its first block, so a warm one allocates nothing.
 */
#ifndef YB_BASE_ARENA_H
#define YB_BASE_ARENA_H

#include "lib/base/budget.h"
#include "lib/base/str.h"

struct yb_arena;

/* `block` bytes are taken at a time (larger requests get their own block). */
struct yb_arena *yb_arena_new(size_t block) YB_MUST_USE;
/* The same; the budget, which outlives the arena, is charged with its blocks. NULL: with none. */
struct yb_arena *yb_arena_new_charged(size_t block, struct yb_budget *budget) YB_MUST_USE;
void yb_arena_free(struct yb_arena **a);
/* Frees everything but the first block, if it is of the usual size. */
void yb_arena_reset(struct yb_arena *a);
/* Zeroed memory, aligned for any type, until reset. Never NULL. */
void *yb_arena_alloc(struct yb_arena *a, size_t n, size_t size) YB_MUST_USE;
/* A NUL-terminated copy (the NUL is not counted). */
struct yb_str yb_arena_dup(struct yb_arena *a, struct yb_str s) YB_MUST_USE;
/* A formatted, NUL-terminated string. */
struct yb_str yb_arena_printf(struct yb_arena *a, const char *fmt, ...) YB_PRINTF(2, 3) YB_MUST_USE;
/* Bytes handed out since the last reset. */
size_t yb_arena_used(const struct yb_arena *a);

#endif
