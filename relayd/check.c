#include "relayd/check.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "relayd/look_sql.h"

#include <pthread.h>
#include <stdatomic.h>

/* The look keeps the log from beginning anew: when that is so many times its size the look ends, and
 * begins again after a while. */
#define LOGS 16
#define AGAIN_MS 60000

struct relayd_check {
    const char *dir;
    struct relayd_writer *writer;
    uint64_t wal_bytes;
    pthread_t thread;
    pthread_mutex_t lock; /* of `stop` */
    pthread_cond_t wake;
    bool stop;
    atomic_bool over;
};

static bool
ends(void *arg)
{
    struct relayd_check *c = arg;
    bool stop;

    pthread_mutex_lock(&c->lock);
    stop = c->stop;
    pthread_mutex_unlock(&c->lock);
    return stop || relayd_writer_wal_bytes(c->writer) > LOGS * c->wal_bytes;
}

/* True: there is nothing more to do. */
static bool
look(struct relayd_check *c)
{
    struct relayd_look *reader;
    struct yb_err err = { 0 };
    enum relayd_fate fate = RELAYD_FATE_REFUSED;

    if (relayd_look_open(c->dir, &reader, &err) == 0)
        fate = relayd_look_through(reader, ends, c, &err);
    relayd_look_close(&reader);
    if (fate == RELAYD_FATE_DAMAGED)
        relayd_writer_damaged(c->writer, &err);
    else if (fate == RELAYD_FATE_OK)
        yb_log(YB_LOG_INFO, NULL, "relayd.queue.checked",
               "queue.db was looked through after an unclean stop of the machine: it is sound");
    return fate == RELAYD_FATE_DAMAGED || fate == RELAYD_FATE_OK;
}

static void *
check(void *arg)
{
    struct relayd_check *c = arg;
    bool over = false, stop = false;

    while (!over && !stop) {
        over = look(c);
        pthread_mutex_lock(&c->lock);
        if (!over && !c->stop) {
            struct timespec until = yb_clock_wait(AGAIN_MS);

            pthread_cond_timedwait(&c->wake, &c->lock, &until);
        }
        stop = c->stop;
        pthread_mutex_unlock(&c->lock);
    }
    atomic_store(&c->over, over);
    return NULL;
}

int
relayd_check_new(const char *dir, struct relayd_writer *w, uint64_t wal_bytes,
                 struct relayd_check **out, struct yb_err *err)
{
    struct relayd_check *c = yb_alloc(1, sizeof(*c));
    int rc;

    c->dir = dir;
    c->writer = w;
    c->wal_bytes = wal_bytes;
    pthread_mutex_init(&c->lock, NULL);
    yb_clock_cond_init(&c->wake);
    rc = pthread_create(&c->thread, NULL, check, c);
    *out = c;
    if (rc == 0)
        return 0;
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    yb_free(c);
    *out = NULL;
    return yb_err_inside(err, YB_TEMP, "4.3.0", "the look through queue.db cannot be started");
}

bool
relayd_check_free(struct relayd_check **c)
{
    bool over;

    if (*c == NULL)
        return true;
    pthread_mutex_lock(&(*c)->lock);
    (*c)->stop = true;
    pthread_cond_signal(&(*c)->wake);
    pthread_mutex_unlock(&(*c)->lock);
    pthread_join((*c)->thread, NULL);
    over = atomic_load(&(*c)->over);
    pthread_cond_destroy(&(*c)->wake);
    pthread_mutex_destroy(&(*c)->lock);
    yb_free(*c);
    *c = NULL;
    return over;
}

bool
relayd_check_runs(const struct relayd_check *c)
{
    return c != NULL && !atomic_load(&c->over);
}
