/*
 * What of the directory's answers is served here: by the map, and by the mark in the root, which wins
 * (another root mounted in its place would get new, empty mailboxes).
 */
#include "lib/home/home.h"

static void
log_elsewhere(struct yb_store_id store, const struct yb_home *home)
{
    char store_text[YB_ID_TEXT], node_text[YB_NODE_ID_TEXT];
    struct yb_log_line l;

    yb_log_begin(&l, YB_LOG_INFO, NULL, "store.elsewhere");
    yb_log_str(&l, "store", yb_str_from(yb_store_id_text(store, store_text)));
    yb_log_str(&l, "node", yb_str_from(yb_node_id_text(home->node, node_text)));
    yb_log_str(&l, "host", yb_str_from(home->host));
    yb_log_end(&l);
}

static int
refuse(struct yb_err *err)
{
    return yb_err_as(err, YB_ERR_AWAY, YB_TEMP, "4.3.2", "Your mailbox is served by another host");
}

int
yb_home_serves(void *usage, struct yb_store_id store, struct yb_err *err)
{
    const struct yb_home_usage *u = usage;
    struct yb_store_id ours;
    struct yb_home home;

    if (yb_directory_home(u->directory, store, &home, err) < 0)
        return -1;
    if (!home.here) {
        log_elsewhere(store, &home);
        return refuse(err);
    }
    /* One that is away is refused when it is used. */
    if (yb_store_which(u->store, &ours) && !yb_store_id_eq(ours, store))
        return yb_err_inside(err, YB_TEMP, "4.3.0",
                             "mail_root holds another store than this node's");
    return 0;
}

int
yb_home_keeps(void *usage, struct yb_err *err)
{
    const struct yb_home_usage *u = usage;
    struct yb_store_id ours;
    struct yb_home home;

    if (!yb_store_which(u->store, &ours) || !yb_directory_elsewhere(u->directory, ours, &home))
        return 0;
    log_elsewhere(ours, &home);
    return refuse(err);
}
