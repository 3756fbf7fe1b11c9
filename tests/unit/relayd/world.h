/*
 * A scheduler in a world of virtual time: jobs take as long as they take, changes reach the disk a moment
 * later, and what must always hold is looked at after every step. What lmtpd and the directory say to a
 * recipient is asked of the test.
 */
#ifndef TESTS_RELAYD_WORLD_H
#define TESTS_RELAYD_WORLD_H

#include "relayd/sched.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* What became of one recipient so far; named by its number, which is its delivery id, too. */
struct fate {
    unsigned tries, later, stored, deleted, discarded, held, released;
    int64_t last_try; /* boot clock */
    int64_t gap;      /* between its last two tries */
    enum relayd_state state;
    enum relayd_reason reason;
    uint32_t attempts;
    bool repeat; /* its last try said so */
};

struct job_underway {
    int64_t until;
    struct yb_arena *arena;
    struct relayd_job job;
    bool runs;
};

struct change_posted {
    struct change_posted *next;
    struct relayd_change change;
    struct relayd_message m;
    struct relayd_recipient *r;
};

struct world {
    struct relayd_sched_conf conf;
    struct relayd_sched *sched;
    struct relayd_now now;
    struct fate *fates;
    size_t n, left; /* recipients ever, and those that have no end yet */
    uint64_t m;
    struct job_underway jobs[16];
    struct change_posted *posted, **posted_end;
    size_t n_changes, n_jobs;
    int64_t due_in_ms; /* of messages from now on */
    bool disk_full;    /* what is ordered fails */
    uint64_t dice;
    int64_t takes_ms; /* a job, up to twice of it */
    /* The test's: fills job->o, job->lmtpd, job->directory. NULL: all is stored. */
    void (*answer)(struct world *w, struct relayd_job *job);
    /* … of each job that begins. */
    void (*began)(struct world *w, const struct relayd_job *job);
    bool lmtpd_away, directory_away;
    void *arg;
};

void world_open(struct world *w, size_t recipients);
void world_close(struct world *w);
/* A message with so many recipients of a tenant, `age` old; fresh: it just came. Returns the number of its
 * first recipient. */
size_t world_message(struct world *w, unsigned tenant, size_t recipients, int64_t age, bool fresh);
/* Until nothing is left or so much time is over. */
void world_run(struct world *w, int64_t ms);
/* The wall clock is set. */
void world_jump(struct world *w, int64_t ms);
/* Something is ordered of a recipient. */
enum relayd_ordered world_order(struct world *w, size_t recipient, enum relayd_order order);
/* Which recipient it is. */
size_t world_number(const struct relayd_recipient *r);
unsigned world_dice(struct world *w, unsigned sides);

#endif
