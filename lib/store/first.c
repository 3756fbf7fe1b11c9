#include "lib/store/first.h"

#include "lib/base/buf.h"
#include "lib/store/foldername.h"
#include "lib/store/sys.h"

#include <fcntl.h>
#include <unistd.h>

#define FIRST_MAX 64

struct yb_first {
    struct yb_folder_dir dirs[FIRST_MAX];
    size_t n;
    struct yb_buf *subscriptions, *specials; /* the list files */
};

/* --- reading --- */

static int
refuse(struct yb_err *err, struct yb_str entry, const char *why)
{
    return yb_err_set(err, YB_PERM, "5.3.5", "first_mailboxes: \"%.*s\": %s", YB_STR_ARG(entry),
                      why);
}

/* Is `use` marked already? Lines are "\Sent Sent items". */
static bool
is_marked(const struct yb_first *f, struct yb_str use)
{
    struct yb_str text = yb_buf_view(f->specials), line;

    while (yb_str_split(&text, '\n', &line)) {
        if (line.n > 0 && yb_str_eq(yb_str_head(line, yb_str_find(line, ' ')), use))
            return true;
    }
    return false;
}

static int
add_name(struct yb_first *f, struct yb_str entry, struct yb_str name, struct yb_str use,
         struct yb_err *err)
{
    struct yb_folder_dir *dir = &f->dirs[f->n];
    char buf[YB_FOLDER_NAME_MAX + 1];
    struct yb_err why = { 0 };

    if (f->n == FIRST_MAX)
        return refuse(err, entry, "there are too many");
    if (yb_folder_to_dir(name, dir, &why) < 0)
        return refuse(err, entry, why.text);
    if (!yb_folder_from_dir(yb_str_from(dir->s), buf, &name)) /* INBOX */
        return refuse(err, entry, "every account has it");
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->dirs[i].s, dir->s) == 0)
            return refuse(err, entry, "it is named twice");
    }
    f->n++;
    yb_buf_add(f->subscriptions, name);
    yb_buf_add_c(f->subscriptions, '\n');
    if (use.n > 0) {
        yb_buf_add(f->specials, use);
        yb_buf_add_c(f->specials, ' ');
        yb_buf_add(f->specials, name);
        yb_buf_add_c(f->specials, '\n');
    }
    return 0;
}

static int
add_entry(struct yb_first *f, struct yb_str entry, struct yb_err *err)
{
    size_t equals = yb_str_find(entry, '=');
    struct yb_str use;

    if (entry.p[0] != '\\')
        return add_name(f, entry, entry, YB_STR(""), err);
    use = yb_folder_use(yb_str_trim(yb_str_head(entry, equals)));
    if (use.n == 0 || equals == entry.n)
        return refuse(err, entry,
                      "uses are \\Drafts, \\Sent, \\Junk, \\Trash and \\Archive, then =NAME");
    if (is_marked(f, use))
        return refuse(err, entry, "another has this use");
    return add_name(f, entry, yb_str_trim(yb_str_skip(entry, equals + 1)), use, err);
}

struct yb_first *
yb_first_parse(const char *text, struct yb_err *err)
{
    struct yb_first *f = yb_alloc(1, sizeof(*f));
    struct yb_str left = yb_str_from(text), entry;
    int rc = 0;

    f->subscriptions = yb_buf_new(FIRST_MAX * (size_t)YB_FOLDER_DIR_MAX);
    f->specials = yb_buf_new(FIRST_MAX * (size_t)YB_FOLDER_DIR_MAX);
    while (rc == 0 && yb_str_split(&left, ',', &entry)) {
        entry = yb_str_trim(entry);
        if (entry.n > 0)
            rc = add_entry(f, entry, err);
    }
    if (rc < 0)
        yb_first_free(&f);
    return f;
}

void
yb_first_free(struct yb_first **f)
{
    if (*f == NULL)
        return;
    yb_buf_free(&(*f)->subscriptions);
    yb_buf_free(&(*f)->specials);
    yb_free(*f);
    *f = NULL;
}

/* --- making --- */

static int
make_folder(int maildir_fd, const char *dir)
{
    int fd, rc = -1;

    if (yb_sys_mkdir(maildir_fd, dir) < 0)
        return -1;
    fd = yb_sys_open(maildir_fd, dir, O_RDONLY | O_DIRECTORY);
    if (fd >= 0 && yb_sys_mkdir(fd, "cur") == 0 && yb_sys_mkdir(fd, "new") == 0)
        rc = yb_sys_mkdir(fd, "tmp");
    yb_sys_close(&fd);
    return rc;
}

/* A Maildir that was there before its account, from elsewhere, keeps its own. */
static int
make_list(int maildir_fd, const char *file, struct yb_str lines)
{
    if (lines.n == 0 || faccessat(maildir_fd, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    return yb_sys_write_file(maildir_fd, file, lines.p, lines.n);
}

int
yb_first_make(const struct yb_first *f, int maildir_fd)
{
    if (f == NULL || f->n == 0)
        return 0;
    for (size_t i = 0; i < f->n; i++) {
        if (make_folder(maildir_fd, f->dirs[i].s) < 0)
            return -1;
    }
    if (make_list(maildir_fd, YB_SPECIAL, yb_buf_view(f->specials)) < 0 ||
        make_list(maildir_fd, YB_SUBSCRIPTIONS, yb_buf_view(f->subscriptions)) < 0)
        return -1;
    return yb_sys_fsync(maildir_fd);
}
