/*
 * The message buffer: a message between its first octet and the hand-over. It lies in memory up to
 * a limit, then in an unnamed file of the daemon's spool folder, so that a daemon that dies leaves
 * nothing behind and a sender that stalls holds no memory. What it holds is charged to totals of
 * the daemon and of the client's network.
 */
#ifndef YB_SMTP_MSGBUF_H
#define YB_SMTP_MSGBUF_H

#include "lib/base/err.h"
#include "lib/base/str.h"

#include <sys/types.h>

struct yb_msgbuf;
struct yb_msgbuf_pool;

struct yb_msgbuf_conf {
    const char *folder;    /* of the spool; must exist */
    size_t memory_each;    /* a message over it moves to a file (default 128 KiB) */
    size_t memory_total;   /* of all messages; over it they go to files at once */
    size_t memory_network; /* of all messages from one network, likewise */
    uint64_t disk_network; /* file bytes of one network; over it: 452 4.3.1 */
    uint64_t disk_reserve; /* bytes of the file system that stay free: 452 4.3.1 below it */
};

/* Opens the folder. Thread safe from here on. */
struct yb_msgbuf_pool *yb_msgbuf_pool_new(const struct yb_msgbuf_conf *conf,
                                          struct yb_err *err) YB_MUST_USE;
/* All buffers must be gone. */
void yb_msgbuf_pool_free(struct yb_msgbuf_pool **p);
/* May a message of `size` bytes (0: not declared) from `network` begin? YB_TEMP 4.3.1 if not. */
int yb_msgbuf_pool_admit(struct yb_msgbuf_pool *p, uint64_t size, uint64_t network,
                         struct yb_err *err) YB_MUST_USE;
/* Bytes charged now, for metrics and tests. */
size_t yb_msgbuf_pool_memory(const struct yb_msgbuf_pool *p);
/* The same of files. */
uint64_t yb_msgbuf_pool_disk(const struct yb_msgbuf_pool *p);

/* `network` stands for the client's network: yb_network_number(). Room is only ever taken for
 * octets that came: a declared size costs nothing. */
struct yb_msgbuf *yb_msgbuf_new(struct yb_msgbuf_pool *p, uint64_t network) YB_MUST_USE;
/* A message that is there already, as an open file of so many octets: for reading only, charged to
 * nobody. The buffer owns the descriptor. */
struct yb_msgbuf *yb_msgbuf_of_file(struct yb_msgbuf_pool *p, int fd, uint64_t size) YB_MUST_USE;
/* Gives everything back; *m is NULL afterwards, and may be before. */
void yb_msgbuf_free(struct yb_msgbuf **m);
/* After an error (YB_TEMP 4.3.1, 4.3.0) the buffer can only be freed. */
int yb_msgbuf_append(struct yb_msgbuf *m, struct yb_str s, struct yb_err *err) YB_MUST_USE;
/* Octets appended. */
uint64_t yb_msgbuf_size(const struct yb_msgbuf *m);
/* All bytes when they lie in memory, else false. Valid until the next append. */
bool yb_msgbuf_view(const struct yb_msgbuf *m, struct yb_str *all);
/* The file, or -1 while in memory. The buffer keeps it. */
int yb_msgbuf_fd(const struct yb_msgbuf *m);
/* Reads up to n bytes from `at`; fewer only at the end. -1 with *err. */
ssize_t yb_msgbuf_pread(const struct yb_msgbuf *m, void *to, size_t n, uint64_t at,
                        struct yb_err *err) YB_MUST_USE;

#endif
