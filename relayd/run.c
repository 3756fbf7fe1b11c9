/*
 * Threads and what they share: the mailbox (mail.h), and the queue in memory, struct relayd_sched, which
 * is the scheduler's thread's, and the control thread's for a few hundred rows at a time.
 */
#include "relayd/run.h"

#include "lib/base/log.h"
#include "relayd/changes.h"
#include "relayd/deliver.h"

/* The scheduler looks at the clocks at least so often … */
#define TICK_MS 1000
/* … and does not come sooner than this for what could not be given out. */
#define TICK_LEAST_MS 20
/* Recipients looked at in one go of the lock. */
#define ROWS_AT_ONCE 256

enum { TRIED_STORED, TRIED_REFUSED, TRIED_AWAY, TRIED_GONE, TRIED_TROUBLE, TRIED };
#define ATTEMPTS "relayd_attempts_total", "Attempts, by recipients."
static const struct yb_counter tried_rows[TRIED] = {
    [TRIED_STORED] = { ATTEMPTS, "result=\"stored\"" },
    [TRIED_REFUSED] = { ATTEMPTS, "result=\"refused\"" },
    [TRIED_AWAY] = { ATTEMPTS, "result=\"away\"" },
    [TRIED_GONE] = { ATTEMPTS, "result=\"gone\"" },
    [TRIED_TROUBLE] = { ATTEMPTS, "result=\"trouble\"" },
};

struct relayd_run {
    struct relayd_run_conf conf;
    struct relayd_deliver deliver;
    struct relayd_mail mail;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t settled;
    struct relayd_sched *sched;
    struct relayd_changes changes;
    bool lmtpd_away, directory_away; /* as was told last */

    pthread_t scheduler, *workers;
    bool scheduler_runs;
    unsigned n_workers;

    _Atomic uint64_t tried[TRIED];
    struct yb_counters counters;
};

static struct relayd_now
clocks(void)
{
    return (struct relayd_now){ yb_clock_now_us() / 1000, yb_clock_boot_ms() };
}

/* Called by the scheduler, so under the lock. */
static void
change(void *arg, const struct relayd_change *c)
{
    struct relayd_run *run = arg;

    relayd_changes_give(&run->changes, c);
}

static void
settle(struct relayd_run *run, struct relayd_pending *p)
{
    const struct relayd_change *c;
    bool ok;

    if (!relayd_changes_back(&run->changes, p, &c, &ok))
        return;
    relayd_sched_settled(run->sched, clocks(), c, ok);
    if (relayd_changes_end(&run->changes, p))
        pthread_cond_broadcast(&run->settled);
}

/* --- the scheduler's thread --- */

static void
task_free(struct relayd_task *t)
{
    yb_arena_free(&t->arena);
    yb_free(t);
}

static void
count_tried(struct relayd_run *run, const struct relayd_job *job)
{
    static const size_t rows[] = {
        [RELAYD_TRY_AWAY] = TRIED_AWAY,     [RELAYD_TRY_TROUBLE] = TRIED_TROUBLE,
        [RELAYD_TRY_STORED] = TRIED_STORED, [RELAYD_TRY_REFUSED] = TRIED_REFUSED,
        [RELAYD_TRY_GONE] = TRIED_GONE,     [RELAYD_TRY_NO_BODY] = TRIED_TROUBLE,
    };

    for (size_t i = 0; i < job->m.n; i++)
        yb_count(&run->counters, rows[job->o[i].fate], 1);
}

static void
open_letter(struct relayd_run *run, struct relayd_letter *l)
{
    uint32_t chance;

    switch (l->kind) {
    case RELAYD_CAME:
        relayd_sched_add(run->sched, clocks(), l->m, true);
        yb_arena_free(&l->arena);
        break;
    case RELAYD_TRIED:
        yb_random(&chance, sizeof(chance));
        count_tried(run, &l->task->job);
        relayd_sched_done(run->sched, clocks(), &l->task->job, chance);
        task_free(l->task);
        break;
    case RELAYD_SETTLED:
        settle(run, l->pending);
        break;
    }
    yb_free(l);
}

static void
give_out(struct relayd_run *run)
{
    struct relayd_now now = clocks();
    struct relayd_task *t;

    do {
        t = yb_alloc(1, sizeof(*t));
        t->arena = yb_arena_new(4096);
        if (relayd_sched_take(run->sched, now, t->arena, &t->job)) {
            relayd_mail_give(&run->mail, t);
        } else {
            task_free(t);
            t = NULL;
        }
    } while (t != NULL);
}

