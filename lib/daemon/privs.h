/* Whose rights a daemon's child has, and what it gives up. */
#ifndef YB_DAEMON_PRIVS_H
#define YB_DAEMON_PRIVS_H

#include "lib/base/err.h"

#include <sys/types.h>

struct yb_privs {
    bool drop; /* started by root: become the user below; else stay who we are */
    uid_t uid;
    gid_t gid;
    char user[72];
};

/* Looks up the user and group ("" = the user's own). An unknown name, or root, is YB_PERM. */
int yb_privs_find(const char *user, const char *group, struct yb_privs *p,
                  struct yb_err *err) YB_MUST_USE;
/* The id of a group; (gid_t)-1 when there is none of that name. */
gid_t yb_privs_group(const char *name);
/* A folder of mode 0700 that belongs to the daemon's user; the one above it is made too. */
int yb_privs_folder(const struct yb_privs *p, const char *above, const char *path,
                    struct yb_err *err) YB_MUST_USE;
/* The folder is there, or can be made as far as can be seen. PERM, YB_ERR_NOT_FOUND, when there is
 * nothing to make it in. */
int yb_privs_folder_check(const char *path, struct yb_err *err) YB_MUST_USE;
/*
 * In the child, before any thread: limits, no core files, the user for good, no way to new rights
 * (no_new_privs), and death with the parent, whose pid is given.
 */
int yb_privs_become(const struct yb_privs *p, pid_t parent, size_t open_files,
                    struct yb_err *err) YB_MUST_USE;

#endif
