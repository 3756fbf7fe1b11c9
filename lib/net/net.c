#include "lib/net/net.h"

#include "lib/base/clock.h"
#include "lib/net/engine.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <unistd.h>

#define SCRATCH_BLOCK 32768
#define DEFAULT_CONNS 10000
#define DEFAULT_HANDSHAKE_MS 30000
/* A peer that was asked so often, so many seconds apart, and never answered is gone: a minute is
 * longer than a phone is out of reach in a tunnel of the underground between two stations. */
#define KEEPALIVE_COUNT 4
#define KEEPALIVE_SECONDS 15

/* --- workers --- */

void *
yb_net_worker_new(void *net YB_UNUSED)
{
    struct yb_worker *w = yb_alloc(1, sizeof(*w));

    w->in = yb_alloc(YB_READ_SIZE + YB_LINE_MAX + 2, 1);
    w->scratch = yb_arena_new(SCRATCH_BLOCK);
    return w;
}

void
yb_net_worker_free(void *worker)
{
    struct yb_worker *w = worker;

    yb_out_stock_release(&w->stock);
    yb_arena_free(&w->scratch);
    yb_free(w->in);
    yb_free(w);
}

/* --- making --- */

struct yb_net *
yb_net_new(const struct yb_net_conf *conf)
{
    struct yb_net *n = yb_alloc(1, sizeof(*n));
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    n->conf = *conf;
    if (n->conf.max_conns == 0 || n->conf.max_conns >= UINT32_MAX)
        n->conf.max_conns = DEFAULT_CONNS;
    if (n->conf.handshake_timeout_ms <= 0)
        n->conf.handshake_timeout_ms = DEFAULT_HANDSHAKE_MS;
    n->n_loops = conf->loops > 0 ? conf->loops : cores > 0 ? (unsigned)cores : 1;
    n->loops = yb_alloc(n->n_loops, sizeof(n->loops[0]));
    for (unsigned k = 0; k < n->n_loops; k++) {
        n->loops[k].net = n;
        n->loops[k].epoll_fd = n->loops[k].wake_fd = -1;
        pthread_mutex_init(&n->loops[k].lock, NULL);
    }
    n->pool = yb_pool_new(&(struct yb_pool_conf){ .workers = conf->workers,
                                                  .worker_new = yb_net_worker_new,
                                                  .worker_free = yb_net_worker_free });
    pthread_mutex_init(&n->lock, NULL);
    n->counts = yb_map_new();
    n->slots = yb_alloc(n->conf.max_conns, sizeof(n->slots[0]));
    n->first_free = UINT32_MAX;
    yb_random(n->hash_key, sizeof(n->hash_key));
    return n;
}

/* Of a listening TCP socket; accepted ones inherit it. */
static int
set_up_tcp(int fd, int64_t keepalive_ms, struct yb_err *err)
{
    const int on = 1, count = KEEPALIVE_COUNT, interval = KEEPALIVE_SECONDS;
    const int idle = keepalive_ms < 1000 ? 1 : (int)(keepalive_ms / 1000);

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.2", "listening socket");
    if (keepalive_ms > 0 &&
        (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) < 0 ||
         setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)) < 0 ||
         setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval)) < 0 ||
         setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count)) < 0))
        return yb_err_sys(err, YB_TEMP, "4.3.2", "TCP keepalive");
    return 0;
}

int
yb_net_listen(struct yb_net *n, const struct yb_listener_spec *spec, struct yb_err *err)
{
    struct yb_listener *l = yb_alloc(1, sizeof(*l));
    union yb_addr addr = { .any = { .sa_family = AF_UNSPEC } };
    socklen_t size = sizeof(addr);
    int rc = 0;

    yb_assert(spec->service->opened != NULL && spec->service->line != NULL);
    l->net = n;
    l->accepted = yb_conn_accept;
    l->spec = *spec;
    if (getsockname(spec->fd, &addr.any, &size) < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.2", "listening socket");
    } else if (yb_cidr_list(spec->proxy_from, &l->proxy_from, &l->n_proxy_from, err) < 0) {
        rc = -1;
    } else {
        l->is_unix = addr.any.sa_family == AF_UNIX;
        if (!l->is_unix)
            rc = set_up_tcp(spec->fd, n->conf.keepalive_ms, err);
        if (rc == 0 && fcntl(spec->fd, F_SETFL, O_NONBLOCK) < 0)
            rc = yb_err_sys(err, YB_TEMP, "4.3.2", "listening socket");
    }
    pthread_mutex_lock(&n->lock);
    if (rc == 0 && n->loops[0].epoll_fd >= 0)
        rc = yb_loop_add_listener(&n->loops[0], l, err);
    if (rc == 0) {
        l->next = n->listeners;
        n->listeners = l;
    }
    pthread_mutex_unlock(&n->lock);
    if (rc < 0) {
        close(spec->fd);
        yb_free(l->proxy_from);
        yb_free(l);
    }
    return rc;
}

