/*
 * Once in a while the sizes of all mailboxes of the node are reported again, whoever changed them:
 * what a report missed (a daemon that died before it, a database restored from a backup) ends there.
 * It takes a fiftieth of one worker's time, and waits while reports do not get through.
 */
#include "lib/home/home.h"

#define TICK_MS 1000
#define SLICE_MS 20

static void
go_on(void *arg)
{
    struct yb_home_usage *u = arg;
    bool more;

    if (u->round == NULL)
        u->round = yb_store_round_new(u->store);
    more = yb_store_round_go(u->round, SLICE_MS);
    if (!more)
        yb_store_round_free(&u->round);
    yb_net_run_later(u->net, more ? TICK_MS : u->round_ms, go_on, u);
}

void
yb_home_round_begin(struct yb_home_usage *u)
{
    /* A node that is started again every day is gone over all the same. */
    if (u->round_ms > 0)
        yb_net_run_later(u->net, u->round_ms < 60000 ? u->round_ms : 60000, go_on, u);
}
