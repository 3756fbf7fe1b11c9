/*
 * Who has an account: a queue between the threads of this process, then flock() between processes,
 * both within one deadline. flock() belongs to the open file, which all threads share; it ends with
 * the process, so a killed holder holds nothing.
 */
#include "lib/store/handles.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <sys/file.h>

#define NAP_FIRST_US 50

struct yb_waiter {
    pthread_cond_t turn;
    bool granted;
    struct yb_waiter *next;
};

static void
waiter_remove(struct yb_store_account *a, struct yb_waiter *w)
{
    struct yb_waiter **at = &a->first_waiter;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (a->last_waiter == w) {
        a->last_waiter = NULL;
        for (struct yb_waiter *k = a->first_waiter; k != NULL; k = k->next)
            a->last_waiter = k;
    }
}

/* This thread's turn among the threads of the process; false at the deadline. */
static bool
queue_enter(struct yb_store_account *a, struct yb_deadline deadline)
{
    struct yb_waiter w = { .granted = false };
    struct timespec until;

    pthread_mutex_lock(&a->queue_mutex);
    if (!a->held) {
        a->held = true;
        pthread_mutex_unlock(&a->queue_mutex);
        return true;
    }
    yb_clock_cond_init(&w.turn);
    if (a->last_waiter == NULL)
        a->first_waiter = &w;
    else
        a->last_waiter->next = &w;
    a->last_waiter = &w;
    until = yb_clock_wait(yb_deadline_left(deadline));
    while (!w.granted) {
        if (pthread_cond_timedwait(&w.turn, &a->queue_mutex, &until) == ETIMEDOUT && !w.granted) {
            waiter_remove(a, &w);
            break;
        }
    }
    pthread_mutex_unlock(&a->queue_mutex);
    pthread_cond_destroy(&w.turn);
    return w.granted;
}

static void
queue_leave(struct yb_store_account *a)
{
    struct yb_waiter *w;

    pthread_mutex_lock(&a->queue_mutex);
    w = a->first_waiter;
    if (w == NULL) {
        a->held = false;
    } else {
        a->first_waiter = w->next;
        if (w->next == NULL)
            a->last_waiter = NULL;
        w->granted = true;
        pthread_cond_signal(&w->turn);
    }
    pthread_mutex_unlock(&a->queue_mutex);
}

/* flock() with a deadline, on the file that is `lock` now. */
static int
file_lock(struct yb_store_account *a, struct yb_deadline deadline, struct yb_err *err)
{
    int64_t nap = NAP_FIRST_US;

    for (;;) {
        if (flock(a->lock_fd, LOCK_EX | LOCK_NB) == 0) {
            if (yb_sys_is(a->dir_fd, YB_LOCK_FILE, a->lock_id))
                return 0;
            if (yb_account_open_lock(a, err) < 0) /* replaced, moved away, removed */
                return -1;
            continue;
        }
        if (errno != EWOULDBLOCK && errno != EINTR)
            return yb_err_sys(err, YB_TEMP, "4.3.0", "lock the account");
        if (yb_deadline_left(deadline) == 0)
            return yb_err_inside(err, YB_TEMP, "4.2.0", "the account stayed locked");
        yb_lockfile_want(a->lock_fd);
        yb_clock_rest_us(nap);
        nap = nap * 2 < YB_LOCK_NAP_US ? nap * 2 : YB_LOCK_NAP_US;
    }
}

int
yb_account_hold(struct yb_store_account *a, struct yb_err *err)
{
    struct yb_deadline deadline = yb_deadline_in(a->store->conf.lock_timeout_ms);

    if (atomic_load(&a->gone))
        return yb_err_set(err, YB_TEMP, "4.2.0", "The account is not here any more");
    if (!queue_enter(a, deadline))
        return yb_err_inside(err, YB_TEMP, "4.2.0", "too many wait for the account");
    if (file_lock(a, deadline, err) < 0) {
        queue_leave(a);
        return -1;
    }
    return 0;
}

void
yb_account_unlock(struct yb_store_account *a)
{
    flock(a->lock_fd, LOCK_UN);
    queue_leave(a);
}
