/*
 * The child of a daemon: the engine's threads serve; this, its first thread, waits for signals, the
 * parent's frames and the control socket.
 */
#include "lib/daemon/process.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/daemon/certs.h"
#include "lib/daemon/condemned.h"
#include "lib/daemon/confine.h"
#include "lib/daemon/control.h"
#include "lib/daemon/frame.h"
#include "lib/daemon/heap.h"
#include "lib/net/tls.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define PASS_MS 5000
/* Beside connections: files, database and hand-over connections of each worker, and the daemon's
 * own. */
#define FILES_PER_WORKER 16
#define FILES_OWN 512

struct yb_daemon {
    struct yb_process *p;
    struct yb_net *net;
    void *state;
    _Atomic(const struct yb_conf *) conf;
    char *database;
    struct yb_buf *networks;
    int parent_fd, signals, wake;
    struct yb_heap heap;
    int64_t started_ms;
    _Atomic int code; /* >= 0: stop with it */
    uint64_t reloads;
};

const struct yb_conf *
yb_daemon_conf_now(const struct yb_daemon *d)
{
    return atomic_load_explicit(&d->conf, memory_order_acquire);
}

struct yb_net *
yb_daemon_net(const struct yb_daemon *d)
{
    return d->net;
}

struct yb_notes *
yb_daemon_notes(const struct yb_daemon *d)
{
    return d->p->notes;
}

const char *
yb_daemon_run_dir(const struct yb_daemon *d)
{
    return d->p->run_dir;
}

const char *
yb_daemon_state_dir(const struct yb_daemon *d)
{
    return d->p->state_dir;
}

const char *
yb_daemon_event_dir(const struct yb_daemon *d)
{
    return d->p->event_dir;
}

const char *
yb_daemon_database(const struct yb_daemon *d)
{
    return d->database;
}

void
yb_daemon_stop(struct yb_daemon *d, int code)
{
    const uint64_t one = 1;
    int none = -1;

    atomic_compare_exchange_strong(&d->code, &none, code);
    if (write(d->wake, &one, sizeof(one)) < 0)
        yb_assert(errno == EAGAIN); /* the counter is full: it is awake */
}

/* ` key='value'`, quoted as libpq wants it. */
static void
add_conninfo(struct yb_buf *out, const char *key, struct yb_str value)
{
    if (value.n == 0)
        return;
    yb_buf_printf(out, " %s='", key);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\'' || value.p[i] == '\\')
            yb_buf_add_c(out, '\\');
        yb_buf_add_c(out, value.p[i]);
    }
    yb_buf_add_c(out, '\'');
}

static char *
make_conninfo(const struct yb_process *p)
{
    const struct yb_daemon_conf *own = yb_process_daemon_conf(p);
    struct yb_buf *b = yb_buf_new(16384);
    char *text;

    yb_buf_add(b, yb_str_from(yb_conf_common(p->conf)->database));
    add_conninfo(b, "user", yb_str_from(own->database_user));
    if (own->database_password.n > 0)
        add_conninfo(b, "password", own->database_password.v[0].bytes);
    add_conninfo(b, "fallback_application_name", yb_str_from(p->spec->name));
    yb_assert(!yb_buf_overflowed(b));
    text = yb_dup(yb_buf_view(b).p, yb_buf_size(b));
    explicit_bzero((void *)(uintptr_t)yb_buf_view(b).p, yb_buf_size(b));
    yb_buf_free(&b);
    return text;
}

static struct yb_net *
make_net(const struct yb_process *p)
{
    const struct yb_daemon_conf *own = yb_process_daemon_conf(p);
    const struct yb_net_conf conf = {
        .loops = own->loops,
        .workers = own->workers,
        .max_conns = own->max_connections,
        .max_conns_per_network = own->max_connections_per_network,
        .max_input_total = own->max_input,
        .handshake_timeout_ms = own->handshake_timeout,
        .keepalive_ms = own->keepalive,
    };

    return yb_net_new(&conf);
}

/* "10.0.0.0/8,192.0.2.0/24" for the engine, which may keep it. */
static void
join_networks(struct yb_daemon *d)
{
    const struct yb_conf_list *list = &yb_process_daemon_conf(d->p)->proxy_from;

    d->networks = yb_buf_new(65536);
    for (size_t i = 0; i < list->n; i++)
        yb_buf_printf(d->networks, "%s%s", i > 0 ? "," : "", list->v[i]);
}

