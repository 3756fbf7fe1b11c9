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

/* The soft limit; at the one of processor time the kernel ends the process. */
static int
limit(__rlimit_resource_t what, rlim_t most, struct yb_err *err)
{
    struct rlimit r;

    if (getrlimit(what, &r) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "getrlimit");
    r.rlim_cur = r.rlim_max < most ? r.rlim_max : most;
    return setrlimit(what, &r) < 0 ? yb_err_sys(err, YB_TEMP, "4.3.0", "setrlimit") : 0;
}

static int
limit_all(int64_t ms, struct yb_err *err)
{
    if (!YB_SANITIZED && limit(RLIMIT_AS, MEMORY, err) < 0)
        return -1;
    return limit(RLIMIT_CPU, (rlim_t)ms / 1000 + 1, err);
}

int
yb_probe_run(struct yb_process *p, enum yb_note_task task, const struct yb_note *note, pid_t parent)
{
    const struct yb_daemon_spec *spec = p->spec;
    struct yb_err err = { 0 };
    sigset_t none;
    int rc;

    /* For ps, and whoever looks for the child that serves. */
    prctl(PR_SET_NAME, "yubin-probe", 0, 0, 0);
    for (size_t i = 0; i < p->n_bound; i++)
        close(p->bound[i].fd);
    close(p->control_fd);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
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
