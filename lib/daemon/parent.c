/*
 * The parent of a daemon: a single thread that waits for signals, for the child's frames and for
 * the moment of the next start.
 *
 *   state     child   left by
 *   waiting   none    restart_at: start_child()       SIGTERM: end
 *   starting  runs    READY frame: ready              death: waiting, or end if it says 78
 *   ready     runs    death: waiting (back-off)       SIGTERM: stopping
 *   stopping  runs    death: end                      kill_at: SIGKILL
 */
#include "lib/daemon/process.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/daemon/frame.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIFE_MS 60000      /* a child that lived this long is not blamed for dying */
#define PASS_MS 5000       /* a frame to or from the child */
#define KILL_AFTER_MS 5000 /* beyond stop_timeout */

struct parent {
    struct yb_process *p;
    int signals;
    pid_t child; /* 0: none */
    int child_fd;
    struct yb_buf *body;
    int64_t started_ms, backoff_ms;
    struct yb_deadline restart_at, kill_at;
    bool ready, was_ready, stopping;
    int code; /* >= 0: end with it */
    /* A reload that the child has not answered yet. */
    struct yb_conf_source *new_source;
    struct yb_conf *new_conf;
    bool reload_again; /* asked for meanwhile */
};

/* The notification protocol of systemd: a datagram to the socket it names; others lack the name. */
static void
notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t n = path == NULL ? 0 : strlen(path);
    int fd;

    if (n == 0 || n >= sizeof(to.sun_path))
        return;
    memcpy(to.sun_path, path, n);
    if (to.sun_path[0] == '@')
        to.sun_path[0] = '\0'; /* abstract */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
        yb_log(YB_LOG_WARN, NULL, "daemon.notify_failed", "%s", strerror(errno));
    close(fd);
}

static void
notify_reloading(void)
{
    char text[80];

    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)yb_clock_us());
    notify(text);
}

/* Tells whoever waits for the first readiness; later children are nobody's news. */
static void
tell_ready(struct parent *s)
{
    int fd = s->p->ready_fd;

    s->ready = true;
    notify("READY=1");
    if (s->was_ready)
        return;
    s->was_ready = true;
    yb_log(YB_LOG_INFO, NULL, "daemon.ready", "version %s", PACKAGE_VERSION);
    if (fd >= 0) {
        if (write(fd, "ready\n", 6) < 0)
            yb_log(YB_LOG_WARN, NULL, "daemon.notify_failed", "%s", strerror(errno));
        close(fd);
        s->p->ready_fd = -1;
    }
}

static void
drop_reload(struct parent *s)
{
    yb_conf_free(&s->new_conf);
    yb_conf_source_free(&s->new_source);
}

static void
fork_failed(struct parent *s)
{
    yb_log(YB_LOG_ERROR, NULL, "daemon.fork_failed", "%s", strerror(errno));
    s->restart_at = yb_deadline_in(s->backoff_ms);
}

static void
start_child(struct parent *s)
{
    int pair[2];
    pid_t self = getpid(), pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        fork_failed(s);
        return;
    }
    pid = fork();
    if (pid == 0) {
        close(pair[0]);
        close(s->signals);
        if (s->p->ready_fd >= 0)
            close(s->p->ready_fd);
        yb_buf_free(&s->body);
        unsetenv("NOTIFY_SOCKET");
        _exit(yb_child_run(s->p, pair[1], self));
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        fork_failed(s);
        return;
    }
    s->child = pid;
    s->child_fd = pair[0];
    s->ready = false;
    s->started_ms = yb_clock_ms();
    s->restart_at = yb_deadline_never();
}

static void
log_death(int status, int64_t lived_ms)
{
    struct yb_log_line l;

    yb_log_begin(&l, YB_LOG_ERROR, NULL, "daemon.child_died");
    if (WIFSIGNALED(status))
        yb_log_num(&l, "signal", WTERMSIG(status));
    else
        yb_log_num(&l, "code", WEXITSTATUS(status));
    yb_log_num(&l, "lived_ms", lived_ms);
    yb_log_end(&l);
}

