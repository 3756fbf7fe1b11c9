/*
 * A transaction that fails in one of its operations is undone, and the operations are done again one
 * by one: the bad one fails alone. Memory (which ids are known, how much is queued) changes with the
 * disk: what is known is undone with it, room is given back after the commit.
 */
#include "relayd/writer.h"

#include "lib/base/clock.h"
#include "lib/base/fault.h"
#include "lib/base/log.h"

#include <pthread.h>

#define BATCH_OPS 512
#define BATCH_BYTES (8u << 20)
#define PRUNE_ROWS 2000 /* in one transaction */
#define BALLAST_MS 1000 /* between two looks whether there is room for it again */

struct job {
    struct job *next;
    size_t bytes;
    struct relayd_put *put; /* or NULL: an op */
    struct relayd_op op;
    enum relayd_fate fate;
    struct yb_err err;
    bool over; /* of a put; under the lock */
    pthread_cond_t told;
};

struct relayd_writer {
    struct relayd_writer_conf c;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    struct job *first, **last;
    bool stop;
    bool damaged;
    struct yb_err why;
    struct relayd_queue_stats stats;
    /* The thread's own. */
    struct relayd_effects effects;
    int64_t worked_ms; /* when it last had something to do */
    uint64_t
        again_bytes; /* of the log, at which a checkpoint that was in somebody's way is tried again */
    int64_t ballast_ms;
    bool loose;
};

/* --- transactions --- */

static _Noreturn void
end_broken(struct relayd_writer *w, const struct yb_err *why)
{
    yb_log_err(YB_LOG_ERROR, NULL, "relayd.queue.broken", why);
    if (w->c.owner.broken != NULL)
        w->c.owner.broken(w->c.owner.arg, why);
    yb_leave(75);
}

static void
undo(struct relayd_writer *w)
{
    relayd_db_rollback(w->c.db);
    relayd_known_undo(w->c.known);
}

static void
commit_told(struct relayd_writer *w, size_t ops, int64_t us)
{
    pthread_mutex_lock(&w->lock);
    w->stats.commits++;
    w->stats.ops += ops;
    w->stats.done = relayd_known_done_count(w->c.known);
    if (us > w->stats.longest_commit_us)
        w->stats.longest_commit_us = us;
    pthread_mutex_unlock(&w->lock);
}

/* BROKEN does not come back from here, nor does DAMAGED without being told. */
static enum relayd_fate
judge(struct relayd_writer *w, enum relayd_fate fate, const struct yb_err *err)
{
    if (fate == RELAYD_FATE_BROKEN)
        end_broken(w, err);
    if (fate == RELAYD_FATE_DAMAGED)
        relayd_writer_damaged(w, err);
    return fate;
}

/* All n jobs or none; *bad is the one that failed, or NULL. */
static enum relayd_fate
transact(struct relayd_writer *w, struct job *const *jobs, size_t n, struct yb_err *err)
{
    int64_t begun = yb_clock_us();
    enum relayd_fate fate;

    w->effects.n_shares = w->effects.n_files = 0;
    relayd_known_mark(w->c.known);
    fate = relayd_db_begin(w->c.db, err);
    for (size_t i = 0; fate == RELAYD_FATE_OK && i < n; i++)
        fate = jobs[i]->put != NULL
                   ? relayd_apply_put(w->c.db, w->c.known, jobs[i]->put, err)
                   : relayd_apply_op(w->c.db, w->c.known, &jobs[i]->op, &w->effects, err);
    if (fate == RELAYD_FATE_OK)
        fate = relayd_db_commit(w->c.db, err);
    if (judge(w, fate, err) != RELAYD_FATE_OK) {
        undo(w);
        return fate;
    }
    commit_told(w, n, yb_clock_us() - begun);
    for (size_t i = 0; i < w->effects.n_shares; i++)
        relayd_room_give_back(w->c.room, &w->effects.shares[i]);
    if (w->effects.n_files > 0)
        yb_fault("relay.Q4");
    for (size_t i = 0; i < w->effects.n_files; i++)
        relayd_body_remove(w->c.bodies, w->effects.files[i].mid, w->effects.files[i].m);
    return fate;
}