static void
tell_site(const char *site, bool away, bool *told)
{
    if (away && !*told)
        yb_log(YB_LOG_WARN, NULL, "relayd.site.asleep", "%s does not answer: mail waits", site);
    else if (!away && *told)
        yb_log(YB_LOG_INFO, NULL, "relayd.site.awake", "%s answers again", site);
    *told = away;
}

/* Under the lock: what there is to do now. Returns when to come back, in milliseconds. */
static int64_t
turn(struct relayd_run *run, bool stopping)
{
    struct relayd_now now = clocks();
    struct relayd_sched_stats stats;
    int64_t wait;

    if (relayd_sched_tick(run->sched, now))
        yb_log(YB_LOG_WARN, NULL, "relayd.clock.jump",
               "the wall clock was set: nothing is held or discarded for its age for a while");
    /* What is delivered and cannot be written down would fill memory, and come again after a start. */
    if (!stopping && run->changes.refused == 0)
        give_out(run);
    relayd_changes_again(&run->changes);
    relayd_sched_stats_read(run->sched, now, &stats);
    tell_site("lmtpd", stats.lmtpd_away, &run->lmtpd_away);
    tell_site("the directory", stats.directory_away, &run->directory_away);
    if (stopping && stats.underway == 0 && run->changes.n == 0)
        relayd_mail_is_idle(&run->mail);
    wait = relayd_sched_wait(run->sched, now);
    if (wait < 0 || wait > TICK_MS)
        wait = TICK_MS;
    return wait < TICK_LEAST_MS ? TICK_LEAST_MS : wait;
}

static void *
schedule(void *arg)
{
    struct relayd_run *run = arg;
    bool stopping = false, over = false;
    int64_t wait = 0;

    while (!over) {
        struct relayd_letter *l = relayd_mail_take(&run->mail, wait, &stopping, &over), *next;

        pthread_mutex_lock(&run->lock);
        for (; l != NULL; l = next) {
            next = l->next;
            open_letter(run, l);
        }
        wait = turn(run, stopping);
        pthread_mutex_unlock(&run->lock);
    }
    return NULL;
}

static void *
deliver(void *arg)
{
    struct relayd_run *run = arg;
    struct relayd_task *t;

    while ((t = relayd_mail_task(&run->mail)) != NULL) {
        relayd_deliver_job(&run->deliver, &t->job, t->arena);
        relayd_mail_post(&run->mail, RELAYD_TRIED, &(struct relayd_letter){ .task = t });
    }
    return NULL;
}

/* --- life --- */

/* On the thread that put it. */
static void
came(void *arg, const struct relayd_message *m)
{
    struct relayd_run *run = arg;
    struct relayd_letter l = { .arena = yb_arena_new(1024) };

    l.m = relayd_message_copy(m, l.arena);
    relayd_mail_post(&run->mail, RELAYD_CAME, &l);
}

/* Nothing can be written down any more: nothing more is delivered, which would come twice. */
static void
damaged(void *arg, const struct yb_err *why YB_UNUSED)
{
    struct relayd_run *run = arg;

    relayd_mail_drain(&run->mail);
}

static int
scanned(void *arg, const struct relayd_message *m, struct yb_err *err YB_UNUSED)
{
    struct relayd_run *run = arg;

    relayd_sched_add(run->sched, clocks(), m, false);
    return 0;
}

static int
start_threads(struct relayd_run *run, struct yb_err *err)
{
    unsigned n = run->conf.sched.workers;
    int rc = pthread_create(&run->scheduler, NULL, schedule, run);

    run->scheduler_runs = rc == 0;
    run->workers = yb_alloc(n, sizeof(*run->workers));
    for (; rc == 0 && run->n_workers < n; run->n_workers += rc == 0)
        rc = pthread_create(&run->workers[run->n_workers], NULL, deliver, run);
    return rc == 0 ? 0 : yb_err_inside(err, YB_TEMP, "4.3.0", "no thread is to be had");
}

