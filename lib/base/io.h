/* Whole reads and writes on descriptors, and base64 (RFC 4648 §4). */
#ifndef YB_BASE_IO_H
#define YB_BASE_IO_H

#include "lib/base/err.h"
#include "lib/base/str.h"

#include <sys/types.h>

/* All bytes or -1 (errno set); goes on after EINTR and short writes. */
int yb_write_all(int fd, struct yb_str s) YB_MUST_USE;
int yb_pwrite_all(int fd, struct yb_str s, off_t at) YB_MUST_USE;
/* Up to n bytes; fewer only at the end of the file. -1 with errno. */
ssize_t yb_pread_full(int fd, void *to, size_t n, off_t at) YB_MUST_USE;
/* The whole file, at most `limit` bytes, into memory for yb_free(), NUL-terminated. */
int yb_read_file(const char *path, size_t limit, char **data, size_t *size,
                 struct yb_err *err) YB_MUST_USE;

#define YB_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)
/* Into out (YB_BASE64_SIZE(s.n) bytes, NUL included); returns the length. */
size_t yb_base64(struct yb_str s, char *out);
/* Strict: padding required, no spaces. At most s.n / 4 * 3 bytes. False when it is not base64. */
bool yb_unbase64(struct yb_str s, uint8_t *out, size_t *n) YB_MUST_USE;

#endif
