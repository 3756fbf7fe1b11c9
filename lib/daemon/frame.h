/*
 * Frames between processes: a head (length of the body, type; network order) and the body, whose
 * fields are length-prefixed strings. What comes out of a frame is as little trusted as any input:
 * every length is checked, and a bad frame ends the peer's session, never the daemon.
 */
#ifndef YB_DAEMON_FRAME_H
#define YB_DAEMON_FRAME_H

#include "lib/base/buf.h"
#include "lib/base/clock.h"

#define YB_FRAME_HEAD 8
#define YB_FRAME_LIMIT (16u << 20) /* largest body */

struct yb_frame {
    uint32_t type;
    struct yb_str body;
};

/* Appends a frame. */
void yb_frame_put(struct yb_buf *out, uint32_t type, struct yb_str body);
/* Cuts one frame off *in. 1: *f is set (it points into *in); 0: more bytes are needed; -1
 * (YB_PERM): its body is over `limit`. */
int yb_frame_cut(struct yb_str *in, size_t limit, struct yb_frame *f,
                 struct yb_err *err) YB_MUST_USE;

/* Fields of a body. */
void yb_frame_put_str(struct yb_buf *body, struct yb_str s);
bool yb_frame_cut_str(struct yb_str *body, struct yb_str *s) YB_MUST_USE;

/* A whole frame through a socket, blocking or not, until the deadline. _recv() puts the body into
 * `body` (emptied first), whose limit is the largest that is taken; YB_TEMP 4.4.2 at end or
 * deadline. */
int yb_frame_send(int fd, uint32_t type, struct yb_str body, struct yb_deadline by,
                  struct yb_err *err) YB_MUST_USE;
int yb_frame_recv(int fd, uint32_t *type, struct yb_buf *body, struct yb_deadline by,
                  struct yb_err *err) YB_MUST_USE;

#endif
