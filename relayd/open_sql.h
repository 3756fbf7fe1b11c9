/*
 * How queue.db is opened for writing, and made when it is not there: SQLite's settings, set and read
 * back, and the tables. One caller: queue_sql.c.
 */
#ifndef RELAYD_OPEN_SQL_H
#define RELAYD_OPEN_SQL_H

#include "lib/base/err.h"
#include "lib/base/id.h"

struct sqlite3;

#define RELAYD_SCHEMA 1     /* of meta.schema */
#define RELAYD_BUSY_MS 1000 /* for another process that should not be there */

/*
 * *fresh: there are no tables yet; a transaction that makes them is begun, and the caller commits it.
 * -1: YB_TEMP, with what to do in the text; *handle may have to be closed.
 */
int relayd_sql_open(const char *dir, uint64_t wal_bytes, struct sqlite3 **handle, bool *fresh,
                    struct yb_err *err) YB_MUST_USE;
/* The tables are this program's, and the queue this node's; -1: YB_TEMP, with what to do. */
int relayd_sql_is_ours(struct sqlite3 *handle, struct yb_node_id node,
                       struct yb_err *err) YB_MUST_USE;
/* What meta says: an id of n octets (false, and zeros, when it is none), a number (-1 likewise). */
bool relayd_sql_meta_id(struct sqlite3 *handle, const char *key, uint8_t *id, size_t n);
int64_t relayd_sql_meta_number(struct sqlite3 *handle, const char *key);

#endif
