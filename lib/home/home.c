#include "lib/home/home.h"

#include "lib/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH 1000 /* sizes in one statement */
#define PATH_BYTES 256

static void
store_id_path(const struct yb_common_conf *common, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s.store", common->node_id_file);
}

int
yb_home_store_id_open(const struct yb_common_conf *common, struct yb_err *err)
{
    char path[PATH_BYTES];
    int fd;

    store_id_path(common, path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "make %s", path);
    if (fchmod(fd, 0644) == 0) /* the daemons' users read it, whatever our umask */
        return fd;
    close(fd);
    return yb_err_sys(err, YB_TEMP, "4.3.0", "make %s readable", path);
}

int
yb_home_store_id_write(int fd, const char id[YB_ID_TEXT], struct yb_err *err)
{
    struct yb_str line = { id, YB_ID_TEXT - 1 };
    int rc = 0;

    if (yb_pwrite_all(fd, line, 0) < 0 || yb_pwrite_all(fd, YB_STR("\n"), (off_t)line.n) < 0 ||
        ftruncate(fd, (off_t)line.n + 1) < 0 || fsync(fd) < 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "write the store's id");
    close(fd);
    return rc;
}

int
yb_home_store_id_read(const struct yb_common_conf *common, char id[YB_ID_TEXT], struct yb_err *err)
{
    char path[PATH_BYTES], text[YB_ID_TEXT + 1] = "";
    uint8_t bytes[YB_ID_BYTES];
    ssize_t n;
    int fd;

    id[0] = '\0';
    store_id_path(common, path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open %s", path);
    n = yb_pread_full(fd, text, YB_ID_TEXT, 0);
    close(fd);
    if (n == 0)
        return 0;
    if (n != YB_ID_TEXT || text[n - 1] != '\n' ||
        !yb_unhex(yb_str(text, YB_ID_TEXT - 1), bytes, sizeof(bytes)))
        return yb_err_set(err, YB_PERM, "5.3.5",
                          "%s holds no store's id: copy the line of %s/.yubin-store", path,
                          common->mail_root);
    yb_hex(bytes, sizeof(bytes), id);
    return 0;
}

int
yb_home_open(const struct yb_common_conf *common, int64_t lock_timeout_ms, unsigned open_accounts,
             struct yb_node_id *node, struct yb_store **store, struct yb_err *err)
{
    char notify[PATH_BYTES], id[YB_ID_TEXT];
    struct yb_store_conf conf = {
        .root = common->mail_root,
        .notify_path = notify,
        .reserve = common->mail_reserve,
        .first_mailboxes = common->first_mailboxes,
        .form = (enum yb_store_form)common->store_form,
        .lock_timeout_ms = lock_timeout_ms,
        .max_open_accounts = open_accounts,
    };

    snprintf(notify, sizeof(notify), "%s/imapd/notify", common->run_dir);
    if (yb_node_id_read(common->node_id_file, node, err) < 0 ||
        yb_home_store_id_read(common, id, err) < 0)
        return -1;
    conf.node = *node;
    return yb_store_root_open(&conf, id[0] == '\0' ? NULL : id, store, err);
}

struct yb_usage_report
yb_home_report(struct yb_account_id id, const struct yb_usage *usage)
{
    return (struct yb_usage_report){ id, usage->bytes, usage->messages, usage->change,
                                     usage->full };
}

/* Takes the next sizes from the store, when the last ones were told. */
static void
take(struct yb_home_usage *u)
{
    struct yb_account_id ids[BATCH];
    struct yb_usage usage[BATCH];

    if (u->n_kept > 0)
        return;
    u->n_kept = yb_store_changed_usage(u->store, ids, usage, BATCH);
    for (size_t i = 0; i < u->n_kept; i++)
        u->kept[i] = yb_home_report(ids[i], &usage[i]);
}

static void
report(struct yb_home_usage *u)
{
    struct yb_err err = { 0 };
    struct yb_store_id store;
    size_t n;

    if (!yb_store_which(u->store, &store))
        return;
    do {
        take(u);
        n = u->n_kept;
        if (n > 0 && yb_directory_report_usage(u->directory, store, u->kept, n, &err) < 0) {
            yb_log_err(YB_LOG_INFO, NULL, "usage.late", &err);
            return;
        }
        u->n_kept = 0;
    } while (n == BATCH);
}

static void
report_and_come_again(void *arg)
{
    struct yb_home_usage *u = arg;

    report(u);
    yb_net_run_later(u->net, u->interval_ms, report_and_come_again, u);
}

void
yb_home_usage_begin(struct yb_home_usage *u)
{
    u->kept = yb_alloc(BATCH, sizeof(*u->kept));
    u->n_kept = 0;
    yb_net_run_later(u->net, u->interval_ms, report_and_come_again, u);
    yb_home_settle_begin(u);
    yb_home_round_begin(u);
    yb_home_room_begin(u);
}

void
yb_home_usage_end(struct yb_home_usage *u)
{
    if (u->kept == NULL)
        return;
    report(u);
    yb_free(u->kept);
    yb_free(u->unknown);
    yb_store_round_free(&u->round);
    u->kept = NULL;
}
