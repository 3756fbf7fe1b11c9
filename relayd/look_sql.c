#include "relayd/look_sql.h"

#include <sqlite3.h>
#include <stdio.h>

#define BUSY_MS 1000
/* Steps of SQLite's machine between two questions whether to stop: about a millisecond. */
#define STOP_STEPS 10000

struct relayd_look {
    sqlite3 *handle;
    sqlite3_stmt *body;
    bool (*stop)(void *arg);
    void *arg;
};

int
relayd_look_open(const char *dir, struct relayd_look **out, struct yb_err *err)
{
    static const char body[] =
        "SELECT message.mid, message.file, body.head, body.octets, message.size"
        " FROM message LEFT JOIN body ON body.m = message.m"
        " WHERE message.m = ?1";
    const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    struct relayd_look *look;
    char path[4096];
    int rc;

    if ((size_t)snprintf(path, sizeof(path), "%s/queue.db", dir) >= sizeof(path))
        return yb_err_inside(err, YB_TEMP, "4.3.0", "the name of the queue's folder is too long");
    look = yb_alloc(1, sizeof(*look));
    rc = sqlite3_open_v2(path, &look->handle, flags, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(look->handle, 1);
        sqlite3_busy_timeout(look->handle, BUSY_MS);
        sqlite3_db_config(look->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        sqlite3_db_config(look->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        rc = sqlite3_prepare_v3(look->handle, body, -1, SQLITE_PREPARE_PERSISTENT, &look->body,
                                NULL);
    }
    *out = look;
    if (rc == SQLITE_OK)
        return 0;
    yb_err_inside(err, YB_TEMP, "4.3.0", "open %s for reading: %s", path,
                  look->handle == NULL ? sqlite3_errstr(rc) : sqlite3_errmsg(look->handle));
    relayd_look_close(out);
    return -1;
}

void
relayd_look_close(struct relayd_look **look)
{
    if (*look == NULL)
        return;
    sqlite3_finalize((*look)->body);
    sqlite3_close_v2((*look)->handle);
    yb_free(*look);
    *look = NULL;
}

static struct yb_str
copy_of(sqlite3_stmt *st, int at)
{
    size_t n = (size_t)sqlite3_column_bytes(st, at);

    return n == 0 ? yb_str(NULL, 0) : yb_str(yb_dup(sqlite3_column_blob(st, at), n), n);
}

enum relayd_fate
relayd_look_body(struct relayd_look *look, uint64_t m, struct relayd_looked *out,
                 struct yb_err *err)
{
    sqlite3_stmt *st = look->body;
    enum relayd_fate fate;
    int rc;

    *out = (struct relayd_looked){ 0 };
    sqlite3_bind_int64(st, 1, (sqlite3_int64)m);
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW && sqlite3_column_bytes(st, 0) == (int)sizeof(out->mid.v)) {
        out->found = true;
        memcpy(out->mid.v, sqlite3_column_blob(st, 0), sizeof(out->mid.v));
        out->file = sqlite3_column_int64(st, 1) == 1;
        out->size = (uint64_t)sqlite3_column_int64(st, 4);
        out->head = copy_of(st, 2);
        out->octets_there = sqlite3_column_type(st, 3) == SQLITE_BLOB;
        out->octets = copy_of(st, 3);
    }
    fate = relayd_sql_fate(look->handle, rc, "read a body", err);
    sqlite3_reset(st);
    return fate;
}

static int
ask(void *arg)
{
    struct relayd_look *look = arg;

    return look->stop(look->arg) ? 1 : 0;
}

enum relayd_fate
relayd_look_through(struct relayd_look *look, bool (*stop)(void *arg), void *arg,
                    struct yb_err *err)
{
    sqlite3_stmt *st = NULL;
    enum relayd_fate fate;
    int rc;

    look->stop = stop;
    look->arg = arg;
    sqlite3_progress_handler(look->handle, STOP_STEPS, ask, look);
    rc = sqlite3_prepare_v2(look->handle, "PRAGMA quick_check(1)", -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW &&
        !yb_str_eq(yb_str_from((const char *)sqlite3_column_text(st, 0)), YB_STR("ok"))) {
        yb_err_inside(err, YB_TEMP, "4.3.0", "queue.db is damaged: %s",
                      (const char *)sqlite3_column_text(st, 0));
        fate = RELAYD_FATE_DAMAGED;
    } else {
        fate = relayd_sql_fate(look->handle, rc, "look through it", err);
    }
    sqlite3_finalize(st);
    sqlite3_progress_handler(look->handle, 0, NULL, NULL);
    return fate;
}
