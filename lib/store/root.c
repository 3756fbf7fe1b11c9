/*
 * The root of a store: `.yubin-store` says which store it is. A root without it is not mounted, or
 * another's: nothing is opened or written below it until it is back.
 */
#include "lib/base/log.h"
#include "lib/store/handles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_FILE ".yubin-store"
#define RECHECK_MS 1000
#define PROBE_CHANGES 16

int
yb_store_init(const char *root, char id_text[YB_ID_TEXT], struct yb_err *err)
{
    struct yb_message_id id = yb_message_id_new(); /* 128 random bits like any other */
    char line[YB_ID_TEXT + 1];
    int dir_fd, fd, rc = 0;

    if (mkdir(root, 0700) < 0 && errno != EEXIST)
        return yb_err_sys(err, YB_PERM, "5.3.0", "make %s", root);
    dir_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return yb_err_sys(err, YB_PERM, "5.3.0", "open %s", root);
    fd = yb_sys_open(dir_fd, STORE_FILE, O_WRONLY | O_CREAT | O_EXCL);
    if (fd < 0 && errno == EEXIST) {
        rc = yb_err_as(err, YB_ERR_EXISTS, YB_PERM, "5.3.0", "%s is a store already", root);
    } else if (fd < 0) {
        rc = yb_err_sys(err, YB_PERM, "5.3.0", "make %s/" STORE_FILE, root);
    } else {
        snprintf(line, sizeof(line), "%s\n", yb_message_id_text(id, id_text));
        if (yb_sys_pwrite(fd, line, strlen(line), 0) < 0 || yb_sys_fsync(fd) < 0 ||
            yb_sys_fsync(dir_fd) < 0)
            rc = yb_err_sys(err, YB_TEMP, "4.3.0", "write %s/" STORE_FILE, root);
    }
    yb_sys_close(&fd);
    close(dir_fd);
    return rc;
}

/* Does every change give a folder another mtime? Kernels before 6.13 stamp by the timer's tick. */
static bool
times_are_fine(int root_fd)
{
    char name[60];
    struct yb_session_id id = yb_session_id_new();
    char text[YB_NODE_ID_TEXT];
    int64_t last = 0;
    int fd, same = 0;

    snprintf(name, sizeof(name), ".yubin-probe.%s", yb_session_id_text(id, text));
    if (mkdirat(root_fd, name, 0700) < 0)
        return false;
    fd = yb_sys_open(root_fd, name, O_RDONLY | O_DIRECTORY);
    for (int i = 0; fd >= 0 && i < PROBE_CHANGES; i++) {
        int64_t now;

        if (i % 2 == 0 ? mkdirat(fd, "x", 0700) < 0 : unlinkat(fd, "x", AT_REMOVEDIR) < 0)
            same++;
        now = yb_sys_mtime(fd);
        same += now <= last;
        last = now;
    }
    if (fd >= 0)
        unlinkat(fd, "x", AT_REMOVEDIR);
    unlinkat(root_fd, name, AT_REMOVEDIR);
    same += fd < 0;
    yb_sys_close(&fd);
    return same == 0;
}

