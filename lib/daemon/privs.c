#include "lib/daemon/privs.h"

#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int
yb_privs_find(const char *user, const char *group, struct yb_privs *p, struct yb_err *err)
{
    const struct passwd *pw;
    const struct group *gr;

    *p = (struct yb_privs){ .drop = geteuid() == 0, .uid = geteuid(), .gid = getegid() };
    snprintf(p->user, sizeof(p->user), "%s", user);
    if (!p->drop)
        return 0;
    pw = getpwnam(user);
    if (pw == NULL)
        return yb_err_inside(err, YB_PERM, "5.3.5", "there is no user %s: create it or set user",
                             user);
    p->uid = pw->pw_uid;
    p->gid = pw->pw_gid;
    if (p->uid == 0)
        return yb_err_inside(err, YB_PERM, "5.3.5", "user must not be root");
    if (*group != '\0') {
        gr = getgrnam(group);
        if (gr == NULL)
            return yb_err_inside(err, YB_PERM, "5.3.5", "there is no group %s", group);
        p->gid = gr->gr_gid;
    }
    return 0;
}

gid_t
yb_privs_group(const char *name)
{
    const struct group *gr = *name == '\0' ? NULL : getgrnam(name);

    return gr == NULL ? (gid_t)-1 : gr->gr_gid;
}

int
yb_privs_folder(const struct yb_privs *p, const char *above, const char *path, struct yb_err *err)
{
    int fd, rc = 0;

    if (mkdir(above, 0755) == 0 ? chmod(above, 0755) < 0 : errno != EEXIST) /* despite our umask */
        return yb_err_sys(err, YB_PERM, "5.3.5", "make %s", above);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return yb_err_sys(err, YB_PERM, "5.3.5", "make %s", path);
    if (!p->drop)
        return 0;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return yb_err_sys(err, YB_PERM, "5.3.5", "open %s", path);
    if (fchown(fd, p->uid, p->gid) < 0)
        rc = yb_err_sys(err, YB_PERM, "5.3.5", "give %s to %s", path, p->user);
    close(fd);
    return rc;
}

/* 1: a folder, 0: nothing there, -1: something else, or it cannot be seen. */
static int
folder_there(const char *path, struct yb_err *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return errno == ENOENT ? 0 : yb_err_sys(err, YB_PERM, "5.3.5", "look at %s", path);
    return S_ISDIR(st.st_mode) ? 1 : yb_err_inside(err, YB_PERM, "5.3.5", "%s is no folder", path);
}

int
yb_privs_folder_check(const char *path, struct yb_err *err)
{
    struct yb_str in = yb_str_head(yb_str_from(path), yb_str_rfind(yb_str_from(path), '/'));
    char parent[300] = "/";
    int rc = folder_there(path, err);

    if (rc == 0 && in.n > 0 && !yb_str_copy(in, parent, sizeof(parent)))
        rc = -1;
    if (rc == 0)
        rc = folder_there(parent, err);
    if (rc == 0)
        return yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.3.5", "there is no %s to make %s in",
                         parent, path);
    return rc < 0 ? -1 : 0;
}

/* Lets the kernel make its table of our descriptors at once: each time it has to grow under several
 * threads, all that open a file wait some 10 ms (for RCU). Without it they only wait. */
static void
size_files(size_t most)
{
    int last = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, (int)most - 1);

    if (last >= 0)
        close(last);
}

/* As many open files as asked for; with fewer allowed, as many as there are, and a warning. Root may
 * raise the limit, unless it lives in a container. */
static int
limit_files(size_t want, struct yb_err *err)
{
    struct rlimit r, raised = { want, want };

    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "getrlimit");
    if (r.rlim_max < want && geteuid() == 0 && setrlimit(RLIMIT_NOFILE, &raised) == 0) {
        size_files(want);
        return 0;
    }
    if (r.rlim_max < want)
        yb_log(YB_LOG_WARN, NULL, "daemon.few_files",
               "only %llu open files are allowed where %zu may be needed: raise the limit "
               "(LimitNOFILE=) or lower max_connections",
               (unsigned long long)r.rlim_max, want);
    r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
    if (setrlimit(RLIMIT_NOFILE, &r) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "allow %zu open files", want);
    size_files((size_t)r.rlim_cur);
    return 0;
}

static int
become_user(const struct yb_privs *p, struct yb_err *err)
{
    if (initgroups(p->user, p->gid) < 0 || setresgid(p->gid, p->gid, p->gid) < 0 ||
        setresuid(p->uid, p->uid, p->uid) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "become user %s", p->user);
    if (setuid(0) == 0 || geteuid() == 0)
        return yb_err_inside(err, YB_BUG, "4.3.0", "still root after becoming %s", p->user);
    return 0;
}

int
yb_privs_become(const struct yb_privs *p, pid_t parent, size_t open_files, struct yb_err *err)
{
    const struct rlimit no_core = { 0, 0 };

    if (limit_files(open_files, err) < 0)
        return -1;
    if (setrlimit(RLIMIT_CORE, &no_core) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "forbid core files");
    if (p->drop && become_user(p, err) < 0)
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "no_new_privs");
    /* Changing the user clears it, so it comes last; a parent that died before is noticed here. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "parent death signal");
    if (getppid() != parent)
        return yb_err_inside(err, YB_TEMP, "4.3.0", "the parent is gone");
    umask(077);
    return 0;
}
