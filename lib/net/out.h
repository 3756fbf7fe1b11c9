/*
 * Output queue of one connection: blocks of memory and ranges of files, in order. Blocks come from
 * and return to a small stock of the worker, so that an answer costs no allocation.
 */
#ifndef YB_NET_OUT_H
#define YB_NET_OUT_H

#include "lib/base/str.h"
#include "lib/net/file.h"

#include <sys/types.h>
#include <sys/uio.h>

/* One TLS record. */
#define YB_OUT_BLOCK 16384

struct yb_out_part {
    struct yb_out_part *next;
    size_t at, end, room; /* of a block: bytes[at..end) wait, bytes[end..room) are free */
    struct yb_file *file; /* of a file range, a reference; else NULL */
    off_t file_at;
    size_t file_n;
    char bytes[];
};

struct yb_out {
    struct yb_out_part *head, *tail;
    size_t size;    /* bytes waiting, those of files included */
    size_t n_files; /* ranges of files among the parts */
};

/* A worker's unused blocks. */
struct yb_out_stock {
    struct yb_out_part *free;
    unsigned n;
};

/* A copy of the bytes at the end. */
void yb_out_add(struct yb_out *o, struct yb_out_stock *stock, struct yb_str s);
/* Room to write up to *n bytes (> 0) directly, at the end, for who has `want` to write; follow with
 * yb_out_wrote(). */
char *yb_out_room(struct yb_out *o, struct yb_out_stock *stock, size_t want, size_t *n) YB_MUST_USE;
void yb_out_wrote(struct yb_out *o, size_t n);
/* n bytes of the file from `at`, by a reference of its own; behind a range that ends at `at` they
 * become part of it. */
void yb_out_add_file(struct yb_out *o, struct yb_file *file, off_t at, size_t n);
/* Puts up to a block of the file range at the head into memory before it. False when the file is
 * shorter than was said, or cannot be read. */
bool yb_out_load(struct yb_out *o, struct yb_out_stock *stock) YB_MUST_USE;
/* The blocks up to the next file range, at most `max`; returns how many. */
int yb_out_iov(const struct yb_out *o, struct iovec *iov, int max);
/* Takes the first n bytes off, which are all of blocks or all of the file range at the head. */
void yb_out_sent(struct yb_out *o, struct yb_out_stock *stock, size_t n);
/* Throws everything away. */
void yb_out_clear(struct yb_out *o, struct yb_out_stock *stock);
void yb_out_stock_release(struct yb_out_stock *stock);

#endif