static struct relayd_run *
run_new(const struct relayd_run_conf *conf)
{
    struct relayd_run *run = yb_alloc(1, sizeof(*run));

    run->conf = *conf;
    run->deliver = (struct relayd_deliver){ conf->queue, conf->lmtpd, conf->directory };
    relayd_mail_init(&run->mail);
    pthread_mutex_init(&run->lock, NULL);
    yb_clock_cond_init(&run->settled);
    run->counters = (struct yb_counters){ tried_rows, TRIED, run->tried };
    relayd_changes_init(&run->changes, conf->queue, conf->events, &run->mail);
    run->sched = relayd_sched_new(&conf->sched, clocks(), change, run);
    return run;
}

int
relayd_run_start(const struct relayd_run_conf *conf, struct relayd_run **out, struct yb_err *err)
{
    struct relayd_run *run = run_new(conf);
    const struct relayd_queue_owner owner = { run, came, NULL, damaged };

    *out = run;
    if (relayd_queue_scan(conf->queue, scanned, run, err) < 0 ||
        relayd_queue_start(conf->queue, &owner, err) < 0)
        return -1;
    return start_threads(run, err);
}

void
relayd_run_drain(struct relayd_run *run)
{
    relayd_mail_drain(&run->mail);
}

/* Messages that came when nothing was given out any more. */
static void
empty_mailbox(struct relayd_run *run)
{
    bool stopping = true, over = true;
    struct relayd_letter *l = relayd_mail_take(&run->mail, 0, &stopping, &over), *next;

    for (; l != NULL; l = next) {
        next = l->next;
        open_letter(run, l);
    }
}

bool
relayd_run_stop(struct relayd_run **out, struct yb_deadline by)
{
    struct relayd_run *run = *out;

    if (run == NULL)
        return true;
    *out = NULL;
    if (run->scheduler_runs && !relayd_mail_stop(&run->mail, by)) {
        yb_log(YB_LOG_WARN, NULL, "relayd.stop.late", "an attempt is given up, and repeated");
        pthread_join(run->scheduler, NULL);
        for (unsigned i = 0; i < run->n_workers; i++)
            pthread_detach(run->workers[i]);
        return false;
    }
    if (run->scheduler_runs)
        pthread_join(run->scheduler, NULL);
    for (unsigned i = 0; i < run->n_workers; i++)
        pthread_join(run->workers[i], NULL);
    empty_mailbox(run);
    relayd_sched_free(&run->sched);
    relayd_mail_end(&run->mail);
    pthread_mutex_destroy(&run->lock);
    pthread_cond_destroy(&run->settled);
    yb_free(run->workers);
    yb_free(run);
    return true;
}

void
relayd_run_set(struct relayd_run *run, const struct relayd_sched_conf *conf)
{
    pthread_mutex_lock(&run->lock);
    relayd_sched_set(run->sched, conf);
    pthread_mutex_unlock(&run->lock);
}

int
relayd_run_put(struct relayd_run *run, struct relayd_message *m, const struct yb_msgbuf *body,
               struct yb_err *err)
{
    int64_t since_us;
    int rc;

    relayd_mail_wait_room(&run->mail);
    since_us = yb_clock_us();
    rc = relayd_queue_put(run->conf.queue, m, body, yb_str("", 0), err);
    if (rc == 0)
        yb_histogram_add(&run->changes.times, (uint64_t)(yb_clock_us() - since_us));
    return rc;
}

/* --- for who looks and steers --- */

struct walk {
    bool (*each)(void *arg, const struct relayd_row *row);
    void *arg;
    bool ended; /* it said so */
};

static bool
walk_each(void *arg, const struct relayd_row *row)
{
    struct walk *w = arg;

    w->ended = !w->each(w->arg, row);
    return !w->ended;
}

bool
relayd_run_each(struct relayd_run *run, struct relayd_cursor *from,
                bool (*each)(void *arg, const struct relayd_row *row), void *arg)
{
    struct walk w = { each, arg, false };
    bool more;

    do {
        pthread_mutex_lock(&run->lock);
        more = relayd_sched_each(run->sched, &from->m, &from->n, ROWS_AT_ONCE, walk_each, &w);
        pthread_mutex_unlock(&run->lock);
    } while (more && !w.ended);
    return more;
}

/* Those of a few hundred that match: while they are walked over nothing changes. */
struct matches {
    bool (*match)(void *arg, const struct relayd_row *row);
    void *arg;
    size_t n;
    struct relayd_cursor v[ROWS_AT_ONCE];
};

static bool
match_each(void *arg, const struct relayd_row *row)
{
    struct matches *all = arg;

    if (all->match(all->arg, row))
        all->v[all->n++] = (struct relayd_cursor){ row->m->m, row->r->n };
    return true;
}

