/*
 * Between SQLite and the rest: what its results mean here, values into statements and ids out of rows.
 * The thread that has the connection.
 */
#ifndef RELAYD_SQL_H
#define RELAYD_SQL_H

#include "lib/base/err.h"
#include "lib/base/str.h"

struct sqlite3;
struct sqlite3_stmt;

/* What became of a statement or a transaction. */
enum relayd_fate {
    RELAYD_FATE_OK,
    RELAYD_FATE_REFUSED, /* this one failed, and is undone by relayd_db_rollback() */
    RELAYD_FATE_FULL,    /* for want of room on the disk; undone likewise */
    RELAYD_FATE_DAMAGED, /* the database cannot be believed */
    RELAYD_FATE_BROKEN   /* a sync or a COMMIT failed: nobody knows */
};

/* The result code of SQLite as a fate, with *err set when it is not OK: `what` was done. Never BROKEN. */
enum relayd_fate relayd_sql_fate(struct sqlite3 *handle, int rc, const char *what,
                                 struct yb_err *err) YB_MUST_USE;
/* Values for a statement, which do not change before it is reset. */
void relayd_sql_text(struct sqlite3_stmt *st, int at, struct yb_str s);
void relayd_sql_blob(struct sqlite3_stmt *st, int at, const void *p, size_t n);
void relayd_sql_number(struct sqlite3_stmt *st, int at, uint64_t v);
/* An id of `n` octets from a column; false, and zeros, when it is none. */
bool relayd_sql_id(struct sqlite3_stmt *st, int at, uint8_t *id, size_t n);

#endif