/* The child is gone: end, or start another one after a while. */
static void
child_died(struct parent *s, int status)
{
    const struct yb_daemon_conf *own = yb_process_daemon_conf(s->p);
    int64_t lived = yb_clock_ms() - s->started_ms;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

    close(s->child_fd);
    s->child_fd = -1;
    s->child = 0;
    if (s->new_conf != NULL)
        yb_log(YB_LOG_ERROR, NULL, "conf.kept", "the child died before it answered: reload again");
    drop_reload(s);
    if (s->stopping || code == YB_EXIT_OK || (code == YB_EXIT_CONFIG && !s->was_ready)) {
        s->code = s->stopping ? YB_EXIT_OK : code;
        return;
    }
    log_death(status, lived);
    if (lived >= LIFE_MS)
        s->backoff_ms = own->restart_wait;
    s->restart_at = yb_deadline_in(s->backoff_ms);
    s->backoff_ms =
        s->backoff_ms * 2 > own->restart_wait_max ? own->restart_wait_max : s->backoff_ms * 2;
}

static void
reap(struct parent *s)
{
    int status;

    if (s->child > 0 && waitpid(s->child, &status, WNOHANG) == s->child)
        child_died(s, status);
}

static void
log_conf_errors(const struct yb_conf_errors *errors)
{
    struct yb_str left = yb_buf_view(errors->text), line;

    while (yb_str_split(&left, '\n', &line))
        if (line.n > 0)
            yb_log(YB_LOG_ERROR, NULL, "conf.error", "%.*s", YB_STR_ARG(line));
    yb_log(YB_LOG_ERROR, NULL, "conf.kept", "the old configuration stays in force");
}

/* The child puts the new configuration in force, or refuses it for its certificates. */
static int
pass_reload(struct parent *s, struct yb_err *err)
{
    struct yb_buf *bytes = yb_buf_new(YB_FRAME_LIMIT);
    int rc;

    yb_conf_source_encode(s->new_source, bytes);
    if (yb_buf_overflowed(bytes))
        rc = yb_err_inside(err, YB_PERM, "5.3.4", "certificates and keys are over 16 MiB");
    else
        rc = yb_frame_send(s->child_fd, YB_FRAME_RELOAD, yb_buf_view(bytes),
                           yb_deadline_in(PASS_MS), err);
    explicit_bzero((void *)(uintptr_t)yb_buf_view(bytes).p, yb_buf_size(bytes));
    yb_buf_free(&bytes);
    return rc;
}

static void
accept_reload(struct parent *s)
{
    if (s->new_conf == NULL)
        return;
    yb_conf_source_free(&s->p->source);
    yb_conf_free(&s->p->conf); /* only the next child begins with it: nobody else holds it here */
    s->p->source = s->new_source;
    s->p->conf = s->new_conf;
    s->new_source = NULL;
    s->new_conf = NULL;
    yb_log(YB_LOG_INFO, NULL, "conf.reloaded", "%s", s->p->conf_path);
    notify("READY=1");
}

/* SIGHUP. What is wrong in itself is told here; the certificates the child must judge. */
static void
reload(struct parent *s)
{
    struct yb_process *p = s->p;
    struct yb_conf_errors errors;
    struct yb_err err = { 0 };

    /* One at a time, or the child's answer to one would be taken for its answer to the other. */
    s->reload_again = s->new_conf != NULL;
    if (s->reload_again)
        return;
    notify_reloading();
    yb_conf_errors_init(&errors);
    s->new_source = yb_conf_source_read(p->conf_path, p->tables, YB_COUNT(p->tables),
                                        YB_CONF_WITH_FILES, &errors);
    if (s->new_source != NULL)
        s->new_conf = yb_conf_build(s->new_source, p->tables, YB_COUNT(p->tables), &errors);
    if (s->new_conf == NULL) {
        log_conf_errors(&errors);
        drop_reload(s);
        notify("READY=1");
    } else if (s->child == 0) {
        accept_reload(s);
    } else if (pass_reload(s, &err) < 0) {
        yb_log_err(YB_LOG_ERROR, NULL, "conf.kept", &err);
        drop_reload(s);
        notify("READY=1");
    }
    yb_conf_errors_free(&errors);
}

