/*
 * The parent of a daemon: a single thread that waits for signals, for the child's frames and for
 * the moment of the next start.
 *
 *   state     child   left by
 *   waiting   none    restart_at: start_child()       SIGTERM: end
 *   starting  runs    READY frame: ready              death: waiting, or end if it says 78
 *   ready     runs    death: waiting (back-off)       SIGTERM: stopping
 *   stopping  runs    death: end                      kill_at: SIGKILL
 *
 * Beside it, for what the dead child's threads had noted (notes.h): at most one probe, begun as soon
 * as there is something to try, also before the next child; probe_kill_at: SIGKILL.
 *
 *   the probe's end                                  what was on trial
 *   exit 0                                           cleared
 *   exit 75: it could not be tried                   postponed
 *   a signal that the work itself brings about       condemned
 *   any other exit code: the work ended the process  condemned
 *   any other signal: it was cut off                 postponed; cleared after TRIES
 */
#include "lib/daemon/process.h"

#include "lib/base/clock.h"
#include "lib/base/id.h"
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
#define TRY_AGAIN_MS 2000  /* a suspect that could not be tried */
/* A trial that is cut off says nothing of the work: the machine was busy or out of memory, or
 * somebody sent a signal. What is cut off this often is cleared: work that neither dies nor uses
 * processor time ends no process, and others wait for their trials. */
#define TRIES 3
/* The wall clock's limit of a trial, in times of its processor time (probe_ms): an endless loop that
 * gets a tenth of a core meets the limit of processor time first, which condemns it. */
#define WALL_TIMES 10

struct parent {
    struct yb_process *p;
    int signals;
    pid_t child; /* 0: none */
    int child_fd;
    struct yb_buf *body;
    int64_t started_ms, backoff_ms;
    struct yb_deadline restart_at, kill_at;
    bool ready, was_ready, stopping;
    int code;     /* >= 0: end with it */
    char *notify; /* systemd's socket; NULL: nobody is told */
    /* A reload that the child has not answered yet. */
    struct yb_conf_source *new_source;
    struct yb_conf *new_conf;
    bool reload_again; /* asked for meanwhile */
    /* What is tried. */
    pid_t probe; /* 0: none */
    enum yb_note_task probe_task;
    struct yb_note probed;
    struct yb_deadline probe_at, probe_kill_at; /* not before; not longer */
};

/* The notification protocol of systemd: a datagram to the socket it names; others lack the name. */
static void
notify(const struct parent *s, const char *state)
{
    const char *path = s->notify;
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
notify_reloading(const struct parent *s)
{
    char text[80];

    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)yb_clock_us());
    notify(s, text);
}

