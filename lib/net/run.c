/*
 * A connection's turn on a worker: takes the events that were posted, does what the state allows,
 * arms what it waits for and parks. The states are listed in engine.h.
 */
#include "lib/net/engine.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection's turn, before others get the worker when they wait for one: so many lines, pieces of
 * a producer, or so long. */
#define LINES_A_TURN 32
#define PIECES_A_TURN 4
#define TURN_MS 20
#define LINGER_MS 2000 /* for the peer to see the end before its late input resets the socket */

enum next { PARK, YIELD, GONE };

/* A wake waits for the end of an answer under way, and while the client takes nothing: its notices
 * would pile up here, and keep the connection from being idle. */
static bool
may_wake(const struct yb_conn *c)
{
    return c->woken && c->state == YB_CONN_OPEN && c->producer == NULL && !c->start_tls &&
           c->out.size < YB_OUT_HIGH;
}

/* --- calling handlers --- */

static void
handled(struct yb_conn *c)
{
    c->active = true;
    yb_arena_reset(c->w->scratch);
}

static void
call(struct yb_conn *c, void (*handler)(struct yb_conn *c))
{
    if (handler == NULL)
        return;
    handler(c);
    handled(c);
}

static void
call_closed(struct yb_conn *c)
{
    if (!c->opened)
        return;
    c->opened = false;
    c->producer = NULL;
    call(c, c->listener->spec.service->closed);
}

static void
log_timeout(struct yb_conn *c, const char *what)
{
    struct yb_log_line line;

    atomic_fetch_add(&c->net->timed_out, 1);
    yb_log_begin(&line, YB_LOG_INFO, &c->log, "net.timeout");
    yb_log_str(&line, "service", yb_str_from(c->listener->spec.service->name));
    yb_log_str(&line, "what", yb_str_from(what));
    yb_log_end(&line);
}

/* False: nothing can be said any more. */
static bool
time_passed(struct yb_conn *c)
{
    int64_t now = yb_clock_ms();
    bool deadline = c->deadline_at != 0 && now >= c->deadline_at;

    if (c->engine_at != 0 && now >= c->engine_at) {
        if (c->state != YB_CONN_LINGER)
            log_timeout(c, c->state == YB_CONN_CLOSING ? "close" : "handshake");
        return false;
    }
    if (c->state != YB_CONN_OPEN || (!deadline && (c->idle_at == 0 || now < c->idle_at)))
        return true;
    log_timeout(c, deadline ? "deadline" : "idle");
    /* In the middle of an answer that the peer does not take, a farewell would be part of it. */
    if (c->out.size > 0 || c->producer != NULL)
        return false;
    call(c, c->listener->spec.service->timed_out);
    yb_conn_close(c);
    return true;
}

/* --- before the conversation --- */

/* Exactly the header is read: what follows may be the client's TLS. */
static enum next
proxy_step(struct yb_conn *c, bool *done)
{
    size_t want = c->in_n < YB_PROXY_HEAD ? YB_PROXY_HEAD : yb_proxy_size(yb_str(c->in, c->in_n));
    union yb_addr peer;
    bool given;

    *done = false;
    if (c->in != c->w->in && c->in_n > 0)
        memcpy(c->w->in, c->in, c->in_n);
    c->in = c->w->in;
    for (;;) {
        ssize_t n;

        if (c->in_n >= YB_PROXY_HEAD)
            want = yb_proxy_size(yb_str(c->in, c->in_n));
        if (want == 0 || (c->in_n >= YB_PROXY_HEAD && c->in_n == want))
            break;
        n = yb_stream_read(c, c->w->in + c->in_n, want - c->in_n);
        if (n == YB_STREAM_AGAIN)
            return PARK;
        if (n <= 0)
            return GONE;
        c->in_n += (size_t)n;
    }
    if (want == 0 || !yb_proxy_parse(yb_str(c->in, c->in_n), &peer, &c->local, &given)) {
        yb_log(YB_LOG_WARN, &c->log, "net.proxy.bad", "no PROXY v2 header");
        return GONE;
    }
    c->in_n = 0;
    if (given) {
        yb_conn_set_peer(c, &peer);
        if (!yb_net_admit(c->net, &peer, &c->counted)) {
            yb_conn_say_busy(c->listener, c->fd, &peer, "network limit");
            return GONE;
        }
    }
    c->state = c->listener->spec.tls ? YB_CONN_HANDSHAKE : YB_CONN_NEW;
    *done = true;
    return PARK;
}