static int
listen_all(struct yb_daemon *d, struct yb_err *err)
{
    const struct yb_daemon_spec *spec = d->p->spec;
    int rc = 0;

    join_networks(d);
    for (size_t i = 0; i < d->p->n_bound && rc == 0; i++) {
        size_t l = d->p->bound[i].listener;
        const struct yb_listener_spec listener = {
            .fd = d->p->bound[i].fd,
            .service = spec->listeners[l].service,
            .arg = spec->listener_arg != NULL ? spec->listener_arg(d->state, l) : d->state,
            .tls = d->p->bound[i].tls,
            .proxy_from = yb_buf_view(d->networks),
        };

        if (listener.tls && yb_conf_common(d->p->conf)->tls_certificates.n == 0)
            rc = yb_err_inside(err, YB_PERM, "5.3.5",
                               "[%s] %s needs tls_certificates and tls_keys in [common]",
                               spec->name, spec->listeners[l].option);
        else
            rc = yb_net_listen(d->net, &listener, err);
    }
    return rc;
}

static void
log_ending(void *arg YB_UNUSED, const char *path, const char *what)
{
    yb_log(YB_LOG_WARN, NULL, "tls.certificate.ending", "%s %s", path, what);
}

static int
start(struct yb_daemon *d, struct yb_err *err)
{
    struct yb_tls_set *tls = NULL;

    if (yb_certs_load(d->p->conf, &tls, err) < 0) {
        err->class = YB_PERM; /* bytes do not change by trying again */
        return -1;
    }
    yb_certs_ending(d->p->conf, log_ending, NULL);
    d->net = make_net(d->p);
    if (tls != NULL)
        yb_net_set_tls(d->net, tls);
    yb_tls_set_unref(&tls);
    if (d->p->spec->init(d, &d->state, err) < 0 || listen_all(d, err) < 0)
        return -1;
    return yb_net_start(d->net, err);
}

static void
log_needs_restart(void *arg YB_UNUSED, const char *section, const char *option)
{
    yb_log(YB_LOG_WARN, NULL, "conf.needs_restart", "[%s] %s changes when the daemon is restarted",
           section, option);
}

/* Builds the configuration of the frame and puts it in force whole, or not at all. */
static int
reload(struct yb_daemon *d, struct yb_str bytes, struct yb_err *err)
{
    struct yb_process *p = d->p;
    struct yb_conf_source *source = yb_conf_source_decode(bytes, err);
    struct yb_conf_errors errors;
    struct yb_conf *conf;
    struct yb_tls_set *tls = NULL;

    if (source == NULL)
        return -1;
    yb_conf_errors_init(&errors);
    conf = yb_conf_build(source, p->tables, YB_COUNT(p->tables), &errors);
    if (conf == NULL)
        yb_err_set(err, YB_PERM, "5.3.5", "%.*s", YB_STR_ARG(yb_buf_view(errors.text)));
    yb_conf_errors_free(&errors);
    yb_conf_source_free(&source);
    if (conf == NULL || yb_certs_load(conf, &tls, err) < 0) {
        yb_conf_free(&conf);
        return -1;
    }
    yb_certs_ending(conf, log_ending, NULL);
    yb_conf_diff_at_start(yb_daemon_conf_now(d), conf, log_needs_restart, NULL);
    /* The one before stays: sessions may hold it until the process ends. */
    atomic_store_explicit(&d->conf, conf, memory_order_release);
    if (tls != NULL)
        yb_net_set_tls(d->net, tls);
    yb_tls_set_unref(&tls);
    d->reloads++;
    if (p->spec->reload != NULL && p->spec->reload(d->state, err) < 0)
        yb_log_err(YB_LOG_ERROR, NULL, "conf.reload_failed", err);
    return 0;
}