static void
checkpoint(struct relayd_writer *w)
{
    struct yb_err err = { 0 };
    bool all = false;
    enum relayd_fate fate = judge(w, relayd_db_checkpoint(w->c.db, &all, &err), &err);

    if (fate == RELAYD_FATE_FULL)
        (void)relayd_disk_release(w->c.disk);
    w->again_bytes = all ? 0 : relayd_db_wal_bytes(w->c.db) + w->c.wal_bytes / 4;
    pthread_mutex_lock(&w->lock);
    w->stats.checkpoints++;
    w->stats.busy_checkpoints += all ? 0 : 1;
    pthread_mutex_unlock(&w->lock);
}

/*
 * One job by itself. What came in already must be able to go out: for an op that finds no room the
 * ballast is given up, and the log's blocks are used again.
 */
static void
do_alone(struct relayd_writer *w, struct job *j)
{
    j->fate = transact(w, &j, 1, &j->err);
    if (j->fate != RELAYD_FATE_FULL)
        return;
    (void)relayd_disk_release(w->c.disk);
    w->ballast_ms = yb_clock_ms() + BALLAST_MS;
    if (j->put != NULL)
        return;
    j->fate = transact(w, &j, 1, &j->err);
    if (j->fate == RELAYD_FATE_FULL) {
        checkpoint(w);
        j->fate = transact(w, &j, 1, &j->err);
    }
}

static bool
is_damaged(struct relayd_writer *w, struct yb_err *err)
{
    bool damaged;

    pthread_mutex_lock(&w->lock);
    damaged = w->damaged;
    if (damaged && err != NULL)
        *err = w->why;
    pthread_mutex_unlock(&w->lock);
    return damaged;
}

static void
do_all(struct relayd_writer *w, struct job **jobs, size_t n)
{
    struct yb_err err = { 0 };
    enum relayd_fate fate = RELAYD_FATE_DAMAGED;

    if (!is_damaged(w, &err))
        fate = transact(w, jobs, n, &err);
    for (size_t i = 0; i < n; i++) {
        jobs[i]->fate = fate;
        jobs[i]->err = err;
        if ((fate == RELAYD_FATE_REFUSED && n > 1) || fate == RELAYD_FATE_FULL) {
            if (is_damaged(w, &jobs[i]->err))
                jobs[i]->fate = RELAYD_FATE_DAMAGED;
            else if (jobs[i]->put == NULL || relayd_disk_room(w->c.disk, 0, &jobs[i]->err) == 0)
                do_alone(w, jobs[i]); /* the ballast's room is not for messages */
        }
    }
}

/* --- the thread --- */

/* Everybody hears what became of his; a put's job is its waiter's again from then on. */
static void
tell(struct relayd_writer *w, struct job **jobs, size_t n)
{
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < n; i++) {
        if (jobs[i]->put == NULL)
            continue;
        jobs[i]->over = true;
        pthread_cond_signal(&jobs[i]->told);
        jobs[i] = NULL;
    }
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < n; i++) {
        if (jobs[i] == NULL)
            continue;
        if (jobs[i]->op.done != NULL)
            jobs[i]->op.done(jobs[i]->op.arg, &jobs[i]->op, jobs[i]->fate == RELAYD_FATE_OK);
        else if (jobs[i]->fate != RELAYD_FATE_OK)
            yb_log_err(YB_LOG_ERROR, NULL, "relayd.queue.refused", &jobs[i]->err);
        relayd_op_free(&jobs[i]->op);
        yb_free(jobs[i]);
    }
}

static void
forgotten(void *arg, uint64_t s, struct yb_delivery_id id)
{
    relayd_known_forget(arg, id, s);
}