static enum next
handshake_step(struct yb_conn *c, bool *done)
{
    struct yb_log_line line;
    char reason[120];
    int rc;

    *done = false;
    if (c->ssl == NULL) {
        c->tls = yb_net_tls(c->net);
        if (c->tls == NULL)
            return GONE;
        c->ssl = yb_tls_set_open(c->tls, c->fd);
    }
    rc = yb_stream_handshake(c);
    if (rc == YB_STREAM_AGAIN)
        return PARK;
    if (rc == YB_STREAM_BROKEN) {
        yb_tls_error_text(reason, sizeof(reason));
        yb_log_begin(&line, YB_LOG_INFO, &c->log, "net.tls.failed");
        yb_log_str(&line, "service", yb_str_from(c->listener->spec.service->name));
        yb_log_str(&line, "reason", yb_str_from(reason));
        yb_log_end(&line);
        c->broken = true;
        return GONE;
    }
    *done = true;
    c->engine_at = 0;
    c->active = true;
    c->state = c->opened ? YB_CONN_OPEN : YB_CONN_NEW;
    if (c->opened)
        call(c, c->listener->spec.service->tls_started);
    return PARK;
}

static void
greet(struct yb_conn *c)
{
    c->state = YB_CONN_OPEN;
    c->opened = true;
    c->engine_at = 0;
    call(c, c->listener->spec.service->opened);
}

/* --- the conversation --- */

/* Gives the next line or block to its handler; false when there is nothing whole. */
static bool
handle_one(struct yb_conn *c)
{
    const struct yb_service *service = c->listener->spec.service;
    struct yb_input_item item;

    yb_input_next(&c->input, yb_str(c->in, c->in_n), &item);
    switch (item.kind) {
    case YB_INPUT_MORE:
        c->in_n = item.keep;
        c->starved = true;
        return false;
    case YB_INPUT_LINE:
        c->in += item.used;
        c->in_n -= item.used;
        service->line(c, item.bytes, item.flags);
        break;
    case YB_INPUT_BLOCK:
        c->in += item.used;
        c->in_n -= item.used;
        service->data(c, item.bytes, item.last, item.flags);
        break;
    }
    handled(c);
    return true;
}

/* The turn is over: this one has had its share of lines or pieces while others wait, or of time. By
 * time it ends in any case: what was posted for the connection meanwhile is seen when the next turn
 * begins, and whether the peer is still there before. */
static bool
is_over(const struct yb_conn *c, bool much, int64_t until)
{
    return (much && yb_pool_pressed(c->net->pool)) || yb_clock_ms() >= until;
}

/* Output as far as it goes, the producer's too. */
static enum next
send_some(struct yb_conn *c, int64_t until)
{
    bool (*producer)(struct yb_conn * c);
    int pieces = 0;

    for (;;) {
        if (c->out.size > 0 && !yb_stream_flush(c))
            return GONE;
        if (c->out.size > 0 || c->producer == NULL || c->state != YB_CONN_OPEN)
            return PARK;
        if (++pieces > 1 && is_over(c, pieces > PIECES_A_TURN, until))
            return YIELD;
        producer = c->producer;
        if (!producer(c) && c->producer == producer) /* it may have named its successor */
            c->producer = NULL;
        handled(c);
    }
}

/* One read(2) behind what is unhandled. False when there was nothing to get. */
static bool
read_some(struct yb_conn *c, bool *more)
{
    char *to = c->w->in;
    ssize_t n;

    if (c->in_n > 0 && c->in != to)
        memmove(to, c->in, c->in_n);
    c->in = to;
    n = yb_stream_read(c, to + c->in_n, YB_READ_SIZE);
    *more = false;
    if (n == YB_STREAM_AGAIN)
        return false;
    if (n <= 0) {
        c->eof = true;
        c->broken = n < 0;
        return false;
    }
    c->in_n += (size_t)n;
    c->starved = false;
    *more = n == YB_READ_SIZE || n == YB_OUT_BLOCK || yb_stream_pending(c);
    return true;
}

static enum next
converse(struct yb_conn *c, unsigned events)
{
    bool readable =
        (events & (YB_EV_IN | YB_EV_HUP)) != 0 || c->read_want == EPOLLOUT || yb_stream_pending(c);
    int64_t until = yb_clock_ms() + TURN_MS;
    uint64_t key = c->job.key; /* whom this turn is charged to */
    int lines = 0;

    for (;;) {
        enum next next;

        if (may_wake(c)) {
            c->woken = false;
            call(c, c->listener->spec.service->woken);
        }
        while (yb_conn_may_handle(c) && c->in_n > 0 && !c->starved) {
            if (++lines > 1 && (c->job.key != key || is_over(c, lines > LINES_A_TURN, until)))
                return yb_stream_flush(c) ? YIELD : GONE;
            if (!handle_one(c))
                break;
        }
        next = send_some(c, until);
        if (next != PARK)
            return next;
        if (c->job.key != key)
            return YIELD; /* what comes next is another's to pay */
        if (c->state != YB_CONN_OPEN)
            return PARK;
        if (c->start_tls && c->out.size == 0) {
            c->state = YB_CONN_HANDSHAKE;
            return PARK;
        }
        if (may_wake(c))
            continue;
        if (!yb_conn_may_handle(c)) {
            /* Nobody is left to read the answer, or to send the rest. */
            if ((events & YB_EV_HUP) != 0)
                return GONE;
            return PARK;
        }
        if (c->in_n > 0 && !c->starved)
            continue;
        if (c->eof) {
            yb_conn_close(c); /* all that came was handled; half a line is not a command */
            return PARK;
        }
        if (!readable)
            return PARK;
        if (!read_some(c, &readable) && !c->eof)
            return PARK;
    }
}

