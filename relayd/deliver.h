/*
 * One job of a deliver thread: who has waited for long is looked up in the directory, then all that are
 * left go to lmtpd in one transaction. It waits where it must, each time with a deadline.
 */
#ifndef RELAYD_DELIVER_H
#define RELAYD_DELIVER_H

#include "lib/directory/directory.h"
#include "lib/smtp/client.h"
#include "relayd/sched.h"

struct relayd_deliver {
    struct relayd_queue *queue;
    struct yb_smtp_dest *lmtpd;
    struct yb_directory *directory;
};

/* Fills in what became of each recipient, and what it showed of the sites; words lie in the arena. */
void relayd_deliver_job(const struct relayd_deliver *d, struct relayd_job *job,
                        struct yb_arena *arena);

#endif
