/*
 * The child that tries a suspect alone: what it was that ended the serving child, if this was it,
 * ends this one. It has the daemon's user and nothing to serve with.
 */
#include "lib/daemon/process.h"

#include "lib/base/log.h"
#include "lib/daemon/condemned.h"
#include "lib/daemon/confine.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define FILES 256
/* What a piece of work of ordinary size may take; a hook that finds a larger one raises it. */
#define MEMORY ((rlim_t)1 << 30)

/* The soft limit, below any hard one: at the soft one of processor time the kernel sends SIGXCPU,
 * which is the work's own doing; at the hard one SIGKILL, which anybody may have sent. */
static int
limit(__rlimit_resource_t what, rlim_t most, struct yb_err *err)
{
    struct rlimit r;

    if (getrlimit(what, &r) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "getrlimit");
    r.rlim_cur = r.rlim_max > most ? most : r.rlim_max - (r.rlim_max > 0 ? 1 : 0);
    return setrlimit(what, &r) < 0 ? yb_err_sys(err, YB_TEMP, "4.3.0", "setrlimit") : 0;
}

static int
limit_all(int64_t ms, struct yb_err *err)
{
    if (!YB_SANITIZED && limit(RLIMIT_AS, MEMORY, err) < 0)
        return -1;
    return limit(RLIMIT_CPU, ((rlim_t)ms + 999) / 1000, err);
}

/* What is sent to all processes of the daemon is the parent's to act upon: it ends this one by
 * SIGKILL. Whoever started the daemon may have left SIGXCPU ignored. */
static void
set_signals(void)
{
    sigset_t none;

    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGXCPU, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int
yb_probe_run(struct yb_process *p, enum yb_note_task task, const struct yb_note *note, pid_t parent)
{
    const struct yb_daemon_spec *spec = p->spec;
    struct yb_err err = { 0 };
    int rc;

    /* For ps, and whoever looks for the child that serves. */
    prctl(PR_SET_NAME, "yubin-probe", 0, 0, 0);
    for (size_t i = 0; i < p->n_bound; i++)
        close(p->bound[i].fd);
    close(p->control_fd);
    set_signals();
    if (yb_privs_become(&p->privs, parent, FILES, &err) < 0 || yb_confine(&err) < 0 ||
        limit_all(spec->probe_ms, &err) < 0)
        rc = -1;
    else if (task == YB_NOTE_CONDEMN)
        rc = yb_condemned_add(p->state_dir, note, &err);
    else
        rc = spec->probe(p->conf, note, &err);
    if (rc == 0)
        return YB_EXIT_OK;
    yb_log_err(YB_LOG_WARN, NULL, "daemon.probe_failed", &err);
    return YB_EXIT_TEMP;
}