/* Is the peer gone, so that nobody is left to read what all this comes to? Who yields waits for no event
 * and so is told of none. A peer that only has nothing more to say is still there. */
static bool
hung_up(const struct yb_conn *c)
{
    struct pollfd p = { .fd = c->fd };

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* --- the end --- */

static enum next
closing_step(struct yb_conn *c)
{
    int unread = 0;

    if (c->engine_at == 0)
        c->engine_at = yb_clock_ms() + YB_CLOSE_MS;
    if (c->out.size > 0 && !yb_stream_flush(c))
        return GONE;
    if (c->out.size > 0)
        return PARK;
    yb_stream_shutdown(c);
    if (c->eof || ioctl(c->fd, FIONREAD, &unread) < 0 || (unread == 0 && c->in_n == 0))
        return GONE;
    /* Closing a socket with unread input resets it, and the reset can overtake our last words. */
    call_closed(c);
    shutdown(c->fd, SHUT_WR);
    c->in_n = 0;
    c->state = YB_CONN_LINGER;
    c->engine_at = yb_clock_ms() + LINGER_MS;
    return PARK;
}

static enum next
linger_step(struct yb_conn *c)
{
    ssize_t n;

    for (int k = 0; k < 16; k++) {
        n = recv(c->fd, c->w->in, YB_READ_SIZE, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return GONE;
        if (n < 0)
            break;
    }
    return PARK;
}

void
yb_conn_end(struct yb_conn *c)
{
    struct yb_net *n = c->net;

    c->state = YB_CONN_DEAD;
    call_closed(c);
    yb_loop_timer_remove(c->loop, &c->timer);
    yb_net_charge_input(c, 0);
    yb_net_dismiss(n, &c->counted);
    SSL_free(c->ssl);
    yb_tls_set_unref(&c->tls);
    close(c->fd);
    yb_out_clear(&c->out, &c->w->stock);
    yb_free(c->held);
    yb_log_ctx_free(&c->log);
    yb_slot_put(n, c);
    yb_free(c);
}

/* --- a turn --- */

static enum next
step(struct yb_conn *c, unsigned events)
{
    enum next next = PARK;
    bool done = true;

    if ((events & (YB_EV_IN | YB_EV_OUT | YB_EV_HUP)) != 0)
        c->armed = 0;
    if ((events & YB_EV_WAKE) != 0)
        c->woken = true;
    if ((events & YB_EV_KICK) != 0 || ((events & YB_EV_TIMER) != 0 && !time_passed(c)))
        return GONE;
    /* Each state may lead to the next one at once. */
    if (c->state == YB_CONN_PROXY)
        next = proxy_step(c, &done);
    if (next == PARK && done && c->state == YB_CONN_HANDSHAKE)
        next = handshake_step(c, &done);
    if (next == PARK && c->state == YB_CONN_NEW)
        greet(c);
    if (next == PARK && c->state == YB_CONN_OPEN) {
        next = converse(c, events);
        if (next == YIELD && hung_up(c))
            return GONE;
        if (next == PARK && c->state == YB_CONN_HANDSHAKE) { /* STARTTLS, the answer is sent */
            c->start_tls = false;
            yb_conn_drop_input(c);
            c->engine_at = yb_clock_ms() + c->net->conf.handshake_timeout_ms;
            return PARK; /* its first bytes are waited for like any others */
        }
    }
    if (next == PARK && c->state == YB_CONN_CLOSING)
        next = closing_step(c);
    if (next == PARK && c->state == YB_CONN_LINGER)
        next = linger_step(c);
    return c->state == YB_CONN_DEAD ? GONE : next;
}

/* What is unhandled leaves the worker's buffer; a parked connection without has no buffer at all.
 */
static void
hold_input(struct yb_conn *c)
{
    char *held = NULL;

    if (c->in_n > 0 && c->held != NULL && c->in >= c->held && c->in < c->held + c->charged)
        return;
    if (c->in_n > 0) {
        held = yb_alloc(c->in_n, 1);
        memcpy(held, c->in, c->in_n);
    }
    yb_free(c->held);
    c->held = held;
    c->in = held;
    yb_net_charge_input(c, c->in_n);
}

void
yb_conn_run(struct yb_job *job, void *worker)
{
    struct yb_conn *c = YB_CONTAINER(job, struct yb_conn, job);
    struct yb_slot *slot = c->slot;

    do {
        enum next next;

        c->w = worker;
        next = step(c, yb_slot_take(slot));
        if (next == GONE) {
            yb_conn_end(c);
            return;
        }
        hold_input(c);
        c->w = NULL;
        if (next == YIELD) {
            yb_pool_push(c->net->pool, job);
            return;
        }
        yb_conn_set_timer(c);
        yb_conn_arm(c);
    } while (!yb_slot_park(slot));
}
