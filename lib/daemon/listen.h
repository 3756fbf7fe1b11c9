/* Listening sockets, bound by the parent with the rights it was started with. */
#ifndef YB_DAEMON_LISTEN_H
#define YB_DAEMON_LISTEN_H

#include "lib/base/err.h"

#include <sys/types.h>

struct yb_listen_owner { /* of unix sockets */
    uid_t uid;
    gid_t gid;
    bool change; /* only root can */
    mode_t mode;
};

/*
 * A listening socket (non-blocking, close-on-exec) for "192.0.2.1:25", "[2001:db8::1]:25" or
 * "unix:/path". A socket file that nobody serves any more is replaced; one that is served is an
 * error.
 */
int yb_listen_bind(const char *address, const struct yb_listen_owner *owner,
                   struct yb_err *err) YB_MUST_USE;
/* The two cannot be bound at once: the same socket file, or the same port of one family where the
 * hosts are the same or one of them is all (0.0.0.0, [::]). Port 0 is any that is free. */
bool yb_listen_clash(const char *a, const char *b);
/* Removes the file of a unix address; other addresses leave nothing behind. */
void yb_listen_unlink(const char *address);

#endif
