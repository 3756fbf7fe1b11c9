/*
 * An event loop: waits in epoll, for sockets and for the earliest timer, and posts what it sees to
 * the connections concerned. It never reads, writes or calls a handler. The first loop accepts,
 * and knows nothing of what the listener makes of the socket.
 */
#include "lib/net/engine.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS 256
#define ACCEPTS 64          /* a wake-up */
#define ACCEPT_RETRY_MS 100 /* after the process ran out of descriptors or memory */
#define TAG_LISTENER ((uint64_t)1 << 63)

int
yb_loop_open(struct yb_loop *l, struct yb_err *err)
{
    struct epoll_event ev = { .events = EPOLLIN }; /* data 0: generation 0 is no connection */

    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->epoll_fd < 0 || l->wake_fd < 0 ||
        epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &ev) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.2", "event loop");
    return 0;
}

void
yb_loop_close(struct yb_loop *l)
{
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    l->epoll_fd = l->wake_fd = -1;
    yb_timers_release(&l->timers);
}

void
yb_loop_nudge(struct yb_loop *l)
{
    uint64_t one = 1;

    if (write(l->wake_fd, &one, sizeof(one)) < 0)
        yb_assert(errno == EAGAIN); /* its counter is full: it is awake */
}

/* --- timers --- */

void
yb_loop_timer_set(struct yb_loop *l, struct yb_timer *t, int64_t at)
{
    bool sooner;

    pthread_mutex_lock(&l->lock);
    yb_timers_set(&l->timers, t, at);
    sooner = at < l->sleep_until;
    if (sooner)
        l->sleep_until = at;
    pthread_mutex_unlock(&l->lock);
    if (sooner && l->wake_fd >= 0)
        yb_loop_nudge(l);
}

void
yb_loop_timer_remove(struct yb_loop *l, struct yb_timer *t)
{
    pthread_mutex_lock(&l->lock);
    yb_timers_remove(&l->timers, t);
    pthread_mutex_unlock(&l->lock);
}

/* Lets the timers that are due go off; returns epoll_wait()'s time-out until the next. */
static int
run_timers(struct yb_loop *l)
{
    int64_t now = yb_clock_ms(), next;
    struct yb_timer *t;

    pthread_mutex_lock(&l->lock);
    while ((t = yb_timers_first(&l->timers)) != NULL && t->at <= now) {
        yb_timers_remove(&l->timers, t);
        t->fire(t, now); /* under the lock: its owner cannot go meanwhile */
    }
    next = t == NULL ? YB_NEVER : t->at;
    l->sleep_until = next;
    pthread_mutex_unlock(&l->lock);
    if (next == YB_NEVER)
        return -1;
    return next - now > 3600000 ? 3600000 : (int)(next - now);
}

/* --- listeners --- */

static int
listener_arm(struct yb_listener *listener, int op, uint32_t events)
{
    struct epoll_event ev = { .events = events };

    ev.data.u64 = TAG_LISTENER | (uint64_t)(uintptr_t)listener;
    return epoll_ctl(listener->net->loops[0].epoll_fd, op, listener->spec.fd, &ev);
}

static void
listener_retry(struct yb_timer *t, int64_t now YB_UNUSED)
{
    struct yb_listener *listener = YB_CONTAINER(t, struct yb_listener, retry);

    if (!atomic_load(&listener->net->stopping))
        listener_arm(listener, EPOLL_CTL_MOD, EPOLLIN);
}

int
yb_loop_add_listener(struct yb_loop *l YB_UNUSED, struct yb_listener *listener, struct yb_err *err)
{
    listener->retry.fire = listener_retry;
    if (listener_arm(listener, EPOLL_CTL_ADD, EPOLLIN) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.2", "watch a listener");
    return 0;
}

static void
accept_some(struct yb_loop *l, struct yb_listener *listener)
{
    for (int k = 0; k < ACCEPTS && !atomic_load(&l->net->stopping); k++) {
        union yb_addr peer = { .any = { .sa_family = AF_UNSPEC } };
        socklen_t size = sizeof(peer);
        int fd = accept4(listener->spec.fd, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            listener->accepted(listener, fd, &peer);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            yb_log(YB_LOG_ERROR, NULL, "net.accept.failed", "%s", strerror(errno));
            listener_arm(listener, EPOLL_CTL_MOD, 0);
            yb_loop_timer_set(l, &listener->retry, yb_clock_ms() + ACCEPT_RETRY_MS);
            return;
        }
        /* Any other error is that of one connection that is gone already. */
    }
}

/* --- the loop --- */

static void
dispatch(struct yb_loop *l, const struct epoll_event *ev)
{
    struct yb_conn_ref ref = { (uint32_t)ev->data.u64, (uint32_t)(ev->data.u64 >> 32) };
    unsigned events = 0;
    uint64_t count;

    if ((ev->data.u64 & TAG_LISTENER) != 0) {
        accept_some(l, (struct yb_listener *)(uintptr_t)(ev->data.u64 & ~TAG_LISTENER));
    } else if (ev->data.u64 == 0) {
        while (read(l->wake_fd, &count, sizeof(count)) > 0)
            ;
    } else {
        if ((ev->events & EPOLLIN) != 0)
            events |= YB_EV_IN;
        if ((ev->events & EPOLLOUT) != 0)
            events |= YB_EV_OUT;
        if ((ev->events & (EPOLLHUP | EPOLLERR)) != 0)
            events |= YB_EV_HUP;
        yb_slot_post(l->net, ref, events);
    }
}

void *
yb_loop_main(void *loop)
{
    struct yb_loop *l = loop;
    struct epoll_event events[EVENTS];

    while (!atomic_load(&l->net->stopping)) {
        int n = epoll_wait(l->epoll_fd, events, EVENTS, run_timers(l));

        for (int k = 0; k < n; k++)
            dispatch(l, &events[k]);
    }
    return NULL;
}