/* Rows of `done` whose time is over. */
static void
prune(struct relayd_writer *w)
{
    uint64_t upto = relayd_known_due(w->c.known, yb_clock_ms());
    struct yb_err err = { 0 };
    enum relayd_fate fate;

    if (upto == 0)
        return;
    relayd_known_mark(w->c.known);
    fate = relayd_db_begin(w->c.db, &err);
    if (fate == RELAYD_FATE_OK)
        fate = relayd_db_prune(w->c.db, upto, PRUNE_ROWS, forgotten, w->c.known, &err);
    if (fate == RELAYD_FATE_OK)
        fate = relayd_db_commit(w->c.db, &err);
    if (judge(w, fate, &err) == RELAYD_FATE_OK) {
        commit_told(w, 0, 0);
        return;
    }
    undo(w);
    if (fate == RELAYD_FATE_FULL)
        (void)relayd_disk_release(w->c.disk);
}

/* What is to be done beside the operations; `idle`: there are none just now. */
static void
keep_house(struct relayd_writer *w, bool idle)
{
    uint64_t wal = relayd_db_wal_bytes(w->c.db);
    bool has = atomic_load(&w->c.disk->has_ballast);
    int64_t now = yb_clock_ms();
    struct yb_err err = { 0 };

    if (is_damaged(w, NULL))
        return;
    if (wal >= w->c.wal_bytes && wal >= w->again_bytes)
        checkpoint(w);
    prune(w);
    if (!has && now >= w->ballast_ms) {
        w->ballast_ms = now + BALLAST_MS;
        relayd_disk_retake(w->c.disk);
        w->loose = true; /* the file's own free pages are room, too */
    }
    if (!idle || (now - w->worked_ms < w->c.idle_ms && (has || !w->loose)))
        return;
    w->loose = relayd_db_loose(w->c.db, !has) &&
               judge(w, relayd_db_shrink(w->c.db, &err), &err) == RELAYD_FATE_OK;
    if (!w->loose && relayd_db_wal_bytes(w->c.db) > 0) {
        checkpoint(w);
        w->worked_ms = yb_clock_ms();
    }
}

static int64_t
sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Until when the thread may rest if nobody comes: ms, at least 1. */
static int64_t
rest_ms(struct relayd_writer *w)
{
    int64_t now = yb_clock_ms(), at = INT64_MAX, due = relayd_known_due_ms(w->c.known);

    if (w->damaged)
        return 60000;
    if (relayd_db_wal_bytes(w->c.db) > 0)
        at = w->worked_ms + w->c.idle_ms;
    if (due >= 0)
        at = sooner(at, due);
    if (!atomic_load(&w->c.disk->has_ballast))
        at = sooner(at, w->ballast_ms);
    if (w->loose)
        at = now;
    if (at == INT64_MAX)
        return 60000;
    return at <= now ? 1 : sooner(at - now, 60000);
}

/* As many as go into one transaction; under the lock. */
static size_t
take(struct relayd_writer *w, struct job **jobs)
{
    size_t n = 0, bytes = 0;

    while (w->first != NULL && n < BATCH_OPS &&
           (n == 0 || bytes + w->first->bytes <= BATCH_BYTES)) {
        bytes += w->first->bytes;
        jobs[n++] = w->first;
        w->first = w->first->next;
    }
    if (w->first == NULL)
        w->last = &w->first;
    return n;
}

static void *
write_on(void *arg)
{
    struct relayd_writer *w = arg;
    struct job **jobs = yb_alloc(BATCH_OPS, sizeof(*jobs));
    bool over = false;

    while (!over) {
        size_t n;

        pthread_mutex_lock(&w->lock);
        if (w->first == NULL && !w->stop) {
            struct timespec until = yb_clock_wait(rest_ms(w));

            pthread_cond_timedwait(&w->wake, &w->lock, &until);
        }
        n = take(w, jobs);
        over = n == 0 && w->stop;
        pthread_mutex_unlock(&w->lock);
        if (n > 0) {
            do_all(w, jobs, n);
            tell(w, jobs, n);
            w->worked_ms = yb_clock_ms();
        }
        if (!over)
            keep_house(w, n == 0);
    }
    yb_free(jobs);
    return NULL;
}

/* --- what others call --- */

