/*
 * The inside of the scheduler (sched.h), for the files it is made of: plan.c knows what is due and what
 * changes, look.c shows and steers, fate.c draws conclusions, sched.c gives out work.
 */
#ifndef RELAYD_PLAN_H
#define RELAYD_PLAN_H

#include "relayd/heap.h"
#include "relayd/sched.h"
#include "relayd/turns.h"

struct relayd_site_state {
    bool asleep, probing;
    unsigned failures;
    int64_t since_ms, wake_ms; /* boot clock: of the first failure, of the next probe */
};

struct relayd_sched {
    struct relayd_sched_conf conf;
    struct relayd_now now; /* of the last call */
    int64_t offset_ms;     /* wall clock less boot clock, then */
    int64_t grace_ms;      /* boot clock: until then nothing is held or discarded for its age */
    struct relayd_rows *rows;
    struct relayd_heap heap;
    struct relayd_turns turns;
    struct relayd_site_state lmtpd, directory;
    size_t waiting, held, underway;
    uint64_t bytes;
    void (*change)(void *arg, const struct relayd_change *change);
    void *arg;
};

/* Bits of relayd_job.probes. */
enum { RELAYD_PROBES_LMTPD = 1, RELAYD_PROBES_DIRECTORY = 2 };

/* The n-th wait in a row: twice as long each time, from `first` on to `most`. */
int64_t relayd_doubled(int64_t first, int64_t most, unsigned n);

/* It answers, or may be tried. */
bool relayd_site_may(const struct relayd_site_state *site, struct relayd_now now);
/* What a job showed of it; `probe`: the job was its probe. */
void relayd_site_learns(struct relayd_sched *s, struct relayd_site_state *site,
                        enum relayd_contact contact, bool probe);

/* The recipient may be tried now. */
bool relayd_is_due(const struct relayd_row_mem *row, struct relayd_now now);
enum relayd_class relayd_class_of(const struct relayd_sched *s, const struct relayd_msg *msg);
/* lmtpd has been away for so long, and the message waited for it all that time. */
bool relayd_waited_out(const struct relayd_sched *s, const struct relayd_msg *msg);
/* Out of heap and ready queue. */
void relayd_take_out(struct relayd_sched *s, struct relayd_msg *msg);
/* To where it belongs by what its recipients wait for. One that is ready keeps its place in the queue:
 * take() sees what is left of it. */
void relayd_put_in(struct relayd_sched *s, struct relayd_msg *msg, bool front);
/* The count of recipients in that state. */
size_t *relayd_count_of(struct relayd_sched *s, unsigned state);
/* Boot clock: when that is. A row of a former life may say anything: no wait is longer than the longest
 * there is. */
int64_t relayd_due_at(const struct relayd_sched *s, int64_t wall_ms);

/* Recipients of one message that change alike. */
struct relayd_batch {
    struct relayd_change change;
    struct relayd_message m;
    size_t room;
};

/* Empty. */
void relayd_batch_begin(struct relayd_batch *b, enum relayd_op_kind kind,
                        const struct relayd_msg *msg);
/* The recipient as it is now, for the caller to change; it settles from now on. */
struct relayd_recipient *relayd_batch_add(const struct relayd_sched *s, struct relayd_batch *b,
                                          const struct relayd_msg *msg, struct relayd_row_mem *row);
/* Gives the change out, if there is any. */
void relayd_batch_end(struct relayd_sched *s, struct relayd_batch *b);
void relayd_set_hold(struct relayd_recipient *r, enum relayd_reason reason);

/* --- look.c --- */
/* What was ordered while it could not be done. The caller puts the message in. */
void relayd_carry_out(struct relayd_sched *s, struct relayd_msg *msg);

#endif