int
yb_net_start(struct yb_net *n, struct yb_err *err)
{
    sigset_t all, old;
    int rc = 0;

    for (unsigned k = 0; k < n->n_loops && rc == 0; k++)
        rc = yb_loop_open(&n->loops[k], err);
    for (struct yb_listener *l = n->listeners; l != NULL && rc == 0; l = l->next)
        rc = yb_loop_add_listener(&n->loops[0], l, err);
    if (rc == 0)
        rc = yb_pool_start(n->pool, err);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the daemon's; SIGPIPE is nobody's */
    while (rc == 0 && n->n_threads < n->n_loops) {
        struct yb_loop *l = &n->loops[n->n_threads];

        rc = pthread_create(&l->thread, NULL, yb_loop_main, l);
        if (rc == 0)
            n->n_threads++;
        else
            rc = yb_err_inside(err, YB_TEMP, "4.3.2", "start an event loop: %s", strerror(rc));
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

/* --- from any thread --- */

struct yb_net_task {
    struct yb_job job;
    struct yb_timer timer;
    struct yb_net *net;
    void (*fn)(void *arg);
    void *arg;
    struct yb_net_task *prev, *next;
};

static void
task_free(struct yb_net_task *t)
{
    struct yb_net *n = t->net;

    pthread_mutex_lock(&n->lock);
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        n->tasks = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    pthread_mutex_unlock(&n->lock);
    yb_free(t);
}

static void
task_run(struct yb_job *job, void *worker YB_UNUSED)
{
    struct yb_net_task *t = YB_CONTAINER(job, struct yb_net_task, job);

    t->fn(t->arg);
    task_free(t);
}

static void
task_fire(struct yb_timer *timer, int64_t now YB_UNUSED)
{
    struct yb_net_task *t = YB_CONTAINER(timer, struct yb_net_task, timer);

    yb_pool_push(t->net->pool, &t->job);
}

void
yb_net_run_later(struct yb_net *n, int64_t delay_ms, void (*fn)(void *arg), void *arg)
{
    struct yb_net_task *t = yb_alloc(1, sizeof(*t));

    t->job.run = task_run;
    t->timer.fire = task_fire;
    t->net = n;
    t->fn = fn;
    t->arg = arg;
    pthread_mutex_lock(&n->lock);
    t->next = n->tasks;
    if (t->next != NULL)
        t->next->prev = t;
    n->tasks = t;
    pthread_mutex_unlock(&n->lock);
    if (delay_ms > 0)
        yb_loop_timer_set(&n->loops[0], &t->timer, yb_clock_ms() + delay_ms);
    else
        yb_pool_push(n->pool, &t->job);
}

void
yb_net_wake(struct yb_net *n, struct yb_conn_ref ref)
{
    yb_slot_post(n, ref, YB_EV_WAKE);
}

static void
post_all(struct yb_net *n, unsigned events)
{
    uint32_t n_slots;

    /* A slot taken for the first time meanwhile is of a connection that came after. */
    pthread_mutex_lock(&n->lock);
    n_slots = n->n_slots;
    pthread_mutex_unlock(&n->lock);
    for (uint32_t k = 0; k < n_slots; k++) {
        uint32_t generation = (uint32_t)(atomic_load(&n->slots[k].word) >> 32);

        yb_slot_post(n, (struct yb_conn_ref){ k, generation }, events);
    }
}

void
yb_net_wake_all(struct yb_net *n)
{
    post_all(n, YB_EV_WAKE);
}

void
yb_net_kick(struct yb_net *n, struct yb_conn_ref ref)
{
    yb_slot_post(n, ref, YB_EV_KICK);
}

void
yb_net_stats_read(struct yb_net *n, struct yb_net_stats *out)
{
    out->accepted = atomic_load(&n->accepted);
    out->refused = atomic_load(&n->refused);
    out->timed_out = atomic_load(&n->timed_out);
    out->open = atomic_load(&n->n_open);
    yb_pool_counts(n->pool, &out->running, &out->waiting_for_worker);
    pthread_mutex_lock(&n->lock);
    out->input_bytes = n->held_bytes;
    pthread_mutex_unlock(&n->lock);
}

/* --- stopping --- */

static void
loops_stop(struct yb_net *n)
{
    for (unsigned k = 0; k < n->n_threads; k++)
        yb_loop_nudge(&n->loops[k]);
    for (unsigned k = 0; k < n->n_threads; k++)
        pthread_join(n->loops[k].thread, NULL);
    n->n_threads = 0;
    for (struct yb_listener *l = n->listeners; l != NULL; l = l->next) {
        if (l->spec.fd >= 0)
            close(l->spec.fd);
        l->spec.fd = -1;
    }
}

void
yb_net_stop(struct yb_net *n, int64_t ms)
{
    struct yb_worker *w;

    if (atomic_exchange(&n->stopping, true))
        return;
    loops_stop(n); /* no connection, input or timer comes any more */
    yb_pool_drain(n->pool, ms);
    post_all(n, YB_EV_KICK);
    yb_pool_drain(n->pool, ms);
    yb_pool_stop(n->pool);
    /* Connections whose last turn never came are ended here. */
    w = yb_net_worker_new(n);
    for (uint32_t k = 0; k < n->n_slots; k++) {
        struct yb_conn *c = n->slots[k].conn;

        if (c != NULL) {
            c->w = w;
            yb_conn_end(c);
        }
    }
    yb_net_worker_free(w);
}

void
yb_net_free(struct yb_net **net)
{
    struct yb_net *n = *net;

    if (n == NULL)
        return;
    yb_net_stop(n, 0);
    yb_pool_free(&n->pool);
    while (n->tasks != NULL)
        task_free(n->tasks);
    while (n->listeners != NULL) {
        struct yb_listener *next = n->listeners->next;

        yb_free(n->listeners->proxy_from);
        yb_free(n->listeners);
        n->listeners = next;
    }
    for (unsigned k = 0; k < n->n_loops; k++) {
        yb_loop_close(&n->loops[k]);
        pthread_mutex_destroy(&n->loops[k].lock);
    }
    yb_free(n->loops);
    yb_tls_set_unref(&n->tls);
    yb_map_free(&n->counts);
    yb_free(n->slots);
    pthread_mutex_destroy(&n->lock);
    yb_free(n);
    *net = NULL;
}
