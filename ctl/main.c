/*
 * yubin: the operator's command. See ctl.h for its shape and yubin(1) for its manual.
 *
 * It reads [common] of the configuration, talks to the database as the role yubin_operator and to
 * the daemons of this node by their control sockets. Passwords come from standard input, never from
 * arguments. Exit codes: 0 done, 1 refused, 2 usage, 75 try later.
 */
#include "ctl/ctl.h"

#include "lib/base/log.h"

#include <stdio.h>

int
main(int argc, char **argv)
{
    struct ctl c = { .conf_path = YB_SYSCONF, .arena = yb_arena_new(4096) };
    struct yb_err err = { 0 };
    json_t *out = NULL;
    int rc = ctl_arguments(&c, argc, argv);

    yb_log_init("yubin", YB_LOG_WARN);
    if (rc < 0) {
        if ((c.command->offline || ctl_admin(&c, &err) == 0) &&
            c.command->run(&c, &out, &err) == 0) {
            rc = CTL_DONE;
        } else {
            fprintf(stderr, "yubin: %s\n", err.text);
            rc = err.class == YB_PERM ? CTL_REFUSED : CTL_LATER;
        }
    }
    if (out != NULL) {
        ctl_cut(&c, out);
        ctl_print(&c, out);
    }
    json_decref(out);
    yb_admin_free(&c.admin);
    yb_conf_free(&c.conf);
    yb_conf_source_free(&c.source);
    yb_arena_free(&c.arena);
    if (fflush(stdout) != 0)
        rc = CTL_LATER;
    return rc;
}
