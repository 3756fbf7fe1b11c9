/*
 * What `yubin queue` asks of relayd by its control socket. Answers are made on the control thread: of
 * what is in memory, and of bodies by a read-only connection; the scheduler waits for a part of a
 * millisecond, however much there is, and the writer for nothing.
 *
 *   queue-list    FILTER       {"rows": [...], "next": "12.0"}: `next` is `after` of the rest; null: the end.
 *                              A page may have fewer rows than were asked for, even none.
 *   queue-show    MESSAGE      what is known of one message, by its number or its id
 *   queue-body    NUMBER AT    its octets from there on, as many as an answer holds; none: the end
 *   queue-retry, queue-hold, queue-release, queue-delete   FILTER
 *                              {"matched": N, "changed": N, "underway": N, "next": "12.0"}, when it is on
 *                              disk: of a part of the queue, and the rest is behind `next`
 *
 * FILTER is a JSON object (filter.h).
 */
#ifndef RELAYD_CONTROL_H
#define RELAYD_CONTROL_H

#include "lib/daemon/daemon.h"
#include "relayd/run.h"

/* The state of the daemon begins with it. */
struct relayd_control {
    struct relayd_run *run;
    struct relayd_queue *queue;
};

/* On the control thread. */
int relayd_control_list(const struct relayd_control *c, struct yb_str rest, struct yb_buf *reply,
                        struct yb_err *err) YB_MUST_USE;
int relayd_control_show(const struct relayd_control *c, struct yb_str rest, struct yb_buf *reply,
                        struct yb_err *err) YB_MUST_USE;
int relayd_control_body(const struct relayd_control *c, struct yb_str rest, struct yb_buf *reply,
                        struct yb_err *err) YB_MUST_USE;
/* One of the four orders. */
int relayd_control_order(const struct relayd_control *c, enum relayd_order order,
                         struct yb_str rest, struct yb_buf *reply, struct yb_err *err) YB_MUST_USE;

/* These, for the daemon. */
#define RELAYD_CONTROL_COMMANDS 7
extern const struct yb_daemon_command relayd_control_commands[RELAYD_CONTROL_COMMANDS];

#endif
