/*
 * Folders: LIST, CREATE, DELETE, RENAME, subscriptions and special uses. Order under the lock:
 *
 *   CREATE  busy, folders + 1; mkdir; yubin-uid and index; settled
 *   DELETE  busy, folders + 1; GONE mark in the index; rename to trash.* beside Maildir; usage;
 *           settled; without the lock: emptied. Dying in between is finished by the repair.
 *   RENAME  busy, folders + 1; children first, then itself; settled. Every state in between is a
 *           valid set of folders; the same command again goes on where it stopped.
 *
 * `folders` grows before anything moves, so that no process trusts an old name. These are rare:
 * they are the only ones to sync under the lock.
 */
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/store/private.h"
#include "lib/store/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SUBSCRIPTIONS "yubin-subscriptions"
#define SPECIAL "yubin-special"
#define LIST_LIMIT (4u << 20)
#define TRASH "trash."

static const char *const specials[] = { "\\Drafts", "\\Sent", "\\Junk", "\\Trash", "\\Archive" };

/* --- names in order --- */

/* "/" before everything else, so that children follow their parent; INBOX first. */
static int
name_cmp(struct yb_str a, struct yb_str b)
{
    bool a_in = yb_str_eq(a, YB_STR("INBOX")), b_in = yb_str_eq(b, YB_STR("INBOX"));
    size_t n = a.n < b.n ? a.n : b.n;

    if (a_in != b_in)
        return a_in ? -1 : 1;
    for (size_t i = 0; i < n; i++) {
        unsigned x = a.p[i] == '/' ? 0 : (unsigned char)a.p[i];
        unsigned y = b.p[i] == '/' ? 0 : (unsigned char)b.p[i];

        if (x != y)
            return x < y ? -1 : 1;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

static int
folder_cmp(const void *x, const void *y)
{
    const struct yb_folder *a = x, *b = y;
    int by = name_cmp(a->name, b->name);

    return by != 0 ? by : (int)b->exists - (int)a->exists;
}

static bool
is_below(struct yb_str name, struct yb_str parent)
{
    return name.n > parent.n && name.p[parent.n] == '/' &&
           yb_str_eq(yb_str_head(name, parent.n), parent);
}

/* The name in the one form it has in lists; into the arena. */
static int
name_normal(struct yb_str name, struct yb_arena *arena, struct yb_str *out, struct yb_err *err)
{
    struct yb_folder_dir dir;
    char buf[YB_FOLDER_NAME_MAX + 1];

    if (yb_folder_to_dir(name, &dir, err) < 0)
        return -1;
    if (dir.s[0] == '\0') {
        *out = YB_STR("INBOX");
        return 0;
    }
    if (!yb_folder_from_dir(yb_str_from(dir.s), buf, out))
        return yb_err_as(err, YB_ERR_CANNOT, YB_PERM, "5.2.0", "No mailbox can have this name");
    *out = yb_arena_dup(arena, *out);
    return 0;
}

/* --- gathering --- */

struct gathered {
    struct yb_arena *arena;
    struct yb_folder *v;
    size_t n, room;
};

static struct yb_folder *
gather(struct gathered *g, struct yb_str name)
{
    if (g->n == g->room) {
        g->room = g->room * 2 + 32;
        g->v = yb_realloc(g->v, g->room, sizeof(*g->v));
    }
    g->v[g->n] = (struct yb_folder){ .name = yb_arena_dup(g->arena, name) };
    return &g->v[g->n++];
}

static int
gather_folder(void *arg, const struct yb_folder_dir *dir, struct yb_err *err)
{
    struct gathered *g = arg;
    char buf[YB_FOLDER_NAME_MAX + 1];
    struct yb_str name = YB_STR("INBOX");

    (void)err;
    if (dir->s[0] == '\0' || yb_folder_from_dir(yb_str_from(dir->s), buf, &name))
        gather(g, name)->exists = true;
    return 0;
}

/* The lines of a small list file; "" when there is none. */
static int
list_read(struct yb_store_account *a, const char *file, struct yb_arena *arena, struct yb_str *out,
          struct yb_err *err)
{
    char *text = NULL;
    size_t n = 0;

    *out = YB_STR("");
    if (yb_sys_read_file(a->maildir_fd, file, LIST_LIMIT, &text, &n) < 0)
        return errno == ENOENT ? 0 : yb_err_sys(err, YB_TEMP, "4.3.0", "read %s", file);
    *out = yb_arena_dup(arena, yb_str(text, n));
    yb_free(text);
    return 0;
}

/* Entries of equal names become one; what lies between levels appears as not existing. */
static void
gather_parents(struct gathered *g)
{
    size_t n = g->n;

    for (size_t i = 0; i < n; i++) {
        struct yb_str name = g->v[i].name;

        if (!g->v[i].exists)
            continue;
        for (size_t at = 0; at < name.n; at++) {
            if (name.p[at] == '/')
                gather(g, yb_str_head(name, at));
        }
    }
}

static void
merge_equal(struct gathered *g)
{
    size_t kept = 0;

    if (g->n > 0)
        qsort(g->v, g->n, sizeof(*g->v), folder_cmp);
    for (size_t i = 0; i < g->n; i++) {
        struct yb_folder *f = &g->v[i], *last = kept > 0 ? &g->v[kept - 1] : NULL;

        if (last != NULL && yb_str_eq(last->name, f->name)) {
            last->subscribed |= f->subscribed;
            last->exists |= f->exists;
            if (f->special[0] != '\0')
                memcpy(last->special, f->special, sizeof(last->special));
            continue;
        }
        g->v[kept++] = *f;
    }
    g->n = kept;
}

/* Children follow their parent, but those of INBOX, which is first; whether a subscribed name that
 * is no folder is one does not count. */
static void
mark_children(struct gathered *g)
{
    size_t *above = yb_alloc(g->n + 1, sizeof(*above)), depth = 0; /* the names that i lies below */

    for (size_t i = 0; i < g->n; i++) {
        while (depth > 0 && !is_below(g->v[i].name, g->v[above[depth - 1]].name))
            depth--;
        /* Whoever is marked has marked those above him. */
        for (size_t k = depth; g->v[i].exists && k > 0 && !g->v[above[k - 1]].children; k--)
            g->v[above[k - 1]].children = true;
        if (g->v[i].exists && is_below(g->v[i].name, g->v[0].name))
            g->v[0].children = true;
        above[depth++] = i;
    }
    yb_free(above);
}

/* "\Sent name" */
static void
gather_special(struct gathered *g, struct yb_str text)
{
    struct yb_str line;

    while (yb_str_split(&text, '\n', &line)) {
        struct yb_str special = yb_str_head(line, yb_str_find(line, ' '));

        for (size_t i = 0; i < g->n; i++) {
            if (special.n < line.n && g->v[i].exists &&
                yb_str_eq(g->v[i].name, yb_str_skip(line, special.n + 1)))
                (void)!yb_str_copy(special, g->v[i].special, sizeof(g->v[i].special));
        }
    }
}

int
yb_store_list(struct yb_store_account *a, struct yb_arena *arena, struct yb_folder **out, size_t *n,
              struct yb_err *err)
{
    struct gathered g = { .arena = arena };
    struct yb_str subscribed, special, line;
    int rc = -1;

    if (yb_account_folders(a, gather_folder, &g, err) == 0 &&
        list_read(a, SUBSCRIPTIONS, arena, &subscribed, err) == 0 &&
        list_read(a, SPECIAL, arena, &special, err) == 0) {
        gather_special(&g, special);
        gather_parents(&g);
        while (yb_str_split(&subscribed, '\n', &line)) {
            if (line.n > 0)
                gather(&g, line)->subscribed = true;
        }
        merge_equal(&g);
        mark_children(&g);
        *out = yb_arena_alloc(arena, g.n + 1, sizeof(**out));
        memcpy(*out, g.v, g.n * sizeof(**out));
        *n = g.n;
        rc = 0;
    }
    yb_free(g.v);
    return rc;
}

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

static int
create_locked(struct yb_store_account *a, const struct yb_folder_dir *dir, struct yb_err *err)
{
    struct yb_mailbox *m = NULL;
    int rc = -1;

    if (dir_exists(a, dir->s))
        return yb_err_as(err, YB_ERR_EXISTS, YB_PERM, "5.2.0", "The mailbox exists already");
    if (begin_folders(a, err) < 0)
        return -1;
    if (yb_mailbox_find_entered(a, dir, true, &m, err) == 0)
        rc = yb_account_settle(a, err);
    yb_mailbox_close(&m);
    return rc;
}

int
yb_store_create(struct yb_store_account *a, struct yb_str name, struct yb_err *err)
{
    struct yb_folder_dir dir;
    int rc;

    if (yb_folder_to_dir(name, &dir, err) < 0 || yb_account_lock(a, err) < 0)
        return -1;
    rc = create_locked(a, &dir, err);
    yb_account_unlock(a);
    return rc;
}

/* --- delete --- */

/* Under the lock: the folder out of Maildir, under a name that nobody looks at. */
static int
move_to_trash(struct yb_store_account *a, const struct yb_folder_dir *dir,
              char trash[sizeof(TRASH) + YB_ID_TEXT], struct yb_err *err)
{
    struct yb_message_id id = yb_message_id_new();
    char text[YB_ID_TEXT];

    snprintf(trash, sizeof(TRASH) + YB_ID_TEXT, TRASH "%s", yb_message_id_text(id, text));
    if (yb_sys_rename(a->maildir_fd, dir->s, a->dir_fd, trash) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "move a mailbox aside");
    yb_fault("store.folder.trashed");
    if (yb_sys_fsync(a->maildir_fd) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "sync Maildir");
    return 0;
}

static int
delete_locked(struct yb_store_account *a, const struct yb_folder_dir *dir,
              char trash[sizeof(TRASH) + YB_ID_TEXT], struct yb_err *err)
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
            rc = move_to_trash(a, dir, trash, err);
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
    char trash[sizeof(TRASH) + YB_ID_TEXT];
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

void
yb_folder_finish_delete(struct yb_store_account *a, const struct yb_folder_dir *dir)
{
    char trash[sizeof(TRASH) + YB_ID_TEXT];
    struct yb_err err = { 0 };

    if (dir->s[0] != '\0' && move_to_trash(a, dir, trash, &err) < 0)
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
        if (yb_str_starts(yb_str_from(e->d_name), YB_STR(TRASH)))
            (void)!yb_sys_remove_tree(a->dir_fd, e->d_name, 2);
    }
    closedir(list);
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

/* A list file with `edit` applied to each line: the line as it shall be, or an empty one to drop
 * it. */
static int
list_edit(struct yb_store_account *a, const char *file,
          struct yb_str (*edit)(void *arg, struct yb_str line, struct yb_arena *arena), void *arg,
          struct yb_str added, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(8192);
    struct yb_str text, line;
    char *out;
    size_t n = 0;
    int rc = -1;

    if (list_read(a, file, arena, &text, err) == 0) {
        out = yb_alloc(text.n * 2 + LIST_LIMIT / 4, 1);
        while (yb_str_split(&text, '\n', &line)) {
            line = line.n == 0 ? line : edit(arg, line, arena);
            if (line.n > 0 && n + line.n + added.n + 2 < LIST_LIMIT / 4) {
                memcpy(out + n, line.p, line.n);
                n += line.n;
                out[n++] = '\n';
            }
        }
        if (added.n > 0) {
            memcpy(out + n, added.p, added.n);
            n += added.n;
            out[n++] = '\n';
        }
        rc = yb_sys_write_file(a->maildir_fd, file, out, n) == 0
                 ? 0
                 : yb_err_sys(err, YB_TEMP, "4.3.0", "write %s", file);
        yb_free(out);
    }
    yb_arena_free(&arena);
    return rc;
}

struct renamed {
    struct yb_str from, to;
};

/* Special uses go with their mailbox. */
static struct yb_str
edit_renamed(void *arg, struct yb_str line, struct yb_arena *arena)
{
    const struct renamed *r = arg;
    size_t space = yb_str_find(line, ' ');
    struct yb_str name = yb_str_skip(line, space + 1);

    if (space == line.n || !(yb_str_eq(name, r->from) || is_below(name, r->from)))
        return line;
    return yb_arena_printf(arena, "%.*s %.*s%.*s", YB_STR_ARG(yb_str_head(line, space)),
                           YB_STR_ARG(r->to), YB_STR_ARG(yb_str_skip(name, r->from.n)));
}

static int
rename_locked(struct yb_store_account *a, struct rename_list *r, struct renamed *names,
              struct yb_err *err)
{
    if (yb_account_folders(a, rename_gather, r, err) < 0 || rename_check(a, r, err) < 0 ||
        begin_folders(a, err) < 0)
        return -1;
    yb_fault("store.folder.begun");
    if (rename_all(a, r, err) < 0) {
        (void)!yb_account_settle(a, NULL); /* what moved has moved: usage is the same */
        return -1;
    }
    if (list_edit(a, SPECIAL, edit_renamed, names, YB_STR(""), err) < 0)
        return -1;
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
    struct renamed names;
    int rc = -1;

    if (yb_folder_to_dir(from, &from_dir, err) < 0 || yb_folder_to_dir(to, &to_dir, err) < 0 ||
        name_normal(from, arena, &names.from, err) < 0 ||
        name_normal(to, arena, &names.to, err) < 0) {
        rc = -1;
    } else if (to_dir.s[0] == '\0') {
        rc = yb_err_as(err, YB_ERR_EXISTS, YB_PERM, "5.2.0", "INBOX exists");
    } else if (from_dir.s[0] == '\0') {
        rc = rename_inbox(a, to, err);
    } else if (is_below(names.to, names.from)) {
        rc = yb_err_as(err, YB_ERR_CANNOT, YB_PERM, "5.2.0", "A mailbox cannot move below itself");
    } else if (yb_account_lock(a, err) == 0) {
        rc = rename_locked(a, &r, &names, err);
        yb_account_unlock(a);
    }
    yb_free(r.v);
    yb_arena_free(&arena);
    return rc;
}

/* --- subscriptions and special uses --- */

static struct yb_str
edit_drop_name(void *arg, struct yb_str line, struct yb_arena *arena)
{
    const struct yb_str *name = arg;

    (void)arena;
    return yb_str_eq(line, *name) ? YB_STR("") : line;
}

int
yb_store_subscribe(struct yb_store_account *a, struct yb_str name, bool on, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_str normal;
    int rc = name_normal(name, arena, &normal, err);

    if (rc == 0)
        rc = yb_account_lock(a, err);
    if (rc == 0) {
        rc = list_edit(a, SUBSCRIPTIONS, edit_drop_name, &normal, on ? normal : YB_STR(""), err);
        yb_account_unlock(a);
    }
    yb_arena_free(&arena);
    return rc;
}

struct special_edit {
    struct yb_str name, special;
};

/* One use a mailbox, one mailbox a use. */
static struct yb_str
edit_drop_special(void *arg, struct yb_str line, struct yb_arena *arena)
{
    const struct special_edit *e = arg;
    size_t space = yb_str_find(line, ' ');
    bool drop = yb_str_eq(yb_str_skip(line, space + 1), e->name) ||
                (e->special.n > 0 && yb_str_eq(yb_str_head(line, space), e->special));

    (void)arena;
    return drop ? YB_STR("") : line;
}

int
yb_store_set_special(struct yb_store_account *a, struct yb_str name, const char *special,
                     struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct special_edit e = { .special = YB_STR("") };
    struct yb_str line = YB_STR("");
    int rc = name_normal(name, arena, &e.name, err);

    for (size_t i = 0; i < YB_COUNT(specials); i++) {
        if (yb_str_eqi(yb_str_from(special), yb_str_from(specials[i])))
            e.special = yb_str_from(specials[i]);
    }
    if (rc == 0 && special[0] != '\0' && e.special.n == 0)
        rc = yb_err_as(err, YB_ERR_CANNOT, YB_PERM, "5.2.0", "No such special use");
    if (rc == 0)
        rc = yb_account_lock(a, err);
    if (rc == 0) {
        if (e.special.n > 0)
            line = yb_arena_printf(arena, "%s %.*s", e.special.p, YB_STR_ARG(e.name));
        rc = list_edit(a, SPECIAL, edit_drop_special, &e, line, err);
        yb_account_unlock(a);
    }
    yb_arena_free(&arena);
    return rc;
}
