/*
 * The mailbox folders of an account, as they lie in its Maildir.
 */
#include "lib/store/handles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

int
yb_account_folders(struct yb_store_account *a,
                   int (*fn)(void *arg, const struct yb_folder_dir *dir, struct yb_err *err),
                   void *arg, struct yb_err *err)
{
    struct yb_folder_dir dir = { "" };
    int fd = yb_sys_open(a->maildir_fd, ".", O_RDONLY | O_DIRECTORY), rc;
    DIR *list = fd < 0 ? NULL : fdopendir(fd);

    if (list == NULL) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "list Maildir");
        yb_sys_close(&fd);
        return rc;
    }
    rc = fn(arg, &dir, err);
    for (struct dirent *e; rc == 0 && (errno = 0, e = readdir(list)) != NULL;) {
        char name[YB_FOLDER_NAME_MAX + 1];
        struct yb_str s = yb_str_from(e->d_name), unused;

        if ((e->d_type != DT_DIR && e->d_type != DT_UNKNOWN) || s.n >= sizeof(dir.s) ||
            !yb_folder_from_dir(s, name, &unused))
            continue;
        memcpy(dir.s, e->d_name, s.n + 1);
        rc = fn(arg, &dir, err);
    }
    if (rc == 0 && errno != 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "list Maildir");
    closedir(list);
    return rc;
}
