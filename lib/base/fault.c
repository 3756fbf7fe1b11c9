#include "lib/base/fault.h"

#ifdef YB_FAULTS
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FAULTS 16

struct fault {
    char point[48];
    bool kill;
    long left; /* visits until it acts */
};

static struct fault faults[MAX_FAULTS];
static size_t n_faults;
static int log_fd = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
faults_read(void)
{
    const char *spec = getenv("YB_FAULT"), *log = getenv("YB_FAULT_LOG");
    char how[8];
    int used;

    if (log != NULL)
        log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    while (spec != NULL && n_faults < MAX_FAULTS) {
        struct fault *f = &faults[n_faults];

        if (sscanf(spec, "%47[^:]:%7[^:]:%ld%n", f->point, how, &f->left, &used) != 3)
            break;
        f->kill = strcmp(how, "kill") == 0;
        n_faults++;
        spec = spec[used] == ',' ? spec + used + 1 : NULL;
    }
}

/* False when it acted before, in this process or in one before it. */
static bool
first_time(const char *point)
{
    const char *folder = getenv("YB_FAULT_ONCE");
    char path[512];
    int fd;

    if (folder == NULL)
        return true;
    snprintf(path, sizeof(path), "%s/%s", folder, point);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Counts the visit; returns the fault that is due, or NULL. */
static struct fault *
fault_due(const char *point, bool kill)
{
    struct fault *due = NULL;

    pthread_once(&once, faults_read);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_faults; i++) {
        if (faults[i].kill == kill && strcmp(faults[i].point, point) == 0 &&
            --faults[i].left == 0 && first_time(point))
            due = &faults[i];
    }
    if (log_fd >= 0)
        dprintf(log_fd, "%s\n", point);
    pthread_mutex_unlock(&lock);
    return due;
}

void
yb_fault(const char *point)
{
    if (fault_due(point, true) != NULL)
        kill(getpid(), SIGKILL);
}

bool
yb_fault_fails(const char *point)
{
    if (fault_due(point, false) == NULL)
        return false;
    errno = EIO;
    return true;
}

void
yb_fault_marked(const char *point, struct yb_str bytes)
{
    const char *spec = getenv("YB_FAULT_MARK");
    size_t n = strlen(point);

    if (spec != NULL && strncmp(spec, point, n) == 0 && spec[n] == ':' &&
        yb_str_find_str(bytes, yb_str_from(spec + n + 1)) < bytes.n)
        abort();
}

const char *
yb_fault_setting(const char *name)
{
    return getenv(name);
}
#endif
