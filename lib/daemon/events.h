/*
 * Where a daemon writes what it decided (lib/event): one writer a process, in its own folder of
 * event_dir, bounded by event_limit. Opened in the child's init hook, closed in its stop hook.
 */
#ifndef YB_DAEMON_EVENTS_H
#define YB_DAEMON_EVENTS_H

#include "lib/daemon/daemon.h"
#include "lib/event/event.h"

/* The writer of the program `daemon` on this node, in <event_dir>/<daemon>; the caller closes it. */
int yb_daemon_events_open(const struct yb_daemon *d, const char *daemon, struct yb_node_id node,
                          struct yb_event_writer **out, struct yb_err *err) YB_MUST_USE;
/* For the metrics hook. */
void yb_daemon_events_figures(struct yb_event_writer *w, struct yb_metrics *m);

#endif
