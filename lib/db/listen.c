/*
 * The listening thread:
 *
 *   state       call that leaves it                        to
 *   away        listener_connect()  LISTEN confirmed,      listening
 *                                   question answered: up
 *               stop_wait()         back-off is over       away
 *   listening   listener_hear()     connection lost: down  away
 */
#include "lib/db/listen.h"

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/db/connect.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FIRST_PAUSE_MS 100
#define LAST_PAUSE_MS 2000

struct yb_db_listener {
    struct yb_db_hosts *hosts;
    struct yb_db_listener_conf conf;
    int64_t asked_ms[YB_DB_TOPICS], due_ms[YB_DB_TOPICS]; /* of the question; due: the next time */
    int stop_fd;                                          /* readable: end */
    pthread_t thread;
};

/* Waits for `ms`, or for the order to stop: true. */
static bool
stop_wait(const struct yb_db_listener *l, int64_t ms)
{
    struct yb_deadline by = yb_deadline_in(ms);
    struct pollfd p = { .fd = l->stop_fd, .events = POLLIN };
    int rc;

    do {
        rc = poll(&p, 1, yb_deadline_left(by));
    } while (rc < 0 && errno == EINTR);
    return rc != 0;
}

/* Asks what must be known besides, and hands the answer over. */
static int
question_ask(struct yb_db_listener *l, size_t i, PGconn *pg, struct yb_deadline by,
             struct yb_err *err)
{
    const struct yb_db_topic *t = &l->conf.topics[i];
    PGresult *r = NULL, *failed = NULL;
    int rc = -1;

    if (t->question == NULL)
        return 0;
    l->asked_ms[i] = yb_clock_ms();
    l->due_ms[i] = t->again_ms > 0 ? l->asked_ms[i] + t->again_ms : INT64_MAX;
    if (t->asks != NULL)
        t->asks(l->conf.arg);
    if (PQsendQuery(pg, t->question) != 1)
        return yb_pq_fail(pg, NULL, err);
    if (yb_pq_finish(pg, by, &r, &failed, err) == 0)
        rc = t->answer(l->conf.arg, yb_str_from(PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : ""), err);
    PQclear(r);
    PQclear(failed);
    return rc;
}

/* Those whose time has come. */
static int
questions_due(struct yb_db_listener *l, PGconn *pg, struct yb_err *err)
{
    for (size_t i = 0; i < l->conf.n_topics; i++) {
        if (l->due_ms[i] <= yb_clock_ms() &&
            question_ask(l, i, pg, yb_deadline_in(l->conf.deadline_ms), err) < 0)
            return -1;
    }
    return 0;
}

/* How long there is nothing to ask, and at most until the connection is looked at. */
static int
rest_ms(const struct yb_db_listener *l)
{
    int64_t left = l->conf.check_ms;

    for (size_t i = 0; i < l->conf.n_topics; i++) {
        int64_t due = l->due_ms[i] - yb_clock_ms();

        left = due < left ? due : left;
    }
    return left > 0 ? (int)left : 0;
}

/* All channels first: whatever is asked then, its changes are heard of. */
static int
listen_all(struct yb_db_listener *l, PGconn *pg, struct yb_deadline by, struct yb_err *err)
{
    for (size_t i = 0; i < l->conf.n_topics; i++) {
        PGresult *failed = NULL;
        char listen[80];
        int rc;

        snprintf(listen, sizeof(listen), "LISTEN %s", l->conf.topics[i].channel);
        rc = yb_pq_exec(pg, listen, by, &failed, err);
        PQclear(failed);
        if (rc < 0)
            return -1;
    }
    for (size_t i = 0; i < l->conf.n_topics; i++) {
        if (question_ask(l, i, pg, by, err) < 0)
            return -1;
    }
    return 0;
}

static PGconn *
listener_connect(struct yb_db_listener *l, struct yb_err *err)
{
    struct yb_deadline by = yb_deadline_in(l->conf.deadline_ms);
    PGconn *pg = yb_db_hosts_connect(l->hosts, by, err);

    if (pg != NULL && listen_all(l, pg, by, err) < 0) {
        PQfinish(pg);
        return NULL;
    }
    return pg;
}

