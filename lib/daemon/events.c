/* The event writer of a daemon: its folder, its bound, its figures. */
#include "lib/daemon/events.h"

int
yb_daemon_events_open(const struct yb_daemon *d, const char *daemon, struct yb_node_id node,
                      struct yb_event_writer **out, struct yb_err *err)
{
    const struct yb_event_options options = {
        .node = node,
        .daemon = daemon,
        .dir_limit = yb_conf_common(yb_daemon_conf_now(d))->event_limit,
    };
    const struct yb_role *role = yb_role_find(yb_str_from(daemon));

    yb_assert(role != NULL && role->writes_events); /* else nobody would read them */
    return yb_event_writer_open(yb_daemon_event_dir(d), &options, out, err);
}

void
yb_daemon_events_figures(struct yb_event_writer *w, struct yb_metrics *m)
{
    static const char dropped[] = "events_dropped_total",
                      help[] = "Events that never got to disk, by grade.";
    struct yb_event_counts c = yb_event_writer_counts(w);

    yb_metrics_counter(m, "events_written_total", "Events appended to segments.", NULL, c.written);
    yb_metrics_counter(m, dropped, help, "grade=\"debug\"", c.dropped[YB_EVENT_DEBUG]);
    yb_metrics_counter(m, dropped, help, "grade=\"step\"", c.dropped[YB_EVENT_STEP]);
    yb_metrics_counter(m, dropped, help, "grade=\"final\"", c.dropped[YB_EVENT_FINAL]);
    yb_metrics_counter(m, "event_segments_removed_total",
                       "Segments removed because event_limit was reached.", NULL, c.removed);
}
