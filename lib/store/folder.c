/*
 * Folders: CREATE, DELETE and RENAME. Order under the lock:
 *
 *   CREATE  busy, folders + 1; mkdir; yubin-uid and index; settled
 *   DELETE  busy, folders + 1; GONE mark in the index; rename to trash.* beside Maildir; usage;
 *           settled; without the lock: emptied. Dying in between is finished by the repair.
 *   RENAME  busy, folders + 1; subscriptions and special uses, children, then itself; settled. Every
 *           state in between is a valid set of folders; the same command again goes on where it
 *           stopped, which is why the lists come first.
 *
 * `folders` grows before anything moves, so that no process trusts an old name. These are rare:
 * they are the only ones to sync under the lock.
 */
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/store/deeds.h"
#include "lib/store/notify.h"
#include "lib/store/sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* --- create --- */

static bool
dir_exists(const struct yb_store_account *a, const char *dir)
{
    return dir[0] == '\0' || faccessat(a->maildir_fd, dir, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Under the lock: from here on no process trusts the names it knows. */
static int
begin_folders(struct yb_store_account *a, struct yb_err *err)
{
    a->head.folders++;
    if (yb_account_busy(a, err) < 0)
        return -1;
    yb_mailbox_forget_all(a);
    a->folders_seen = a->head.folders;
    return 0;
}

/* `use`: empty, or what `name` shall be for. Its mark comes first: one of a mailbox that there is not
 * is as good as none, and a mailbox without the use that was asked for is not what was asked for. */
static int
create_locked(struct yb_store_account *a, const struct yb_folder_dir *dir, struct yb_str name,
              struct yb_str use, struct yb_err *err)
{
    struct yb_mailbox *m = NULL;
    int rc = -1;

    if (dir_exists(a, dir->s))
        return yb_err_as(err, YB_ERR_EXISTS, YB_PERM, "5.2.0", "The mailbox exists already");
    if ((use.n > 0 && yb_special_take(a, name, use, err) < 0) || begin_folders(a, err) < 0)
        return -1;
    if (yb_mailbox_find_entered(a, dir, true, &m, err) == 0)
        rc = yb_account_settle(a, err);
    yb_mailbox_close(&m);
    return rc;
}

int
yb_store_create_for(struct yb_store_account *a, struct yb_str name, struct yb_str use,
                    struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_folder_dir dir;
    int rc = -1;

    if (yb_folder_to_dir(name, &dir, err) == 0 && yb_folder_normal(name, arena, &name, err) == 0 &&
        yb_account_lock(a, err) == 0) {
        rc = create_locked(a, &dir, name, use, err);
        yb_account_unlock(a);
    }
    yb_arena_free(&arena);
    return rc;
}

int
yb_store_create(struct yb_store_account *a, struct yb_str name, struct yb_err *err)
{
    return yb_store_create_for(a, name, YB_STR(""), err);
}

/* --- delete --- */

static int
delete_locked(struct yb_store_account *a, const struct yb_folder_dir *dir,
              char trash[YB_TRASH_TEXT], struct yb_err *err)
{
    struct yb_mailbox *m = NULL;
    int rc = -1;

    if (yb_mailbox_find_entered(a, dir, false, &m, err) == 0 && begin_folders(a, err) == 0) {
        m->head.marks |= YB_INDEX_GONE;
        m->head.modseq++; /* sessions look, and find it gone */
        if (yb_index_write_head(m->index_fd, &m->head) < 0) {
            yb_err_sys(err, YB_TEMP, "4.3.0", "write the index");
        } else {
            yb_fault("store.folder.gone");
            rc = yb_folder_trash(a, dir, trash, err);
        }
        if (rc == 0) {
            yb_account_use(a, -(int64_t)m->head.bytes, -(int64_t)m->head.messages);
            rc = yb_account_settle(a, err);
            yb_notify_changed(m);
        }
    }
    yb_mailbox_close(&m);
    return rc;
}

int
yb_store_delete(struct yb_store_account *a, struct yb_str name, struct yb_err *err)
{
    char trash[YB_TRASH_TEXT];
    struct yb_folder_dir dir;
    int rc;

    if (yb_folder_to_dir(name, &dir, err) < 0)
        return -1;
    if (dir.s[0] == '\0')
        return yb_err_as(err, YB_ERR_CANNOT, YB_PERM, "5.2.0", "INBOX stays");
    if (yb_account_lock(a, err) < 0)
        return -1;
    rc = delete_locked(a, &dir, trash, err);
    yb_account_unlock(a);
    if (rc == 0 && yb_sys_remove_tree(a->dir_fd, trash, 2) < 0)
        yb_log(YB_LOG_WARN, NULL, "store.trash.left", "%s is not empty yet", trash);
    return rc;
}

/* --- rename --- */

struct rename_list {
    const struct yb_folder_dir *from, *to;
    struct yb_folder_dir *v; /* folders below and `from` itself */
    size_t n, room;
    bool self;
};

static int
rename_gather(void *arg, const struct yb_folder_dir *dir, struct yb_err *err)
{
    struct rename_list *r = arg;
    size_t n = strlen(r->from->s);

    (void)err;
    if (strcmp(dir->s, r->from->s) == 0)
        r->self = true;
    if (strncmp(dir->s, r->from->s, n) != 0 || dir->s[n] != '.')
        return 0;
    if (r->n == r->room) {
        r->room = r->room * 2 + 16;
        r->v = yb_realloc(r->v, r->room, sizeof(*r->v));
    }
    r->v[r->n++] = *dir;
    return 0;
}

/* The folder's name after the rename; false when it would be too long or too deep. */
static bool
rename_target(const struct rename_list *r, const struct yb_folder_dir *dir,
              struct yb_folder_dir *out)
{
    char name[YB_FOLDER_NAME_MAX + 1];
    struct yb_str unused;
    int n = snprintf(out->s, sizeof(out->s), "%s%s", r->to->s, dir->s + strlen(r->from->s));

    return n > 0 && (size_t)n < sizeof(out->s) &&
           yb_folder_from_dir(yb_str_from(out->s), name, &unused);
}

/* Nothing moves unless all can. */
static int
rename_check(const struct yb_store_account *a, const struct rename_list *r, struct yb_err *err)
{
    if (!r->self && r->n == 0)
        return yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.2.0", "The mailbox does not exist");
    if (dir_exists(a, r->to->s))
        return yb_err_as(err, YB_ERR_EXISTS, YB_PERM, "5.2.0", "The mailbox exists already");
    for (size_t i = 0; i < r->n; i++) {
        struct yb_folder_dir to;

        if (!rename_target(r, &r->v[i], &to))
            return yb_err_as(err, YB_ERR_LIMIT, YB_PERM, "5.2.0",
                             "A name below it would be too long");
        if (dir_exists(a, to.s))
            return yb_err_as(err, YB_ERR_EXISTS, YB_PERM, "5.2.0", "A name below it is taken");
    }
    return 0;
}

static int
rename_all(struct yb_store_account *a, const struct rename_list *r, struct yb_err *err)
{
    for (size_t i = 0; i < r->n; i++) {
        struct yb_folder_dir to;

        if (!rename_target(r, &r->v[i], &to) ||
            yb_sys_rename(a->maildir_fd, r->v[i].s, a->maildir_fd, to.s) < 0)
            return yb_err_sys(err, YB_TEMP, "4.3.0", "rename a mailbox");
        yb_fault("store.folder.renamed");
    }
    if (r->self && yb_sys_rename(a->maildir_fd, r->from->s, a->maildir_fd, r->to->s) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "rename a mailbox");
    yb_fault("store.folder.renamed");
    if (yb_sys_fsync(a->maildir_fd) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "sync Maildir");
    return 0;
}

static int
rename_locked(struct yb_store_account *a, struct rename_list *r, struct yb_renamed *names,
              struct yb_err *err)
{
    if (yb_account_folders(a, rename_gather, r, err) < 0 || rename_check(a, r, err) < 0 ||
        begin_folders(a, err) < 0)
        return -1;
    yb_fault("store.folder.begun");
    if (yb_lists_renamed(a, names, err) < 0 || rename_all(a, r, err) < 0) {
        (void)!yb_account_settle(a, NULL); /* what moved has moved: usage is the same */
        return -1;
    }
    return yb_account_settle(a, err);
}

/* RENAME INBOX: a new mailbox gets its messages, INBOX stays (RFC 3501 §6.3.5). */
static int
rename_inbox(struct yb_store_account *a, struct yb_str to, struct yb_err *err)
{
    struct yb_mailbox *inbox = NULL, *target = NULL;
    const struct yb_rows *rows = NULL;
    struct yb_view v = { 0 };
    struct yb_copy moved = { 0 };
    uint32_t *uids = NULL;
    int rc = -1;

    if (yb_store_create(a, to, err) < 0)
        return -1;
    if (yb_mailbox_open(a, YB_STR("INBOX"), &inbox, err) == 0 &&
        yb_mailbox_open(a, to, &target, err) == 0 && yb_view_begin(inbox, true, &v, err) == 0) {
        rc = yb_view_rows(inbox, &v, &rows, err);
        yb_view_end(inbox, &v);
    }
    if (rc == 0) {
        uids = yb_alloc(rows->n + 1, sizeof(*uids));
        moved.new_uids = yb_alloc(rows->n + 1, sizeof(*uids));
        for (size_t i = 0; i < rows->n; i++)
            uids[i] = rows->v[i].uid;
        rc = yb_mailbox_move(inbox, uids, rows->n, target, &moved, err);
    }
    yb_free(uids);
    yb_free(moved.new_uids);
    yb_rows_release(&rows);
    yb_mailbox_close(&target);
    yb_mailbox_close(&inbox);
    return rc;
}

int
yb_store_rename(struct yb_store_account *a, struct yb_str from, struct yb_str to,
                struct yb_err *err)
{
    struct yb_folder_dir from_dir, to_dir;
    struct rename_list r = { .from = &from_dir, .to = &to_dir };
    struct yb_arena *arena = yb_arena_new(2048);
    struct yb_renamed names;
    int rc = -1;

    if (yb_folder_to_dir(from, &from_dir, err) < 0 || yb_folder_to_dir(to, &to_dir, err) < 0 ||
        yb_folder_normal(from, arena, &names.from, err) < 0 ||
        yb_folder_normal(to, arena, &names.to, err) < 0) {
        rc = -1;
    } else if (to_dir.s[0] == '\0') {
        rc = yb_err_as(err, YB_ERR_EXISTS, YB_PERM, "5.2.0", "INBOX exists");
    } else if (from_dir.s[0] == '\0') {
        rc = rename_inbox(a, to, err);
    } else if (yb_folder_is_below(names.to, names.from)) {
        rc = yb_err_as(err, YB_ERR_CANNOT, YB_PERM, "5.2.0", "A mailbox cannot move below itself");
    } else if (yb_account_lock(a, err) == 0) {
        rc = rename_locked(a, &r, &names, err);
        yb_account_unlock(a);
    }
    yb_free(r.v);
    yb_arena_free(&arena);
    return rc;
}
