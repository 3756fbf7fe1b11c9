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

enum yb_control_type { YB_CONTROL_REQUEST = 0x51, YB_CONTROL_OK, YB_CONTROL_ERROR };
#define YB_CONTROL_COMMAND 4096      /* longest command */
#define YB_CONTROL_ANSWER (4u << 20) /* longest answer */

/* Client: sends `command` to the socket at `path`, appends the answer. An answer that is an error
 * gives -1 with its text. */
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
