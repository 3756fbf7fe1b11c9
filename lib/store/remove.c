/*
 * An account's end: its folder under a name that nobody opens, then emptied.
 */
#include "lib/store/life.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

/* Under the account lock: what moves or has moved away leaves its marker. Where that cannot be told
 * there is nothing to keep. */
static int
may_go(const struct yb_store_account *a, struct yb_err *err)
{
    struct yb_lock_durable d;

    yb_lockfile_read_durable(a->lock_fd, &d);
    if (d.state > YB_ACCOUNT_HOME || yb_account_marked(a))
        return yb_account_err_moving(err);
    return 0;
}

int
yb_store_remove(struct yb_store *s, struct yb_account_id id, struct yb_err *err)
{
    char text[YB_ID_TEXT], outer[3], aside[YB_ID_TEXT + 16];
    int root_fd = yb_root_fd(s, err), outer_fd, rc = 0;
    struct yb_store_account *a = NULL;
    struct yb_err why = { 0 };

    if (root_fd < 0)
        return -1;
    yb_account_id_text(id, text);
    snprintf(outer, sizeof(outer), "%.2s", text);
    snprintf(aside, sizeof(aside), ".removed.%s", text);
    outer_fd = yb_sys_open(root_fd, outer, O_RDONLY | O_DIRECTORY);
    if (outer_fd < 0)
        return errno == ENOENT ? 0 : yb_err_sys(err, YB_TEMP, "4.3.0", "open %s", outer);
    /* What an earlier removal left goes first: the name is needed. */
    if (yb_sys_remove_tree(outer_fd, aside, 3) < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "empty the account's folder");
    } else if (yb_store_open(s, id, false, &a, &why) < 0) {
        rc = why.class == YB_PERM ? 0 : -1;
        if (rc < 0 && err != NULL)
            *err = why;
    } else if (yb_account_hold(a, err) < 0) {
        rc = -1;
    } else {
        rc = may_go(a, err);
        if (rc == 0)
            rc = yb_account_set_aside(a, outer_fd, text, aside, err);
        yb_account_unlock(a);
        if (rc == 0 && yb_sys_remove_tree(outer_fd, aside, 3) < 0)
            rc = yb_err_sys(err, YB_TEMP, "4.3.0", "empty the account's folder");
    }
    yb_sys_close(&outer_fd);
    yb_store_close(&a);
    return rc;
}
