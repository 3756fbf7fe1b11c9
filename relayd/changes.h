/*
 * What the scheduler decided, on its way to the disk and back: told as events first, given to the writer,
 * and when that is done, left in the scheduler's mailbox. Used under the scheduler's lock, but for the
 * writer's own call.
 */
#ifndef RELAYD_CHANGES_H
#define RELAYD_CHANGES_H

#include "lib/daemon/metrics.h"
#include "lib/event/event.h"
#include "relayd/mail.h"

#define RELAYD_COMMIT_CLASSES 11

/* What somebody ordered, and waits for: figures of recipients. */
struct relayd_ordering {
    struct yb_str what; /* who ordered it and why */
    size_t posted, changed, failed;
};

struct relayd_changes {
    struct relayd_queue *queue;
    struct yb_event_writer *events;
    struct relayd_mail *mail;
    struct relayd_ordering *ordering; /* whose orders are being given; NULL: nobody's */
    size_t n;                         /* on their way */
    size_t refused;                   /* of these, those that the disk did not take yet */
    struct relayd_pending *again;     /* what the disk did not take */
    int64_t again_ms;
    _Atomic uint64_t commits[RELAYD_COMMIT_CLASSES + 2];
    struct yb_histogram times;
};

void relayd_changes_init(struct relayd_changes *c, struct relayd_queue *queue,
                         struct yb_event_writer *events, struct relayd_mail *mail);
/* Tells and posts it. */
void relayd_changes_give(struct relayd_changes *c, const struct relayd_change *change);
/*
 * One that came back by the mailbox. What the disk did not take, and nobody waits for, is posted again, a
 * second later, for as long as it takes: false, and it is not back. Else true, with *change and *ok for
 * relayd_sched_settled(), valid until relayd_changes_end().
 */
bool relayd_changes_back(struct relayd_changes *c, struct relayd_pending *p,
                         const struct relayd_change **change, bool *ok);
/* It is settled; whose order it was finds it counted. True: somebody may wait for that. */
bool relayd_changes_end(struct relayd_changes *c, struct relayd_pending *p);
/* Posts again what waits for that. */
void relayd_changes_again(struct relayd_changes *c);
/* Copies it, words included. */
struct relayd_message *relayd_message_copy(const struct relayd_message *m, struct yb_arena *arena);

#endif
