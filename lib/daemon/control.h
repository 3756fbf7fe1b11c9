/*
 * The control socket of a daemon, <run_dir>/<name>.control: one frame with a command, one frame
 * with its answer. Root, the daemon's own user and the members of `control_group` may use it; the
 * kernel says who is at the other end.
 */
#ifndef YB_DAEMON_CONTROL_H
#define YB_DAEMON_CONTROL_H

#include "lib/base/buf.h"
#include "lib/base/clock.h"

#include <sys/types.h>

/* An answer that is an error says which sort it is; who knows none of the last three takes it for one. */
enum yb_control_type {
    YB_CONTROL_REQUEST = 0x51,
    YB_CONTROL_OK,
    YB_CONTROL_ERROR,     /* refused */
    YB_CONTROL_SYNTAX,    /* not understood */
    YB_CONTROL_NOT_FOUND, /* there is no such thing */
    YB_CONTROL_LATER      /* not at the moment */
};
#define YB_CONTROL_COMMAND 4096      /* longest command */
#define YB_CONTROL_ANSWER (4u << 20) /* longest answer */

/* Client: sends `command` to the socket at `path`, appends the answer. An answer that is an error
 * gives -1 with its text, and the class and kind of the sort that it is. Of what is YB_TEMP nobody knows
 * whether it was done, but where err->sys says that nobody could be connected to. */
int yb_control_call(const char *path, struct yb_str command, struct yb_buf *answer,
                    struct yb_deadline by, struct yb_err *err) YB_MUST_USE;

/* Server: whether the peer of the connected socket may command. `group` may be (gid_t)-1. */
bool yb_control_allowed(int fd, gid_t group);
/*
 * Serves one accepted connection whole, within a few seconds, and closes it: reads a command, has
 * `run` write the answer, sends that.
 */
void yb_control_serve(int fd, gid_t group,
                      int (*run)(void *arg, struct yb_str command, struct yb_buf *answer,
                                 struct yb_err *err),
                      void *arg);

#endif
