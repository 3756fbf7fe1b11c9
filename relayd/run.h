/*
 * The running queue: the scheduler with its thread, the writer and the deliver threads joined. The
 * thread takes what comes from a mailbox (a message that was committed, the end of a job, a change that
 * is on disk), asks the scheduler, and gives out work; nothing on it waits for the database, for lmtpd
 * or for the disk. What an event says is told before the change it is about is given to the writer.
 */
#ifndef RELAYD_RUN_H
#define RELAYD_RUN_H

#include "lib/daemon/metrics.h"
#include "lib/directory/directory.h"
#include "lib/event/event.h"
#include "lib/smtp/client.h"
#include "relayd/sched.h"

struct relayd_run;

struct relayd_run_conf {
    struct relayd_queue *queue; /* opened, not scanned; stays the caller's */
    struct yb_smtp_dest *lmtpd; /* likewise, as the rest */
    struct yb_directory *directory;
    struct yb_event_writer *events;
    struct relayd_sched_conf sched;
};

/* Scans the queue, starts its writer, the scheduler and the deliver threads. */
int relayd_run_start(const struct relayd_run_conf *conf, struct relayd_run **run,
                     struct yb_err *err) YB_MUST_USE;
/* No new attempt begins from now on. */
void relayd_run_drain(struct relayd_run *run);
/*
 * Nobody may put or order any more. Attempts under way have until `by`, and what they brought is written.
 * *run may be NULL. False: an attempt goes on still, and uses all that *run was given: the process must
 * end, and until then nothing of it may be freed, the queue neither.
 */
bool relayd_run_stop(struct relayd_run **run, struct yb_deadline by) YB_MUST_USE;
/* Other times from now on. */
void relayd_run_set(struct relayd_run *run, const struct relayd_sched_conf *conf);

/*
 * Takes a message, as relayd_queue_put(), and begins to deliver it: any thread. Waits while the scheduler
 * is far behind.
 */
int relayd_run_put(struct relayd_run *run, struct relayd_message *m, const struct yb_msgbuf *body,
                   struct yb_err *err) YB_MUST_USE;

/* --- for who looks and steers: the control thread --- */

/* Where a walk goes on: recipient `n` of message `m`. */
struct relayd_cursor {
    uint64_t m;
    uint32_t n;
};
/*
 * Walks all recipients from *from on, in order of m, then n, until `each` says false; *from is then the
 * one behind that. The queue is locked for a few hundred of them at a time, so `each` must not wait, and
 * what is changed meanwhile may be seen as it was or as it is. False: the end was reached.
 */
bool relayd_run_each(struct relayd_run *run, struct relayd_cursor *from,
                     bool (*each)(void *arg, const struct relayd_row *row), void *arg);

struct relayd_run_ordered {
    size_t matched; /* recipients that `match` said yes to */
    size_t changed; /* of these, on disk by now (retry: due by now) */
    size_t
        underway; /* … and those that are changed as soon as the attempt under way ends without delivery */
};
/*
 * Orders something for all that `match`; returns when it is on disk. `what` is told in the event of each:
 * who ordered it and why, one sentence. -1: the disk took not all of it; *out is right all the same.
 * Of a queue that is damaged nothing is changed nor told: YB_PERM.
 */
int relayd_run_order(struct relayd_run *run, enum relayd_order order, struct yb_str what,
                     bool (*match)(void *arg, const struct relayd_row *row), void *arg,
                     struct relayd_run_ordered *out, struct yb_err *err) YB_MUST_USE;

/* Figures of queue, attempts and commits. */
void relayd_run_figures(struct relayd_run *run, struct yb_metrics *m);

#endif
