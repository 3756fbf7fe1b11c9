/*
 * Does what a handle has open still stand under its name? Folders are moved away, replaced, mounted
 * over and lazily unmounted while we run; what is written into them then nobody would ever read. So
 * each link of the way from the configured root to new/ and cur/ is looked at under the lock before
 * anything changes: a name leads to what is open, or the handle is not used any more.
 *
 *   the name of          leads elsewhere, and then
 *   the root             it is opened anew if it is this store's; else everything is TEMP (root.c)
 *   the account's folder the handle is gone; the next opens what stands there
 *   Maildir              the one that stands there is used, and all is counted again
 *   lock                 the file that stands there is the lock (queue.c)
 *   a mailbox, cur, new  the handle is over for its users; the next finds what stands there
 *   yubin-index          the one that stands there is used, or it is made anew (enter.c)
 */
#include "lib/base/log.h"
#include "lib/store/handles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* --- an account --- */

static void
log_account(struct yb_log_line *l, const struct yb_store_account *a)
{
    char id[YB_ID_TEXT];

    yb_log_str(l, "account", yb_str_from(yb_account_id_text(a->id, id)));
    yb_log_end(l);
}

int
yb_account_stands(struct yb_store_account *a, struct yb_err *err)
{
    char id[YB_ID_TEXT], outer[3], path[YB_ID_TEXT + 3];
    int root_fd = yb_root_fd(a->store, err);
    struct yb_log_line l;
    struct stat st;

    if (root_fd < 0)
        return -1;
    yb_account_id_text(a->id, id);
    snprintf(outer, sizeof(outer), "%.2s", id);
    snprintf(path, sizeof(path), "%.2s/%s", id, id);
    /* Both, for nobody is led through a symbolic link who opens it. */
    if (fstatat(root_fd, outer, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
        yb_sys_is(root_fd, path, a->dir_id))
        return 0;
    if (!atomic_exchange(&a->gone, true)) {
        yb_log_begin(&l, YB_LOG_WARN, NULL, "store.account.replaced");
        log_account(&l, a);
    }
    return yb_err_set(err, YB_TEMP, "4.2.0", "The account is not here any more");
}

bool
yb_account_in_place(const struct yb_store_account *a)
{
    return yb_sys_same(a->dir_fd, YB_MAILDIR, a->maildir_fd);
}

int
yb_account_look(struct yb_store_account *a, bool *same, struct yb_err *err)
{
    struct yb_log_line l;
    int fd;

    *same = yb_sys_is(a->dir_fd, YB_MAILDIR, a->maildir_id);
    if (*same)
        return 0;
    /* The descriptor keeps its number: other threads may be about to use it. */
    fd = yb_sys_enter(a->dir_fd, YB_MAILDIR, true);
    if (fd < 0 || yb_sys_fsync(a->dir_fd) < 0 || dup3(fd, a->maildir_fd, O_CLOEXEC) < 0) {
        yb_err_sys(err, YB_TEMP, "4.3.0", "open " YB_MAILDIR);
        yb_sys_close(&fd);
        return -1;
    }
    close(fd);
    yb_account_note_maildir(a);
    yb_log_begin(&l, YB_LOG_WARN, NULL, "store.maildir.replaced");
    log_account(&l, a);
    return 0;
}

void
yb_account_note_maildir(struct yb_store_account *a)
{
    struct yb_store *s = a->store;
    dev_t root;
    const char *why;

    a->maildir_id = yb_sys_id(a->maildir_fd);
    pthread_mutex_lock(&s->mutex);
    root = s->root_id.dev;
    pthread_mutex_unlock(&s->mutex);
    /* Below the root may be mounts of other kinds. */
    atomic_store(&a->form, a->maildir_id.dev == root
                               ? atomic_load(&s->form)
                               : yb_form_of(a->maildir_fd, s->conf.form, &why));
}

/* --- a mailbox --- */

static bool
named(const struct yb_mailbox *m, const char *folder)
{
    return yb_sys_is(m->account->maildir_fd, folder[0] == '\0' ? "." : folder, m->dir_id);
}

static bool
folders_stand(const struct yb_mailbox *m)
{
    return yb_sys_is(m->dir_fd, "cur", m->cur_id) && yb_sys_is(m->dir_fd, "new", m->new_id);
}

bool
yb_mailbox_in_place(const struct yb_mailbox *m)
{
    return named(m, m->dir.s) && folders_stand(m);
}

struct search {
    const struct yb_mailbox *m;
    bool found;
};

static int
search_folder(void *arg, const struct yb_folder_dir *dir, struct yb_err *err)
{
    struct search *s = arg;

    (void)err;
    s->found = s->found || named(s->m, dir->s);
    return 0;
}

bool
yb_mailbox_stands(const struct yb_mailbox *m)
{
    struct search s = { .m = m, .found = named(m, m->dir.s) };
    struct yb_err unused = { 0 };

    if (!folders_stand(m))
        return false;
    return s.found || (yb_account_folders(m->account, search_folder, &s, &unused) == 0 && s.found);
}

bool
yb_mailbox_index_stands(const struct yb_mailbox *m, struct stat *st)
{
    return m->index_fd >= 0 && fstatat(m->dir_fd, YB_INDEX_FILE, st, AT_SYMLINK_NOFOLLOW) == 0 &&
           yb_sys_id_eq((struct yb_file_id){ st->st_dev, st->st_ino }, m->index_id);
}
