/*
 * A connection of the pool, for lib/db alone. Who took it has it for himself until he gives it back.
 */
#ifndef YB_DB_CONN_H
#define YB_DB_CONN_H

#include "lib/db/connect.h"
#include "lib/db/db.h"
#include "lib/db/prepared.h"

/* The client waits a little longer than the server works, to hear it say so. */
#define YB_DB_CLIENT_MS 200

struct yb_db_conn {
    PGconn *pg;
    struct yb_db *db;
    int64_t deadline_ms;
    bool broken;    /* not to be used again */
    bool timed_out; /* for the gate's breaker */
    struct yb_db_prepared prepared;
    char sqlstate[6], constraint[64]; /* of the last failure */
};

/* A connection that lives, with the pool's deadline. */
int yb_db_conn_take(struct yb_db *db, struct yb_db_conn **out, struct yb_err *err) YB_MUST_USE;
/* Gives the connection back and sets it to NULL; one that is not idle is closed. */
void yb_db_conn_give(struct yb_db_conn **conn);

#endif
