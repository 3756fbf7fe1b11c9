/* What the queue tells: events (lib/event) of messages that came and of changes, and log lines. */
#ifndef RELAYD_TELL_H
#define RELAYD_TELL_H

#include "lib/event/event.h"
#include "relayd/sched.h"

/* A message was taken: one event for each recipient. */
void relayd_tell_came(struct yb_event_writer *w, const struct relayd_message *m);
/* Before the change is given to the writer. `what`: who ordered it and why; p NULL: nobody did. */
void relayd_tell_change(struct yb_event_writer *w, const struct relayd_change *c,
                        struct yb_str what);

#endif
