/*
 * Subscriptions and special uses: two small files of lines beside the folders, written anew under
 * the account's lock.
 */
#include "lib/store/deeds.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define LIST_LIMIT (4u << 20)

int
yb_listfile_read(struct yb_store_account *a, const char *file, struct yb_arena *arena,
                 struct yb_str *out, struct yb_err *err)
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

    if (yb_listfile_read(a, file, arena, &text, err) == 0) {
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

/* The name that one has after a rename; the same when it is not about it. */
static struct yb_str
renamed(const struct yb_renamed *r, struct yb_str name, struct yb_arena *arena)
{
    if (!yb_str_eq(name, r->from) && !yb_folder_is_below(name, r->from))
        return name;
    return yb_arena_printf(arena, "%.*s%.*s", YB_STR_ARG(r->to),
                           YB_STR_ARG(yb_str_skip(name, r->from.n)));
}

static struct yb_str
edit_special_renamed(void *arg, struct yb_str line, struct yb_arena *arena)
{
    size_t space = yb_str_find(line, ' ');

    if (space == line.n)
        return line;
    return yb_arena_printf(arena, "%.*s %.*s", YB_STR_ARG(yb_str_head(line, space)),
                           YB_STR_ARG(renamed(arg, yb_str_skip(line, space + 1), arena)));
}

static struct yb_str
edit_subscription_renamed(void *arg, struct yb_str line, struct yb_arena *arena)
{
    return renamed(arg, line, arena);
}

int
yb_lists_renamed(struct yb_store_account *a, struct yb_renamed *names, struct yb_err *err)
{
    if (list_edit(a, YB_SPECIAL, edit_special_renamed, names, YB_STR(""), err) < 0)
        return -1;
    return list_edit(a, YB_SUBSCRIPTIONS, edit_subscription_renamed, names, YB_STR(""), err);
}

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
    int rc = yb_folder_normal(name, arena, &normal, err);

    if (rc == 0)
        rc = yb_account_lock(a, err);
    if (rc == 0) {
        rc = list_edit(a, YB_SUBSCRIPTIONS, edit_drop_name, &normal, on ? normal : YB_STR(""), err);
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

static bool
mailbox_exists(const struct yb_store_account *a, struct yb_str name)
{
    struct yb_folder_dir dir;

    return yb_folder_to_dir(name, &dir, NULL) == 0 &&
           faccessat(a->maildir_fd, dir.s, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Whether a mailbox that there is has the use; the mark of one that was deleted is free. */
static int
use_is_taken(struct yb_store_account *a, struct yb_str use, bool *taken, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_str text, line;
    int rc = yb_listfile_read(a, YB_SPECIAL, arena, &text, err);

    *taken = false;
    while (rc == 0 && yb_str_split(&text, '\n', &line)) {
        size_t space = yb_str_find(line, ' ');

        *taken |= yb_str_eq(yb_str_head(line, space), use) &&
                  mailbox_exists(a, yb_str_skip(line, space + 1));
    }
    yb_arena_free(&arena);
    return rc;
}

static int
write_special(struct yb_store_account *a, struct yb_str name, struct yb_str use, struct yb_err *err)
{
    struct special_edit e = { .name = name, .special = use };
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_str line = YB_STR("");
    int rc;

    if (use.n > 0)
        line = yb_arena_printf(arena, "%.*s %.*s", YB_STR_ARG(use), YB_STR_ARG(name));
    rc = list_edit(a, YB_SPECIAL, edit_drop_special, &e, line, err);
    yb_arena_free(&arena);
    return rc;
}

int
yb_special_take(struct yb_store_account *a, struct yb_str name, struct yb_str use,
                struct yb_err *err)
{
    struct yb_str known = yb_folder_use(use);
    bool taken;

    if (known.n == 0)
        return yb_err_as(err, YB_ERR_USE, YB_PERM, "5.2.0", "There is no such use here");
    if (use_is_taken(a, known, &taken, err) < 0)
        return -1;
    if (taken)
        return yb_err_as(err, YB_ERR_USE, YB_PERM, "5.2.0", "Another mailbox has this use");
    return write_special(a, name, known, err);
}

int
yb_store_set_special(struct yb_store_account *a, struct yb_str name, const char *special,
                     struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_str use = yb_folder_use(yb_str_from(special)), normal;
    int rc = yb_folder_normal(name, arena, &normal, err);

    if (rc == 0 && special[0] != '\0' && use.n == 0)
        rc = yb_err_as(err, YB_ERR_CANNOT, YB_PERM, "5.2.0", "No such special use");
    if (rc == 0)
        rc = yb_account_lock(a, err);
    if (rc == 0) {
        rc = write_special(a, normal, use, err);
        yb_account_unlock(a);
    }
    yb_arena_free(&arena);
    return rc;
}