int
relayd_writer_new(const struct relayd_writer_conf *conf, struct relayd_writer **out,
                  struct yb_err *err)
{
    struct relayd_writer *w = yb_alloc(1, sizeof(*w));
    int rc;

    w->c = *conf;
    w->last = &w->first;
    w->worked_ms = yb_clock_ms();
    w->ballast_ms = w->worked_ms + BALLAST_MS;
    w->stats.done = relayd_known_done_count(conf->known);
    pthread_mutex_init(&w->lock, NULL);
    yb_clock_cond_init(&w->wake);
    if (conf->damaged != NULL)
        relayd_writer_damaged(w, conf->damaged);
    rc = pthread_create(&w->thread, NULL, write_on, w);
    if (rc == 0) {
        *out = w;
        return 0;
    }
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    yb_free(w);
    *out = NULL;
    return yb_err_inside(err, YB_TEMP, "4.3.0", "the queue's writer cannot be started: %s",
                         strerror(rc));
}

bool
relayd_writer_free(struct relayd_writer **w)
{
    bool sound;

    if (*w == NULL)
        return true;
    pthread_mutex_lock(&(*w)->lock);
    (*w)->stop = true;
    pthread_cond_signal(&(*w)->wake);
    pthread_mutex_unlock(&(*w)->lock);
    pthread_join((*w)->thread, NULL);
    sound = !(*w)->damaged;
    pthread_cond_destroy(&(*w)->wake);
    pthread_mutex_destroy(&(*w)->lock);
    relayd_effects_free(&(*w)->effects);
    yb_free(*w);
    *w = NULL;
    return sound;
}

/* Under the lock. */
static void
append(struct relayd_writer *w, struct job *j)
{
    if (w->first == NULL)
        pthread_cond_signal(&w->wake);
    j->next = NULL;
    *w->last = j;
    w->last = &j->next;
}

int
relayd_writer_put(struct relayd_writer *w, struct relayd_put *put, struct yb_err *err)
{
    struct job j = { .put = put, .bytes = put->head.n + put->octets.n };

    yb_clock_cond_init(&j.told);
    pthread_mutex_lock(&w->lock);
    append(w, &j);
    while (!j.over)
        pthread_cond_wait(&j.told, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_cond_destroy(&j.told);
    if (j.fate == RELAYD_FATE_OK)
        return 0;
    *err = j.err;
    return -1;
}

void
relayd_writer_post(struct relayd_writer *w, const struct relayd_op *op)
{
    struct job *j = yb_alloc(1, sizeof(*j));

    relayd_op_copy(op, &j->op);
    for (size_t i = 0; i < op->n; i++)
        j->bytes += op->r[i].text.n;
    pthread_mutex_lock(&w->lock);
    append(w, j);
    pthread_mutex_unlock(&w->lock);
}

void
relayd_writer_damaged(struct relayd_writer *w, const struct yb_err *why)
{
    bool first;

    pthread_mutex_lock(&w->lock);
    first = !w->damaged;
    if (first) {
        w->damaged = true;
        w->why = *why;
        w->why.kind = YB_ERR_AWAY;
    }
    pthread_mutex_unlock(&w->lock);
    if (!first)
        return;
    yb_log_err(YB_LOG_ERROR, NULL, "relayd.queue.damaged", why);
    if (w->c.owner.damaged != NULL)
        w->c.owner.damaged(w->c.owner.arg, why);
}

bool
relayd_writer_is_damaged(struct relayd_writer *w)
{
    return is_damaged(w, NULL);
}

uint64_t
relayd_writer_wal_bytes(const struct relayd_writer *w)
{
    return relayd_db_wal_bytes(w->c.db);
}

void
relayd_writer_stats(struct relayd_writer *w, struct relayd_queue_stats *out)
{
    pthread_mutex_lock(&w->lock);
    *out = w->stats;
    out->damaged = w->damaged;
    w->stats.longest_commit_us = 0;
    pthread_mutex_unlock(&w->lock);
    out->wal_bytes = relayd_db_wal_bytes(w->c.db);
    out->ballast = atomic_load(&w->c.disk->has_ballast);
}