/* A frame that makes no sense ends the child that sent it: the next one starts fresh. */
static void
child_frame(struct parent *s)
{
    struct yb_err err = { 0 };
    uint32_t type = 0;

    if (yb_frame_recv(s->child_fd, &type, s->body, yb_deadline_in(PASS_MS), &err) < 0) {
        kill(s->child, SIGKILL);
        return;
    }
    if (type == YB_FRAME_READY) {
        tell_ready(s);
    } else if (type == YB_FRAME_RELOADED) {
        accept_reload(s);
    } else if (type == YB_FRAME_REFUSED) {
        drop_reload(s);
        yb_log(YB_LOG_ERROR, NULL, "conf.kept", "%.*s", YB_STR_ARG(yb_buf_view(s->body)));
        notify("READY=1");
    } else {
        yb_log(YB_LOG_ERROR, NULL, "daemon.bad_frame", "type %u from the child", type);
        kill(s->child, SIGKILL);
    }
    if (s->reload_again && s->ready && s->new_conf == NULL)
        reload(s);
}

static void
stop(struct parent *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    notify("STOPPING=1");
    if (s->child == 0) {
        s->code = YB_EXIT_OK;
        return;
    }
    kill(s->child, SIGTERM);
    s->kill_at = yb_deadline_in(yb_process_daemon_conf(s->p)->stop_timeout + KILL_AFTER_MS);
}

static void
signalled(struct parent *s)
{
    struct signalfd_siginfo info;

    if (read(s->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo == SIGHUP && !s->stopping)
        reload(s);
    else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
        stop(s);
}

static void
deadlines(struct parent *s)
{
    if (s->child == 0 && s->code < 0 && yb_deadline_left(s->restart_at) == 0) {
        start_child(s);
    } else if (s->child > 0 && yb_deadline_left(s->kill_at) == 0) {
        yb_log(YB_LOG_ERROR, NULL, "daemon.stop_late", "the child did not stop in time");
        kill(s->child, SIGKILL);
        s->kill_at = yb_deadline_never();
    }
}

int
yb_parent_run(struct yb_process *p)
{
    struct parent s = { .p = p,
                        .child_fd = -1,
                        .body = yb_buf_new(4096),
                        .backoff_ms = yb_process_daemon_conf(p)->restart_wait,
                        .restart_at = yb_deadline_in(0),
                        .kill_at = yb_deadline_never(),
                        .code = -1 };
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s.signals < 0) {
        yb_log(YB_LOG_ERROR, NULL, "daemon.start_failed", "signalfd: %s", strerror(errno));
        yb_buf_free(&s.body);
        return YB_EXIT_OSERR;
    }
    while (s.code < 0) {
        struct pollfd fds[2] = { { .fd = s.signals, .events = POLLIN },
                                 { .fd = s.child_fd, .events = POLLIN } };

        deadlines(&s);
        fds[1].fd = s.child_fd;
        if (s.code < 0 &&
            poll(fds, 2, yb_deadline_left(yb_deadline_min(s.restart_at, s.kill_at))) < 0 &&
            errno != EINTR)
            s.code = YB_EXIT_OSERR;
        if ((fds[1].revents & POLLIN) != 0)
            child_frame(&s);
        if ((fds[0].revents & POLLIN) != 0)
            signalled(&s);
        reap(&s);
    }
    close(s.signals);
    yb_buf_free(&s.body);
    return s.code;
}
