/*
 * An open file that several ranges of one connection's output share: a descriptor and a count. Like
 * all of a connection it belongs to the holder of its run token; no two connections share one.
 */
#ifndef YB_NET_FILE_H
#define YB_NET_FILE_H

#include "lib/base/base.h"

struct yb_file;

/* Owns fd from here on; one reference. */
struct yb_file *yb_file_new(int fd) YB_MUST_USE;
/* One more reference to the same. */
struct yb_file *yb_file_ref(struct yb_file *f) YB_MUST_USE;
/* Closes the descriptor with the last reference; NULLs *f, which may be NULL already. */
void yb_file_unref(struct yb_file **f);
int yb_file_fd(const struct yb_file *f);

#endif
