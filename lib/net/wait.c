/* What a parked connection waits for: events of its socket, and time. */
#include "lib/net/engine.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <sys/epoll.h>

bool
yb_conn_may_handle(const struct yb_conn *c)
{
    return c->state == YB_CONN_OPEN && !c->paused && c->producer == NULL && !c->start_tls &&
           c->out.size < YB_OUT_HIGH;
}

static uint32_t
wanted(const struct yb_conn *c)
{
    uint32_t mask = 0;

    switch (c->state) {
    case YB_CONN_PROXY:
    case YB_CONN_LINGER:
        return EPOLLIN;
    case YB_CONN_HANDSHAKE:
        return c->read_want == 0 ? EPOLLIN : c->read_want;
    case YB_CONN_OPEN:
    case YB_CONN_CLOSING:
        if (yb_conn_may_handle(c) && !c->eof)
            mask |= c->read_want == 0 ? EPOLLIN : c->read_want;
        if (c->out.size > 0)
            mask |= c->write_want;
        break;
    case YB_CONN_NEW:
    case YB_CONN_DEAD:
        break;
    }
    return mask;
}

void
yb_conn_arm(struct yb_conn *c)
{
    struct epoll_event ev = { .events = wanted(c) };
    int op = c->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (ev.events == 0 || ev.events == c->armed)
        return;
    c->armed = ev.events;
    c->registered = true;
    ev.events |= EPOLLONESHOT;
    ev.data.u64 = (uint64_t)c->self.generation << 32 | c->self.slot;
    if (epoll_ctl(c->loop->epoll_fd, op, c->fd, &ev) < 0) {
        yb_log(YB_LOG_ERROR, &c->log, "net.arm.failed", "%s", strerror(errno));
        yb_slot_post(c->net, c->self, YB_EV_KICK); /* we hold the token: seen before parking */
    }
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return b != 0 && b < a ? b : a;
}

/*
 * The timer is moved only when time matters sooner than it is set to; one that goes off too early
 * finds that in yb_conn_fire() and goes on. A busy connection so costs no timer work.
 */
void
yb_conn_set_timer(struct yb_conn *c)
{
    int64_t due = YB_NEVER;

    if (c->active && c->state == YB_CONN_OPEN)
        c->idle_at = c->timeout_ms > 0 ? yb_clock_ms() + c->timeout_ms : 0;
    else if (c->active && c->state == YB_CONN_CLOSING)
        c->engine_at = yb_clock_ms() + YB_CLOSE_MS;
    c->active = false;
    if (c->state == YB_CONN_OPEN) {
        due = earlier(due, c->idle_at);
        due = earlier(due, c->deadline_at);
    }
    due = earlier(due, c->engine_at);
    atomic_store(&c->due, due);
    if (due < atomic_load(&c->timer_at)) {
        atomic_store(&c->timer_at, due);
        yb_loop_timer_set(c->loop, &c->timer, due);
    }
}

void
yb_conn_fire(struct yb_timer *t, int64_t now)
{
    struct yb_conn *c = YB_CONTAINER(t, struct yb_conn, timer);
    int64_t due;

    atomic_store(&c->timer_at, YB_NEVER); /* first: who sets `due` after this sets the timer too */
    due = atomic_load(&c->due);
    if (due <= now) {
        yb_slot_post(c->net, c->self, YB_EV_TIMER);
    } else if (due != YB_NEVER) {
        atomic_store(&c->timer_at, due);
        yb_timers_set(&c->loop->timers, t, due);
    }
}