/* A frame of the parent; when it is gone, so are we. */
static void
parent_frame(struct yb_daemon *d)
{
    struct yb_buf *body = yb_buf_new(YB_FRAME_LIMIT);
    struct yb_deadline by = yb_deadline_in(PASS_MS);
    struct yb_err err = { 0 };
    uint32_t type = 0;
    int rc = yb_frame_recv(d->parent_fd, &type, body, by, &err);

    if (rc < 0 || type != YB_FRAME_RELOAD)
        yb_daemon_stop(d, YB_EXIT_TEMP);
    else if (reload(d, yb_buf_view(body), &err) < 0)
        rc = yb_frame_send(d->parent_fd, YB_FRAME_REFUSED, yb_str_from(err.text), by, &err);
    else
        rc = yb_frame_send(d->parent_fd, YB_FRAME_RELOADED, YB_STR(""), by, &err);
    if (rc < 0)
        yb_log_err(YB_LOG_ERROR, NULL, "daemon.parent_lost", &err);
    explicit_bzero((void *)(uintptr_t)yb_buf_view(body).p, yb_buf_size(body));
    yb_buf_free(&body);
}

static void
net_metrics(const struct yb_daemon *d, struct yb_metrics *m)
{
    const char *name = d->p->spec->name;
    struct yb_net_stats s;
    char labels[64];

    yb_net_stats_read(d->net, &s);
    snprintf(labels, sizeof(labels), "daemon=\"%s\"", name);
    yb_metrics_counter(m, "connections_total", "Connections accepted.", labels, s.accepted);
    yb_metrics_counter(m, "connections_refused_total", "Connections over a limit.", labels,
                       s.refused);
    yb_metrics_counter(m, "connections_timed_out_total", "Connections closed for silence.", labels,
                       s.timed_out);
    yb_metrics_gauge(m, "connections", "Connections open.", labels, s.open);
    yb_metrics_gauge(m, "connections_running", "Connections a worker serves now.", labels,
                     s.running);
    yb_metrics_gauge(m, "connections_waiting", "Connections that wait for a worker.", labels,
                     s.waiting_for_worker);
    yb_metrics_gauge(m, "input_bytes", "Bytes of unfinished lines held.", labels, s.input_bytes);
    yb_metrics_counter(m, "reloads_total", "Configurations put in force since the start.", labels,
                       d->reloads);
    yb_metrics_gauge(m, "uptime_seconds", "Seconds since the child started.", labels,
                     (uint64_t)((yb_clock_ms() - d->started_ms) / 1000));
}

static int
command_metrics(struct yb_daemon *d, struct yb_buf *answer, struct yb_err *err)
{
    struct yb_metrics *m = yb_metrics_new();
    int rc;

    net_metrics(d, m);
    if (d->p->spec->metrics != NULL)
        d->p->spec->metrics(d->state, m);
    rc = yb_buf_append(answer, yb_metrics_text(m), err);
    yb_metrics_free(&m);
    return rc;
}

static int
command_status(const struct yb_daemon *d, struct yb_buf *answer)
{
    struct yb_net_stats s;

    yb_net_stats_read(d->net, &s);
    yb_buf_printf(answer,
                  "name %s\nversion %s\npid %d\nuptime_s %lld\nconnections %zu\nrunning %zu\n",
                  d->p->spec->name, PACKAGE_VERSION, (int)getpid(),
                  (long long)((yb_clock_ms() - d->started_ms) / 1000), s.open, s.running);
    return 0;
}

static int
run_command(void *arg, struct yb_str command, struct yb_buf *answer, struct yb_err *err)
{
    struct yb_daemon *d = (struct yb_daemon *)arg;
    const struct yb_daemon_spec *spec = d->p->spec;
    struct yb_str rest = command, name = yb_str_word(&rest);

    if (yb_str_eq(name, YB_STR("status")))
        return command_status(d, answer);
    if (yb_str_eq(name, YB_STR("metrics")))
        return command_metrics(d, answer, err);
    for (size_t i = 0; i < spec->n_commands; i++)
        if (yb_str_eq(name, yb_str_from(spec->commands[i].name)))
            return spec->commands[i].run(d->state, rest, answer, err);
    yb_buf_printf(answer, "status metrics");
    for (size_t i = 0; i < spec->n_commands; i++)
        yb_buf_printf(answer, " %s", spec->commands[i].name);
    return yb_err_set(err, YB_PERM, "5.5.1", "no such command; %s knows: %.*s", spec->name,
                      YB_STR_ARG(yb_buf_view(answer)));
}

