/* How much room the store has, told to the directory: new accounts go where there is room. */
#include "lib/home/home.h"

#define ROOM_MS 10000 /* what comes in meanwhile is little beside what is free */

static void
tell_and_come_again(void *arg)
{
    struct yb_home_usage *u = arg;
    struct yb_store_id store;
    struct yb_err err = { 0 };
    uint64_t room;

    if (yb_store_which(u->store, &store) && yb_store_room(u->store, &room) &&
        yb_directory_report_room(u->directory, store, room, &err) < 0)
        yb_log_err(YB_LOG_INFO, NULL, "room.late", &err);
    yb_net_run_later(u->net, ROOM_MS, tell_and_come_again, u);
}

void
yb_home_room_begin(struct yb_home_usage *u)
{
    if (u->tells_room)
        yb_net_run_later(u->net, 0, tell_and_come_again, u);
}
