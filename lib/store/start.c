/*
 * A store opened and closed: the defaults of its settings, its threads.
 */
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/store/first.h"
#include "lib/store/life.h"
#include "lib/store/sys.h"

#include <stdio.h>
#include <sys/resource.h>

#define IDLE_MAILBOXES 16
#define TABLE_BUDGET ((size_t)64 << 20)
#define CHANGES_AT_ONCE 10000 /* a megabyte of memory, and of answer */
#define TIDY_QUIET_MS 60000

/* Half of the descriptors this process may have, for 1024 accounts at most. */
static size_t
default_open_accounts(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur / (2 * YB_STORE_FILES) > 1024)
        return 1024;
    return (size_t)files.rlim_cur / (2 * YB_STORE_FILES);
}

int
yb_store_root_open(const struct yb_store_conf *conf, const char *expected_id, struct yb_store **out,
                   struct yb_err *err)
{
    struct yb_first *first = NULL;
    struct yb_err trouble = { 0 };
    struct yb_store *s;

    if (conf->first_mailboxes != NULL) {
        first = yb_first_parse(conf->first_mailboxes, err);
        if (first == NULL)
            return -1;
    }
    s = yb_alloc(1, sizeof(*s));
    s->first = first;
    s->conf = *conf;
    s->conf.first_mailboxes = NULL;
    if (yb_fault_setting("YB_PORTABLE") != NULL)
        s->conf.form = YB_STORE_PORTABLE;
    s->root_path = yb_dup(conf->root, strlen(conf->root));
    s->conf.root = s->root_path;
    if (conf->notify_path != NULL)
        s->notify_path = yb_dup(conf->notify_path, strlen(conf->notify_path));
    s->conf.notify_path = s->notify_path;
    if (s->conf.lock_timeout_ms <= 0)
        s->conf.lock_timeout_ms = 10000;
    if (s->conf.max_open_accounts == 0)
        s->conf.max_open_accounts = default_open_accounts();
    if (s->conf.idle_mailboxes == 0)
        s->conf.idle_mailboxes = IDLE_MAILBOXES;
    if (s->conf.table_budget == 0)
        s->conf.table_budget = TABLE_BUDGET;
    if (s->conf.changes_at_once == 0)
        s->conf.changes_at_once = CHANGES_AT_ONCE;
    if (s->conf.tidy_quiet_ms <= 0)
        s->conf.tidy_quiet_ms = TIDY_QUIET_MS;
    if (expected_id != NULL)
        snprintf(s->expected_id, sizeof(s->expected_id), "%s", expected_id);
    s->root_fd = -1;
    if (!yb_sys_boot_id(YB_BOOT_FILE, s->boot))
        yb_log(YB_LOG_ERROR, NULL, "store.boot.unknown", "%s cannot be read", YB_BOOT_FILE);
    pthread_mutex_init(&s->mutex, NULL);
    s->accounts = yb_map_new();
    s->usage = yb_map_new();
    s->unknown = yb_map_new();
    if (yb_root_fd(s, &trouble) < 0)
        yb_log_err(YB_LOG_ERROR, NULL, "store.root.away", &trouble);
    if (yb_notify_start(s, err) < 0 || yb_tidy_start(s, err) < 0) {
        yb_store_root_close(&s);
        return -1;
    }
    *out = s;
    return 0;
}

static void
usage_free(struct yb_map **usage)
{
    size_t at = 0;
    struct yb_str key;
    void *value;

    while (yb_map_next(*usage, &at, &key, &value))
        yb_free(value);
    yb_map_free(usage);
}

void
yb_store_root_close(struct yb_store **store)
{
    struct yb_store *s = *store;

    if (s == NULL)
        return;
    yb_notify_stop(s);
    yb_tidy_stop(s);
    yb_account_close_idle(s, 0);
    yb_assert(yb_map_count(s->accounts) == 0); /* every account was closed */
    yb_map_free(&s->accounts);
    usage_free(&s->usage);
    yb_store_unknown_free(s);
    yb_sys_close(&s->root_fd);
    pthread_mutex_destroy(&s->mutex);
    yb_first_free(&s->first);
    yb_free(s->root_path);
    yb_free(s->notify_path);
    yb_free(s);
    *store = NULL;
}
