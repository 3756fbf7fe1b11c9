/*
 * Deleted folders: renamed to trash.* beside Maildir, then emptied. What an interrupted deletion
 * left is finished by the repair.
 */
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/store/sys.h"
#include "lib/store/truth.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

int
yb_folder_trash(struct yb_store_account *a, const struct yb_folder_dir *dir,
                char trash[YB_TRASH_TEXT], struct yb_err *err)
{
    struct yb_message_id id = yb_message_id_new();
    char text[YB_ID_TEXT];

    snprintf(trash, YB_TRASH_TEXT, YB_TRASH "%s", yb_message_id_text(id, text));
    if (yb_sys_rename(a->maildir_fd, dir->s, a->dir_fd, trash) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "move a mailbox aside");
    yb_fault("store.folder.trashed");
    if (yb_sys_fsync(a->maildir_fd) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "sync Maildir");
    return 0;
}

void
yb_folder_finish_delete(struct yb_store_account *a, const struct yb_folder_dir *dir)
{
    char trash[YB_TRASH_TEXT];
    struct yb_err err = { 0 };

    if (dir->s[0] != '\0' && yb_folder_trash(a, dir, trash, &err) < 0)
        yb_log_err(YB_LOG_ERROR, NULL, "store.mailbox.trouble", &err);
}

void
yb_folder_empty_trash(struct yb_store_account *a)
{
    int fd = yb_sys_open(a->dir_fd, ".", O_RDONLY | O_DIRECTORY);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);

    if (list == NULL) {
        yb_sys_close(&fd);
        return;
    }
    for (struct dirent *e; (e = readdir(list)) != NULL;) {
        if (yb_str_starts(yb_str_from(e->d_name), YB_STR(YB_TRASH)))
            (void)!yb_sys_remove_tree(a->dir_fd, e->d_name, 2);
    }
    closedir(list);
}