/* A descriptor of the root when its `.yubin-store` is the expected one. */
static int
root_open(const struct yb_store *s, struct yb_store_id *id, struct yb_err *err)
{
    int fd = open(s->root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char *text = NULL;
    size_t n = 0;
    bool ours = false;

    if (fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open the store %s", s->root_path);
    if (yb_sys_read_file(fd, STORE_FILE, 64, &text, &n) == 0) {
        struct yb_str line = yb_str_head(yb_str(text, n), YB_ID_TEXT - 1);

        ours = yb_store_id_parse(line, id) &&
               (s->expected_id[0] == '\0' || yb_str_eqi(line, yb_str_from(s->expected_id)));
        yb_free(text);
    }
    if (ours)
        return fd;
    close(fd);
    return yb_err_inside(err, YB_TEMP, "4.3.0", "%s is not mounted or another store", s->root_path);
}

static void
log_form(const struct yb_store *s, const char *why)
{
    struct yb_log_line l;

    yb_log_begin(&l, YB_LOG_INFO, NULL, "store.form");
    yb_log_str(&l, "form", (s->form & YB_FORM_LINKED) != 0 ? YB_STR("linked") : YB_STR("portable"));
    yb_log_str(&l, "text", yb_str_from(why));
    yb_log_end(&l);
}

/* store.mutex held: takes a root into use. Its descriptor keeps its number: other threads may be
 * about to use it. */
static void
root_use(struct yb_store *s, int fd, struct yb_store_id store)
{
    struct yb_file_id id = yb_sys_id(fd);
    bool other = s->root_fd >= 0 && !yb_sys_id_eq(id, s->root_id);
    const char *why;

    s->id = store;
    if (s->root_fd < 0 || other) {
        atomic_store(&s->form, yb_form_of(fd, s->conf.form, &why));
        log_form(s, why);
        atomic_store(&s->fine_times, s->conf.form != YB_STORE_PORTABLE && times_are_fine(fd));
    }
    if (s->root_fd < 0) {
        s->root_fd = fd;
    } else {
        dup3(fd, s->root_fd, O_CLOEXEC); /* the same, perhaps, but mounted again */
        close(fd);
    }
    s->root_id = id;
    if (other)
        yb_log(YB_LOG_WARN, NULL, "store.root.replaced", "%s is another folder than before",
               s->root_path);
}

/*
 * The path is looked at every time: what was lazily unmounted, mounted over or moved away can be
 * written into for as long as we like, and nobody would ever see it. That the store's id is there is
 * looked at every second.
 */
int
yb_root_fd(struct yb_store *s, struct yb_err *err)
{
    int64_t now = yb_clock_ms();
    struct stat st;
    bool there = stat(s->root_path, &st) == 0;
    struct yb_store_id id = { { 0 } };
    struct yb_err why = { 0 };
    int fd, rc;

    pthread_mutex_lock(&s->mutex);
    if (!s->root_here || !there ||
        !yb_sys_id_eq((struct yb_file_id){ st.st_dev, st.st_ino }, s->root_id) ||
        now - s->root_checked_ms >= RECHECK_MS) {
        fd = root_open(s, &id, &why);
        s->root_checked_ms = now;
        if (fd >= 0)
            root_use(s, fd, id);
        else if (s->root_here) /* it was; who finds it away at the start says so himself */
            yb_log_err(YB_LOG_ERROR, NULL, "store.root.away", &why);
        s->root_here = fd >= 0;
    }
    rc = s->root_here ? s->root_fd : -1;
    pthread_mutex_unlock(&s->mutex);
    if (rc < 0 && err != NULL)
        *err = why;
    return rc;
}

bool
yb_store_which(struct yb_store *s, struct yb_store_id *id)
{
    (void)!yb_root_fd(s, NULL);
    pthread_mutex_lock(&s->mutex);
    *id = s->id;
    pthread_mutex_unlock(&s->mutex);
    return !yb_store_id_is_zero(*id);
}

size_t
yb_store_changed_usage(struct yb_store *s, struct yb_account_id *ids, struct yb_usage *usage,
                       size_t max)
{
    size_t n = 0, at = 0;
    struct yb_str key;
    void *value;

    pthread_mutex_lock(&s->mutex);
    while (n < max && yb_map_next(s->usage, &at, &key, &value)) {
        memcpy(ids[n].v, key.p, YB_ID_BYTES);
        memcpy(&usage[n++], value, sizeof(*usage));
        yb_free(value);
    }
    for (size_t i = 0; i < n; i++)
        yb_map_remove(s->usage, yb_str((const char *)ids[i].v, YB_ID_BYTES));
    pthread_mutex_unlock(&s->mutex);
    return n;
}
