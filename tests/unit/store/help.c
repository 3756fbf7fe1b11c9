#include "tests/unit/store/help.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void
help_root(struct help *h, bool portable)
{
    const char *tmp = getenv("TMPDIR");
    char id[YB_ID_TEXT];

    if (portable && access("/dev/shm", W_OK) == 0)
        tmp = "/dev/shm"; /* any file system will do, so one where syncs cost nothing */

    *h = (struct help){ .portable = portable, .id = { { 0xa1, 2, 3 } } };
    snprintf(h->root, sizeof(h->root), "%s/yb-store-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    ck_assert(mkdtemp(h->root) != NULL);
    snprintf(h->notify, sizeof(h->notify), "%s/.notify", h->root);
    OK(yb_store_init(h->root, id, &err));
    help_open(h);
}

/* Which form is tested does not hang on this machine's file system, as far as it can be had there. */
static enum yb_store_form
help_form(const struct help *h)
{
    int fd = h->portable ? -1 : open(h->root, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

    if (fd < 0)
        return h->portable ? YB_STORE_PORTABLE : YB_STORE_AUTO;
    close(fd);
    return YB_STORE_LINKED;
}

void
help_open(struct help *h)
{
    struct yb_store_conf conf = {
        .root = h->root,
        .node = { { 7, 7 } },
        .notify_path = h->notify,
        .form = help_form(h),
    };

    OK(yb_store_root_open(&conf, NULL, &h->s, &err));
    OK(yb_store_open(h->s, h->id, true, &h->a, &err));
}

void
help_close(struct help *h)
{
    yb_store_close(&h->a);
    yb_store_root_close(&h->s);
}

void
help_reopen(struct help *h)
{
    help_close(h);
    help_open(h);
}

static int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st;
    (void)flag;
    (void)walk;
    return remove(path);
}

int
help_remove(const char *path)
{
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void
help_settle(struct help *h)
{
    OK(yb_store_settle(h->s, h->id, &err));
}

void
help_done(struct help *h)
{
    help_close(h);
    (void)!help_remove(h->root);
}

const char *
help_path(const struct help *h, const char *below)
{
    static _Thread_local char path[600];
    char account[80];

    yb_store_path(h->id, account, sizeof(account));
    snprintf(path, sizeof(path), "%s/%s/%s", h->root, account, below);
    return path;
}

struct yb_delivery_id
help_id(unsigned n)
{
    struct yb_delivery_id id = { { 0xde, 1 } };

    memcpy(id.v + 8, &n, sizeof(n));
    return id;
}

int
help_try_put(struct yb_store_account *a, const struct yb_put *put, unsigned n, size_t size,
             struct yb_put_result *out, struct yb_err *err)
{
    struct yb_incoming *i = NULL;
    char *text = yb_alloc(size + 40, 1);
    int head = snprintf(text, size + 40, "Message %u\r\n", n), rc;
    struct iovec v[2] = { { text, (size_t)head }, { text + head, 0 } };

    if (size > (size_t)head) {
        v[1].iov_len = size - (size_t)head;
        memset(text + head, 'x', v[1].iov_len);
    }
    rc = yb_store_put_begin(a, size, &i, err);
    if (rc == 0)
        rc = yb_store_put_write(i, v, 2, err);
    if (rc == 0)
        rc = yb_store_put_place(i, put, out, err);
    if (rc == 0)
        rc = yb_store_put_commit(&i, err);
    else
        yb_store_put_abort(&i);
    yb_free(text);
    return rc;
}

uint32_t
help_put(struct help *h, const char *mailbox, unsigned n, size_t size, uint32_t flags)
{
    struct yb_put put = {
        .mailbox = mailbox, .id = help_id(n), .flags = flags, .create_mailbox = true
    };
    struct yb_put_result out;

    OK(help_try_put(h->a, &put, n, size, &out, &err));
    return out.uid;
}

struct yb_mailbox *
help_mailbox(struct help *h, const char *name)
{
    struct yb_mailbox *m = NULL;

    OK(yb_mailbox_open(h->a, yb_str_from(name), &m, &err));
    return m;
}

struct yb_mailbox_status
help_status(struct yb_mailbox *m)
{
    struct yb_mailbox_status st;

    OK(yb_mailbox_status_read(m, &st, &err));
    return st;
}

struct yb_usage
help_usage(struct help *h)
{
    struct yb_usage u;

    OK(yb_store_usage(h->a, &u, &err));
    return u;
}

void
help_map(struct help *h, const char *mailbox, struct help_map *map)
{
    struct yb_mailbox *m = help_mailbox(h, mailbox);
    struct yb_mailbox_status st = help_status(m);
    const struct yb_rows *rows;
    struct yb_view v;

    OK(yb_view_begin(m, true, &v, &err));
    OK(yb_view_rows(m, &v, &rows, &err));
    *map =
        (struct help_map){ .uidvalidity = v.uidvalidity, .uidnext = v.uidnext, .modseq = v.modseq };
    ck_assert_uint_eq(rows->n, st.messages);
    ck_assert_uint_le(rows->n, YB_COUNT(map->v));
    for (size_t i = 0; i < rows->n; i++) {
        const struct yb_record *r = &rows->v[i];
        struct help_message *to = &map->v[map->n++];
        char text[64] = "";
        struct stat file;
        int fd;

        OK(yb_mailbox_message(m, r, &fd, &err));
        ck_assert_int_ge(read(fd, text, sizeof(text) - 1), 0);
        ck_assert_int_eq(fstat(fd, &file), 0);
        ck_assert_uint_eq((uint64_t)file.st_size, r->size);
        close(fd);
        *to = (struct help_message){ .uid = r->uid,
                                     .flags = r->flags,
                                     .keywords = r->keywords,
                                     .set = r->keyword_set,
                                     .modseq = r->modseq,
                                     .id = r->id,
                                     .internal_date = r->internal_date,
                                     .size = r->size };
        (void)sscanf(text, "Message %u", &to->n);
    }
    yb_rows_release(&rows);
    yb_view_end(m, &v);
    yb_mailbox_close(&m);
}

void
help_same(const struct help_map *before, const struct help_map *after, const char *what)
{
    ck_assert_msg(after->uidvalidity == before->uidvalidity, "%s: UIDVALIDITY", what);
    ck_assert_msg(after->uidnext >= before->uidnext, "%s: UIDNEXT fell", what);
    ck_assert_msg(after->modseq >= before->modseq, "%s: HIGHESTMODSEQ fell", what);
    ck_assert_msg(after->n == before->n, "%s: %zu messages, were %zu", what, after->n, before->n);
    for (size_t i = 0; i < before->n; i++) {
        const struct help_message *a = &before->v[i], *b = &after->v[i];

        ck_assert_msg(a->uid == b->uid && a->n == b->n && a->size == b->size,
                      "%s: UID %u is message %u, was UID %u message %u", what, b->uid, b->n, a->uid,
                      a->n);
        ck_assert_msg(a->flags == b->flags && a->keywords == b->keywords && a->set == b->set,
                      "%s: flags of UID %u", what, a->uid);
        ck_assert_msg(yb_delivery_id_eq(a->id, b->id), "%s: id of UID %u", what, a->uid);
        ck_assert_msg(a->internal_date == b->internal_date, "%s: date of UID %u", what, a->uid);
        ck_assert_msg(b->modseq >= a->modseq, "%s: MODSEQ of UID %u fell", what, a->uid);
    }
}

size_t
help_files(const struct help *h, const char *folder)
{
    static const char *const places[] = { "cur", "new" };
    size_t n = 0;

    for (size_t i = 0; i < YB_COUNT(places); i++) {
        char below[300];
        DIR *dir;

        snprintf(below, sizeof(below), "%s%s", folder, places[i]);
        dir = opendir(help_path(h, below));
        if (dir == NULL)
            continue;
        for (struct dirent *e; (e = readdir(dir)) != NULL;)
            n += e->d_name[0] != '.';
        closedir(dir);
    }
    return n;
}

void
help_write(const char *path, const void *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
    close(fd);
}

/* Our environment with YB_TEST_CHILD, YB_TEST_ROOT and YB_FAULT as said; yb_free() it. */
static char **
child_environment(char *scenario, char *root, char *fault)
{
    size_t n = 0, k = 0;
    char **to;

    while (environ[n] != NULL)
        n++;
    to = yb_alloc(n + 4, sizeof(*to));
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], "YB_TEST_", 8) != 0 && strncmp(environ[i], "YB_FAULT=", 9) != 0)
            to[k++] = environ[i];
    to[k++] = scenario;
    to[k++] = root;
    to[k++] = fault;
    return to;
}

