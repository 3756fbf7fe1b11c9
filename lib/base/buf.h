/*
 * Growable byte buffer; bytes, not C strings (NUL may occur).
 * The caller owns a buf made by yb_buf_new(); yb_buf_free() also sets it to NULL.
 * Allocation failure aborts; growing past `limit` is an ordinary error (YB_TEMP).
 */
#ifndef YB_BASE_BUF_H
#define YB_BASE_BUF_H

#include "lib/base/budget.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

struct yb_buf; /* opaque: fields live in buf.c */

/* An empty buffer that never holds more than `limit` bytes; takes memory when it is written to. */
struct yb_buf *yb_buf_new(size_t limit) YB_MUST_USE;
/* The same; the budget, which outlives the buffer, is charged with its memory. NULL: with none. */
struct yb_buf *yb_buf_new_charged(size_t limit, struct yb_budget *budget) YB_MUST_USE;
void yb_buf_free(struct yb_buf **b);
/* Appends all of `s` or nothing. Returns 0, or -1 with *err set. */
int yb_buf_append(struct yb_buf *b, struct yb_str s, struct yb_err *err) YB_MUST_USE;
/*
 * For output whose size our own code bounds. What does not fit is dropped whole and the buffer
 * remembers it: yb_buf_overflowed() is asked once, at the end.
 */
void yb_buf_add(struct yb_buf *b, struct yb_str s);
void yb_buf_add_c(struct yb_buf *b, char c);
void yb_buf_add_u64(struct yb_buf *b, uint64_t v);
void yb_buf_printf(struct yb_buf *b, const char *fmt, ...) YB_PRINTF(2, 3);
bool yb_buf_overflowed(const struct yb_buf *b);
/* Valid until the next call that changes `b`. */
struct yb_str yb_buf_view(const struct yb_buf *b);
size_t yb_buf_size(const struct yb_buf *b);
/* Room for at least n more bytes to write into directly, or NULL past the limit; follow with
 * yb_buf_wrote() for what was written. */
char *yb_buf_room(struct yb_buf *b, size_t n) YB_MUST_USE;
void yb_buf_wrote(struct yb_buf *b, size_t n);
/* Drops the first n bytes. */
void yb_buf_consume(struct yb_buf *b, size_t n);
/* Cuts to the first n bytes. */
void yb_buf_truncate(struct yb_buf *b, size_t n);
/* Empties it, keeps the memory, forgets an overflow. */
void yb_buf_clear(struct yb_buf *b);
/* Empties it and gives the memory back. */
void yb_buf_release(struct yb_buf *b);

#endif
