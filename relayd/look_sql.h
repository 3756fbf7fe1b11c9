/*
 * Reading connections to queue.db: read-only, one statement at a time that is reset at once, so that
 * none keeps the log from beginning anew; they never write it back. One thread at a time each.
 */
#ifndef RELAYD_LOOK_SQL_H
#define RELAYD_LOOK_SQL_H

#include "relayd/queue_sql.h"

struct relayd_look;

int relayd_look_open(const char *dir, struct relayd_look **look, struct yb_err *err) YB_MUST_USE;
void relayd_look_close(struct relayd_look **look);

/* What the rows of a message say of its octets. */
struct relayd_looked {
    bool found; /* the message is there */
    bool file;
    bool octets_there;
    struct yb_message_id mid;
    uint64_t size;              /* of head and octets */
    struct yb_str head, octets; /* for yb_free() */
};
enum relayd_fate relayd_look_body(struct relayd_look *look, uint64_t m, struct relayd_looked *out,
                                  struct yb_err *err) YB_MUST_USE;
/* Looks through the whole database; `stop` is asked now and then, true ends it: REFUSED. */
enum relayd_fate relayd_look_through(struct relayd_look *look, bool (*stop)(void *arg), void *arg,
                                     struct yb_err *err) YB_MUST_USE;

#endif
