/*
 * Between the threads of relayd: the scheduler's mailbox, in which intake, deliver threads and the writer
 * leave what happened, and the tasks that the scheduler gave out, until a deliver thread is free. Its lock
 * is held for a list operation, so nobody waits for another's work. Thread safe.
 */
#ifndef RELAYD_MAIL_H
#define RELAYD_MAIL_H

#include "lib/base/clock.h"
#include "relayd/sched.h"

/* Work for a deliver thread. */
struct relayd_task {
    struct relayd_task *next;
    struct yb_arena *arena;
    struct relayd_job job;
};

struct relayd_pending; /* a change on its way to the disk: run.c's */

enum relayd_letter_kind {
    RELAYD_CAME,   /* a message is on disk */
    RELAYD_TRIED,  /* a job is over */
    RELAYD_SETTLED /* the writer is done with a change */
};
struct relayd_letter {
    struct relayd_letter *next;
    enum relayd_letter_kind kind;
    struct relayd_message *m;       /* CAME, … */
    struct yb_arena *arena;         /* … in it */
    struct relayd_task *task;       /* TRIED */
    struct relayd_pending *pending; /* SETTLED */
};

struct relayd_mail {
    pthread_mutex_t lock;
    pthread_cond_t came, less, given;
    struct relayd_letter *first, **end;
    size_t n;
    bool nudged;
    struct relayd_task *tasks, **tasks_end;
    bool stopping; /* no new attempt begins */
    bool idle;     /* stopping, and nothing is under way any more */
    bool over;     /* the threads end */
};

void relayd_mail_init(struct relayd_mail *b);
/* Nobody may use it any more. */
void relayd_mail_end(struct relayd_mail *b);

/* One letter more; it is the scheduler's from now on. Never waits. */
void relayd_mail_post(struct relayd_mail *b, enum relayd_letter_kind kind,
                      const struct relayd_letter *what);
/* Has the scheduler look at the queue, which somebody else changed. */
void relayd_mail_nudge(struct relayd_mail *b);
/* For who brings new mail: waits while the scheduler is far behind. */
void relayd_mail_wait_room(struct relayd_mail *b);
/* All letters, oldest first; NULL: none came within so many milliseconds, or the threads end. */
struct relayd_letter *relayd_mail_take(struct relayd_mail *b, int64_t ms, bool *stopping,
                                       bool *over);

/* To the deliver threads, one of which takes it; NULL: the threads end. */
void relayd_mail_give(struct relayd_mail *b, struct relayd_task *t);
struct relayd_task *relayd_mail_task(struct relayd_mail *b);

/* Asks the scheduler to give out no more. */
void relayd_mail_drain(struct relayd_mail *b);
/* So, too, and waits until it is idle (said by the other); then the threads end. False: it is not by
 * then. */
bool relayd_mail_stop(struct relayd_mail *b, struct yb_deadline by);
void relayd_mail_is_idle(struct relayd_mail *b);

#endif