/* Tells whoever waits for the first readiness; later children are nobody's news. */
static void
tell_ready(struct parent *s)
{
    int fd = s->p->ready_fd;

    s->ready = true;
    notify(s, "READY=1");
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
        yb_free(s->notify);
        yb_leave(yb_child_run(s->p, pair[1], self));
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
log_status(struct yb_log_line *l, int status)
{
    if (WIFSIGNALED(status))
        yb_log_num(l, "signal", WTERMSIG(status));
    else
        yb_log_num(l, "code", WEXITSTATUS(status));
}

static void
log_death(int status, int64_t lived_ms)
{
    struct yb_log_line l;

    yb_log_begin(&l, YB_LOG_ERROR, NULL, "daemon.child_died");
    log_status(&l, status);
    yb_log_num(&l, "lived_ms", lived_ms);
    yb_log_end(&l);
}

/* --- what the child may have died of --- */

static void
take_notes(struct parent *s)
{
    size_t n = s->p->notes == NULL ? 0 : yb_notes_take(s->p->notes);

    if (n == 0)
        return;
    s->probe_at = yb_deadline_in(0);
    yb_log(YB_LOG_WARN, NULL, "daemon.suspects",
           "%zu pieces of work were under way: each is tried alone before anybody may do it", n);
}

static void
start_probe(struct parent *s)
{
    pid_t self = getpid();

    s->probe_task = yb_notes_next(s->p->notes, &s->probed);
    s->probe_at = yb_deadline_never();
    if (s->probe_task == YB_NOTE_IDLE)
        return;
    s->probe = fork();
    if (s->probe == 0) {
        close(s->signals);
        if (s->child_fd >= 0)
            close(s->child_fd);
        if (s->p->ready_fd >= 0)
            close(s->p->ready_fd);
        yb_leave(yb_probe_run(s->p, s->probe_task, &s->probed, self));
    }
    if (s->probe < 0) {
        yb_log(YB_LOG_ERROR, NULL, "daemon.fork_failed", "%s", strerror(errno));
        s->probe = 0;
        s->probe_at = yb_deadline_in(TRY_AGAIN_MS);
        return;
    }
    s->probe_kill_at = yb_deadline_in(WALL_TIMES * s->p->spec->probe_ms);
}

/* The end of a line about a trial. */
static void
log_trial(const struct parent *s, struct yb_log_line *l, int status)
{
    char note[2 * YB_NOTE_SIZE + 1];

    log_status(l, status);
    yb_log_str(l, "note", yb_str_from(yb_hex(s->probed.v, sizeof(s->probed.v), note)));
    yb_log_end(l);
}

/* By a signal that the work does not bring about itself. */
static bool
was_cut_off(int status)
{
    static const int own[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS, SIGTRAP, SIGXCPU };

    for (size_t i = 0; i < YB_COUNT(own); i++)
        if (WIFSIGNALED(status) && WTERMSIG(status) == own[i])
            return false;
    return WIFSIGNALED(status);
}

static void
try_again(struct parent *s)
{
    yb_notes_postpone(s->p->notes, &s->probed);
    s->probe_at = yb_deadline_in(TRY_AGAIN_MS);
}

/* The suspect's trial, or the remembering of a condemned one, is over; the next may begin. */
static void
probe_ended(struct parent *s, int status)
{
    struct yb_notes *notes = s->p->notes;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    bool cut_off = was_cut_off(status);
    struct yb_log_line l;

    s->probe = 0;
    s->probe_at = yb_deadline_in(0);
    s->probe_kill_at = yb_deadline_never();
    if (cut_off && yb_notes_cut_off(notes, &s->probed) < TRIES) {
        try_again(s);
        yb_log_begin(&l, YB_LOG_WARN, NULL, "daemon.probe_cut_off");
        log_trial(s, &l, status);
    } else if (s->probe_task == YB_NOTE_CONDEMN) {
        yb_notes_written(notes, &s->probed);
        if (code != YB_EXIT_OK) {
            yb_log_begin(&l, YB_LOG_ERROR, NULL, "daemon.not_remembered");
            log_trial(s, &l, status);
        }
    } else if (code == YB_EXIT_TEMP) {
        try_again(s);
    } else if (code == YB_EXIT_OK || cut_off) {
        yb_notes_judge(notes, &s->probed, YB_NOTE_CLEAR);
        yb_log_begin(&l, YB_LOG_INFO, NULL, "daemon.cleared");
        log_trial(s, &l, status);
    } else {
        yb_notes_judge(notes, &s->probed, YB_NOTE_CONDEMNED);
        yb_log_begin(&l, YB_LOG_ERROR, NULL, "daemon.condemned");
        log_trial(s, &l, status);
    }
}

/* The parent ends: what was on trial is neither cleared nor condemned. */
static void
end_probe(struct parent *s)
{
    if (s->probe == 0)
        return;
    kill(s->probe, SIGKILL);
    while (waitpid(s->probe, NULL, 0) < 0 && errno == EINTR)
        ;
    s->probe = 0;
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
    take_notes(s);
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
    if (s->probe > 0 && waitpid(s->probe, &status, WNOHANG) == s->probe)
        probe_ended(s, status);
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
    notify(s, "READY=1");
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
    notify_reloading(s);
    yb_conf_errors_init(&errors);
    s->new_source = yb_conf_source_read(p->conf_path, p->tables, YB_COUNT(p->tables),
                                        YB_CONF_WITH_FILES, &errors);
    if (s->new_source != NULL)
        s->new_conf = yb_conf_build(s->new_source, p->tables, YB_COUNT(p->tables), &errors);
    if (s->new_conf == NULL) {
        log_conf_errors(&errors);
        drop_reload(s);
        notify(s, "READY=1");
    } else if (s->child == 0) {
        accept_reload(s);
    } else if (pass_reload(s, &err) < 0) {
        yb_log_err(YB_LOG_ERROR, NULL, "conf.kept", &err);
        drop_reload(s);
        notify(s, "READY=1");
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
        notify(s, "READY=1");
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
    notify(s, "STOPPING=1");
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
    if (s->probe == 0 && s->code < 0 && !s->stopping && yb_deadline_left(s->probe_at) == 0) {
        start_probe(s);
    } else if (s->probe > 0 && yb_deadline_left(s->probe_kill_at) == 0) {
        kill(s->probe, SIGKILL);
        s->probe_kill_at = yb_deadline_never();
    }
}

/* Until something is to be done that no descriptor tells of. */
static int
patience(const struct parent *s)
{
    struct yb_deadline child = yb_deadline_min(s->restart_at, s->kill_at);
    bool begins = s->probe == 0 && !s->stopping;

    return yb_deadline_left(yb_deadline_min(child, begins ? s->probe_at : s->probe_kill_at));
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
                        .probe_at = yb_deadline_never(),
                        .probe_kill_at = yb_deadline_never(),
                        .code = -1 };
    sigset_t set;

    /* For us alone. Taken here, since a child that was just forked does not touch the environment:
     * whoever held its lock is not there to give it back. */
    if (getenv("NOTIFY_SOCKET") != NULL)
        s.notify = yb_dup(getenv("NOTIFY_SOCKET"), strlen(getenv("NOTIFY_SOCKET")));
    unsetenv("NOTIFY_SOCKET");
    if (p->spec->probe != NULL) {
        yb_assert(p->spec->probe_ms > 0);
        p->notes = yb_notes_new();
        if (p->notes == NULL)
            yb_log(YB_LOG_WARN, NULL, "daemon.no_notes", "%s", strerror(errno));
    }
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
        yb_free(s.notify);
        return YB_EXIT_OSERR;
    }
    while (s.code < 0) {
        struct pollfd fds[2] = { { .fd = s.signals, .events = POLLIN },
                                 { .fd = s.child_fd, .events = POLLIN } };

        deadlines(&s);
        fds[1].fd = s.child_fd;
        if (s.code < 0 && poll(fds, 2, patience(&s)) < 0 && errno != EINTR)
            s.code = YB_EXIT_OSERR;
        if ((fds[1].revents & POLLIN) != 0)
            child_frame(&s);
        if ((fds[0].revents & POLLIN) != 0)
            signalled(&s);
        reap(&s);
    }
    end_probe(&s);
    close(s.signals);
    yb_buf_free(&s.body);
    yb_free(s.notify);
    return s.code;
}
