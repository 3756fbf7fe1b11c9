/*
 * Accounts whose lock file cannot say any more where they are at home: the database is asked, and what
 * lives in this store is written so. What it does not name stays unknown.
 */
#include "lib/home/home.h"

#define SETTLE_MS 2000 /* somebody is being answered "later" */
#define SETTLE_MOST 1000

/* Those for which somebody came, unless the last ones could not be asked for yet. */
static void
take(struct yb_home_usage *u)
{
    if (u->n_unknown == 0)
        u->n_unknown = yb_store_unknown(u->store, u->unknown, SETTLE_MOST);
}

static void
settle(struct yb_home_usage *u)
{
    struct yb_err err = { 0 };
    struct yb_store_id store;
    size_t n_here = 0;

    take(u);
    if (u->n_unknown == 0 || !yb_store_which(u->store, &store))
        return;
    if (yb_directory_at_home(u->directory, store, u->unknown, u->n_unknown, &n_here, &err) < 0) {
        yb_log_err(YB_LOG_INFO, NULL, "store.state.late", &err);
        return;
    }
    u->n_unknown = 0;
    for (size_t i = 0; i < n_here; i++) {
        if (yb_store_settle(u->store, u->unknown[i], &err) < 0)
            yb_log_err(YB_LOG_WARN, NULL, "store.state.trouble", &err);
    }
}

static void
settle_and_come_again(void *arg)
{
    struct yb_home_usage *u = arg;

    settle(u);
    yb_net_run_later(u->net, SETTLE_MS, settle_and_come_again, u);
}

void
yb_home_settle_begin(struct yb_home_usage *u)
{
    u->unknown = yb_alloc(SETTLE_MOST, sizeof(*u->unknown));
    u->n_unknown = 0;
    yb_net_run_later(u->net, SETTLE_MS, settle_and_come_again, u);
}