/* False: the question was to be asked again, and was not answered. */
static bool
notice_take(struct yb_db_listener *l, PGconn *pg, const PGnotify *n)
{
    for (size_t i = 0; i < l->conf.n_topics; i++) {
        const struct yb_db_topic *t = &l->conf.topics[i];
        struct yb_err ignored = { 0 };

        if (strcmp(t->channel, n->relname) != 0 || !t->notice(l->conf.arg, yb_str_from(n->extra)))
            continue;
        if (yb_clock_ms() >= l->asked_ms[i] + t->rest_ms)
            return question_ask(l, i, pg, yb_deadline_in(l->conf.deadline_ms), &ignored) == 0;
        if (l->due_ms[i] > l->asked_ms[i] + t->rest_ms)
            l->due_ms[i] = l->asked_ms[i] + t->rest_ms;
    }
    return true;
}

static bool
notices_take(struct yb_db_listener *l, PGconn *pg)
{
    PGnotify *n;
    bool good = true;

    while (good && (n = PQnotifies(pg)) != NULL) {
        good = notice_take(l, pg, n);
        PQfreemem(n);
    }
    return good;
}

/* Hands over what comes until the connection ends (false) or the thread is told to stop (true). */
static bool
listener_hear(struct yb_db_listener *l, PGconn *pg)
{
    struct pollfd p[2] = { { .fd = PQsocket(pg), .events = POLLIN },
                           { .fd = l->stop_fd, .events = POLLIN } };
    int64_t heard_ms = yb_clock_ms();

    while (true) {
        struct yb_err err = { 0 };
        PGresult *failed = NULL;
        int rc;

        /* What comes while a question is answered is taken behind it. */
        if (questions_due(l, pg, &err) < 0 || !notices_take(l, pg))
            return false;
        rc = poll(p, 2, rest_ms(l));
        if (rc < 0 && errno == EINTR)
            continue;
        if (p[1].revents != 0)
            return true;
        if (rc < 0 || (rc > 0 && PQconsumeInput(pg) != 1))
            return false;
        if (rc > 0)
            heard_ms = yb_clock_ms();
        /* Silence: is anybody there? A dead peer would be silent for ever. */
        if (yb_clock_ms() - heard_ms < l->conf.check_ms)
            continue;
        heard_ms = yb_clock_ms();
        if (yb_pq_exec(pg, "SELECT 1", yb_deadline_in(l->conf.deadline_ms), &failed, &err) < 0) {
            PQclear(failed);
            return false;
        }
    }
}

static void *
listener_main(void *arg)
{
    struct yb_db_listener *l = arg;
    int64_t pause = FIRST_PAUSE_MS;
    bool stop = false, told = false;

    while (!stop) {
        struct yb_err err = { 0 };
        PGconn *pg = listener_connect(l, &err);

        if (pg == NULL) {
            if (l->conf.failed != NULL && !told)
                l->conf.failed(l->conf.arg, &err);
            told = true;
            stop = stop_wait(l, pause);
            pause = pause * 2 < LAST_PAUSE_MS ? pause * 2 : LAST_PAUSE_MS;
            continue;
        }
        pause = FIRST_PAUSE_MS;
        told = false;
        l->conf.up(l->conf.arg);
        stop = listener_hear(l, pg);
        if (!stop)
            l->conf.down(l->conf.arg);
        PQfinish(pg);
    }
    return NULL;
}

static void
listener_free(struct yb_db_listener *l)
{
    close(l->stop_fd);
    yb_db_hosts_free(&l->hosts);
    yb_free(l);
}

int
yb_db_listener_start(const struct yb_db_listener_conf *conf, struct yb_db_listener **out,
                     struct yb_err *err)
{
    struct yb_db_listener *l = yb_alloc(1, sizeof(*l));
    sigset_t all, before;
    int rc;

    l->conf = *conf;
    l->conf.deadline_ms = conf->deadline_ms > 0 ? conf->deadline_ms : 3000;
    l->conf.check_ms = conf->check_ms > 0 ? conf->check_ms : 10000;
    yb_assert(conf->n_topics <= YB_DB_TOPICS);
    for (size_t i = 0; i < YB_DB_TOPICS; i++)
        l->due_ms[i] = INT64_MAX;
    l->hosts = yb_db_hosts_new(conf->conninfo, conf->application);
    l->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    yb_assert(l->stop_fd >= 0);
    /* Signals are the main thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&l->thread, NULL, listener_main, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        listener_free(l);
        errno = rc;
        return yb_err_sys(err, YB_TEMP, "4.3.0", "start the listening thread");
    }
    *out = l;
    return 0;
}

void
yb_db_listener_stop(struct yb_db_listener **l)
{
    if (*l == NULL)
        return;
    eventfd_write((*l)->stop_fd, 1);
    pthread_join((*l)->thread, NULL);
    listener_free(*l);
    *l = NULL;
}
