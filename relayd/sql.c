#include "relayd/sql.h"

#include <sqlite3.h>
#include <string.h>

enum relayd_fate
relayd_sql_fate(sqlite3 *handle, int rc, const char *what, struct yb_err *err)
{
    const char *status = "4.3.0";
    enum relayd_fate fate = RELAYD_FATE_REFUSED;

    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return RELAYD_FATE_OK;
    case SQLITE_FULL:
        status = "4.3.1";
        fate = RELAYD_FATE_FULL;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        fate = RELAYD_FATE_DAMAGED;
        break;
    default:
        break;
    }
    yb_err_inside(err, YB_TEMP, status, "queue.db: %s: %s (%d)", what,
                  handle == NULL ? sqlite3_errstr(rc) : sqlite3_errmsg(handle), rc);
    if (fate == RELAYD_FATE_FULL && err != NULL)
        err->kind = YB_ERR_FULL;
    return fate;
}

void
relayd_sql_text(sqlite3_stmt *st, int at, struct yb_str s)
{
    sqlite3_bind_text(st, at, s.n == 0 ? "" : s.p, (int)s.n, SQLITE_STATIC);
}

void
relayd_sql_blob(sqlite3_stmt *st, int at, const void *p, size_t n)
{
    sqlite3_bind_blob(st, at, n == 0 ? "" : p, (int)n, SQLITE_STATIC);
}

void
relayd_sql_number(sqlite3_stmt *st, int at, uint64_t v)
{
    sqlite3_bind_int64(st, at, (sqlite3_int64)v);
}

bool
relayd_sql_id(sqlite3_stmt *st, int at, uint8_t *id, size_t n)
{
    const void *p = sqlite3_column_blob(st, at);

    memset(id, 0, n);
    if (sqlite3_column_type(st, at) != SQLITE_BLOB || sqlite3_column_bytes(st, at) != (int)n)
        return false;
    memcpy(id, p, n);
    return true;
}
