#include "lib/home/home.h"

#include <stdio.h>

#define BATCH 1000 /* sizes in one statement */

int
yb_home_open(const struct yb_common_conf *common, int64_t lock_timeout_ms, unsigned open_accounts,
             struct yb_node_id *node, struct yb_store **store, struct yb_err *err)
{
    char notify[256];
    struct yb_store_conf conf = {
        .root = common->mail_root,
        .notify_path = notify,
        .reserve = common->mail_reserve,
        .lock_timeout_ms = lock_timeout_ms,
        .max_open_accounts = open_accounts,
    };

    snprintf(notify, sizeof(notify), "%s/imapd/notify", common->run_dir);
    if (yb_node_id_read(common->node_id_file, node, err) < 0)
        return -1;
    conf.node = *node;
    return yb_store_root_open(&conf, NULL, store, err);
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
        u->kept[i] = (struct yb_usage_report){ ids[i], usage[i].bytes, usage[i].messages };
}

static void
report(struct yb_home_usage *u)
{
    struct yb_err err = { 0 };
    size_t n;

    do {
        take(u);
        n = u->n_kept;
        if (n > 0 && yb_directory_report_usage(u->directory, u->kept, n, &err) < 0) {
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
}

void
yb_home_usage_end(struct yb_home_usage *u)
{
    if (u->kept == NULL)
        return;
    report(u);
    yb_free(u->kept);
    u->kept = NULL;
}