static void
order_one(struct relayd_run *run, enum relayd_order order, struct relayd_cursor of,
          struct relayd_run_ordered *out)
{
    out->matched++;
    switch (relayd_sched_order(run->sched, clocks(), of.m, of.n, order)) {
    case RELAYD_ORDERED_DONE:
        out->changed++;
        break;
    case RELAYD_ORDERED_UNDERWAY:
        out->underway++;
        break;
    case RELAYD_ORDERED_NOT:
    case RELAYD_ORDERED_CHANGE:
        break;
    }
}

int
relayd_run_order(struct relayd_run *run, enum relayd_order order, struct yb_str what,
                 bool (*match)(void *arg, const struct relayd_row *row), void *arg,
                 struct relayd_run_ordered *out, struct yb_err *err)
{
    struct relayd_ordering ordering = { .what = what };
    struct matches all = { match, arg, 0, { { 0 } } };
    struct relayd_cursor at = { 0 };
    bool more;

    *out = (struct relayd_run_ordered){ 0 };
    /* It would be told, which is before it is tried, and not come to pass. */
    if (relayd_queue_is_damaged(run->conf.queue))
        return yb_err_set(
            err, YB_PERM, "5.3.0",
            "The queue's database is damaged, as relayd's log says: nothing in it can "
            "be changed");
    do {
        pthread_mutex_lock(&run->lock);
        all.n = 0;
        more = relayd_sched_each(run->sched, &at.m, &at.n, ROWS_AT_ONCE, match_each, &all);
        run->changes.ordering = &ordering;
        for (size_t i = 0; i < all.n; i++)
            order_one(run, order, all.v[i], out);
        run->changes.ordering = NULL;
        /* The writer gets a few hundred at a time, too. */
        while (ordering.posted > 0)
            pthread_cond_wait(&run->settled, &run->lock);
        pthread_mutex_unlock(&run->lock);
    } while (more && ordering.failed == 0);
    relayd_mail_nudge(&run->mail);
    out->changed += ordering.changed;
    if (ordering.failed == 0)
        return 0;
    return yb_err_set(err, YB_TEMP, "4.3.1", "The queue's disk did not take %zu of them",
                      ordering.failed);
}

void
relayd_run_figures(struct relayd_run *run, struct yb_metrics *m)
{
    struct relayd_sched_stats s;
    struct relayd_queue_stats q;

    pthread_mutex_lock(&run->lock);
    relayd_sched_stats_read(run->sched, clocks(), &s);
    pthread_mutex_unlock(&run->lock);
    relayd_queue_stats_read(run->conf.queue, &q);
    yb_metrics_gauge(m, "relayd_recipients", "Recipients queued.", "state=\"waiting\"", s.waiting);
    yb_metrics_gauge(m, "relayd_recipients", "Recipients queued.", "state=\"held\"", s.held);
    yb_metrics_gauge(m, "relayd_messages", "Messages queued.", NULL, s.messages);
    yb_metrics_gauge(m, "relayd_bytes", "Octets of messages queued.", NULL, s.bytes);
    yb_metrics_gauge(m, "relayd_oldest_seconds", "Age of the oldest message queued.", NULL,
                     (uint64_t)(s.oldest_ms / 1000));
    yb_metrics_gauge(m, "relayd_underway", "Messages being delivered.", NULL, s.underway);
    yb_metrics_gauge(m, "relayd_away", "What does not answer, so that mail waits for it.",
                     "site=\"lmtpd\"", s.lmtpd_away);
    yb_metrics_gauge(m, "relayd_away", "What does not answer, so that mail waits for it.",
                     "site=\"directory\"", s.directory_away);
    yb_metrics_counters(m, &run->counters);
    yb_metrics_histogram(m, &run->changes.times);
    yb_metrics_counter(m, "relayd_commits_total", "Transactions of the queue's database.", NULL,
                       q.commits);
    yb_metrics_counter(m, "relayd_commit_ops_total",
                       "Hand-overs and changes that were written by these.", NULL, q.ops);
    yb_metrics_gauge(m, "relayd_log_bytes", "Octets of the database's log.", NULL, q.wal_bytes);
    yb_metrics_gauge(m, "relayd_disk_full", "1: the disk had no room, and its reserve is used.",
                     NULL, !q.ballast);
    yb_metrics_gauge(m, "relayd_damaged", "1: the queue's database is damaged.", NULL, q.damaged);
}