static void
control_peer(struct yb_daemon *d)
{
    int fd = accept4(d->p->control_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0)
        yb_control_serve(fd, d->p->control_group, run_command, d);
}

static void
wait_for_work(struct yb_daemon *d)
{
    struct pollfd fds[] = { { .fd = d->signals, .events = POLLIN },
                            { .fd = d->wake, .events = POLLIN },
                            { .fd = d->parent_fd, .events = POLLIN },
                            { .fd = d->p->control_fd, .events = POLLIN } };

    int n = poll(fds, YB_COUNT(fds), yb_deadline_left(d->heap.next));

    yb_heap_settle(&d->heap);
    if (n < 0)
        return;
    if (fds[0].revents != 0)
        yb_daemon_stop(d, YB_EXIT_OK);
    if (fds[2].revents != 0)
        parent_frame(d);
    if (fds[3].revents != 0)
        control_peer(d);
}

/* Signals come by descriptor; threads started later inherit the mask. */
static int
take_signals(struct yb_daemon *d, struct yb_err *err)
{
    sigset_t all, ours;

    sigemptyset(&all);
    sigaddset(&all, SIGCHLD);
    sigaddset(&all, SIGHUP); /* the parent's business, like SIGINT, when a terminal sends them */
    sigaddset(&all, SIGINT);
    sigaddset(&all, SIGTERM);
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigprocmask(SIG_SETMASK, &all, NULL);
    d->signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
    d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->signals < 0 || d->wake < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "signalfd");
    return 0;
}

/* What an earlier life of the daemon, or this parent's last, found to be deadly. */
static void
remember_condemned(const struct yb_process *p)
{
    struct yb_note notes[YB_NOTES_KNOWN];

    if (p->notes != NULL)
        yb_notes_remember(p->notes, notes, yb_condemned_read(p->state_dir, notes));
}

static int
run(struct yb_daemon *d, struct yb_err *err)
{
    const struct yb_daemon_conf *own = yb_process_daemon_conf(d->p);

    remember_condemned(d->p);
    if (start(d, err) < 0)
        return -1;
    if (yb_frame_send(d->parent_fd, YB_FRAME_READY, YB_STR(""), yb_deadline_in(PASS_MS), err) < 0)
        return -1;
    while (atomic_load(&d->code) < 0)
        wait_for_work(d);
    if (d->p->spec->drain != NULL)
        d->p->spec->drain(d->state);
    yb_net_stop(d->net, own->stop_timeout);
    if (d->p->spec->stop != NULL)
        d->p->spec->stop(d->state);
    yb_net_free(&d->net);
    return 0;
}

/* An arena of the heap for every worker would keep for each what only few need at once. */
static void
limit_arenas(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    mallopt(M_ARENA_MAX, cores > 2 ? (int)cores : 2);
}

int
yb_child_run(struct yb_process *p, int parent_fd, pid_t parent)
{
    struct yb_daemon d = {
        .p = p, .conf = p->conf, .parent_fd = parent_fd, .started_ms = yb_clock_ms(), .code = -1
    };
    const struct yb_daemon_conf *own = yb_process_daemon_conf(p);
    size_t files = own->max_connections + (size_t)FILES_PER_WORKER * own->workers + FILES_OWN;
    struct yb_err err = { 0 };

    if (p->spec->files != NULL)
        files += p->spec->files(p->conf);
    limit_arenas();
    yb_heap_open(&d.heap);
    yb_conf_source_free(&p->source); /* the parent keeps its own */
    d.database = make_conninfo(p);
    if (take_signals(&d, &err) < 0 || yb_privs_become(&p->privs, parent, files, &err) < 0 ||
        yb_confine(&err) < 0 || run(&d, &err) < 0) {
        yb_log_err(YB_LOG_ERROR, NULL, "daemon.start_failed", &err);
        return err.class == YB_PERM ? YB_EXIT_CONFIG : YB_EXIT_TEMP;
    }
    explicit_bzero(d.database, strlen(d.database));
    yb_free(d.database);
    yb_buf_free(&d.networks);
    yb_heap_close(&d.heap);
    return atomic_load(&d.code);
}