/* The environment is made before the fork: there are threads, and in the child of one of them the
 * others' locks (those of setenv() and malloc(), and a sanitizer's) stay locked for ever. */
int
help_child(const struct help *h, const char *scenario, const char *fault)
{
    char root[290], child[100], faults[200], **env, *const argv[] = { (char[]){ "child" }, NULL };
    int status = -1;
    pid_t pid;

    snprintf(child, sizeof(child), "YB_TEST_CHILD=%s", scenario);
    snprintf(root, sizeof(root), "YB_TEST_ROOT=%d%s", h->portable, h->root);
    snprintf(faults, sizeof(faults), "YB_FAULT=%s", fault);
    env = child_environment(child, root, faults);
    pid = fork();
    if (pid == 0) {
        execve("/proc/self/exe", argv, env);
        _exit(127);
    }
    ck_assert_int_ge(pid, 0);
    yb_free(env);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

void
help_child_open(struct help *h)
{
    const char *root = getenv("YB_TEST_ROOT");
    struct yb_store_conf conf = { .node = { { 7, 7 } } };
    struct yb_err err = { 0 };

    *h = (struct help){ .id = { { 0xa1, 2, 3 } }, .portable = root != NULL && root[0] == '1' };
    if (root == NULL)
        exit(2);
    snprintf(h->root, sizeof(h->root), "%s", root + 1);
    conf.root = h->root;
    conf.form = help_form(h);
    if (yb_store_root_open(&conf, NULL, &h->s, &err) < 0 ||
        yb_store_open(h->s, h->id, true, &h->a, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(2);
    }
}
