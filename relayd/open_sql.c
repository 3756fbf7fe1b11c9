#include "relayd/open_sql.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_KIB "16384" /* more than a transaction's pages: nothing is written before its end */

static const char tables[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE message (m INTEGER PRIMARY KEY, mid BLOB NOT NULL, sid BLOB NOT NULL,"
    " tenant BLOB NOT NULL, origin INTEGER NOT NULL, sender TEXT NOT NULL, flags INTEGER NOT NULL,"
    " size INTEGER NOT NULL, arrived INTEGER NOT NULL, file INTEGER NOT NULL) STRICT;"
    /* Apart, so that the scan at the start reads small rows only. */
    "CREATE TABLE body (m INTEGER PRIMARY KEY, head BLOB, octets BLOB) STRICT;"
    /* No secondary index: memory has the schedule, and a message's rows lie together. */
    "CREATE TABLE recipient (m INTEGER NOT NULL, n INTEGER NOT NULL, did BLOB NOT NULL,"
    " tenant BLOB NOT NULL, account BLOB NOT NULL, home BLOB NOT NULL, address TEXT NOT NULL,"
    " quota INTEGER NOT NULL, flags INTEGER NOT NULL, state INTEGER NOT NULL, reason INTEGER NOT "
    "NULL,"
    " attempts INTEGER NOT NULL, next INTEGER NOT NULL, code INTEGER NOT NULL, status TEXT NOT "
    "NULL,"
    " text TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (m, n)) WITHOUT ROWID, STRICT;"
    /* Appended and pruned from the front: random ids as a key would dirty a page a row. */
    "CREATE TABLE done (s INTEGER PRIMARY KEY, did BLOB NOT NULL) STRICT;";

static const struct {
    const char *set, *ask, *want;
} settings[] = {
    /* Those that shape the file come first, and before its first page. */
    { "PRAGMA page_size = 4096", "PRAGMA page_size", "4096" },
    { "PRAGMA auto_vacuum = INCREMENTAL", "PRAGMA auto_vacuum", "2" },
    { "PRAGMA journal_mode = WAL", "PRAGMA journal_mode", "wal" },
    { "PRAGMA synchronous = FULL", "PRAGMA synchronous", "2" },
    { "PRAGMA secure_delete = FAST", "PRAGMA secure_delete", "2" },
    { "PRAGMA wal_autocheckpoint = 0", "PRAGMA wal_autocheckpoint", "0" },
    { "PRAGMA cache_size = -" CACHE_KIB, "PRAGMA cache_size", "-" CACHE_KIB },
    { "PRAGMA cell_size_check = ON", "PRAGMA cell_size_check", "1" },
};

/* -1, with what SQLite says. */
static int
cannot(sqlite3 *handle, const char *what, struct yb_err *err)
{
    int rc = sqlite3_errcode(handle) & 0xff;

    if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB)
        return yb_err_inside(
            err, YB_TEMP, "4.3.0",
            "queue.db is damaged (%s); nothing was deleted: move the queue's folder "
            "away to begin with an empty one",
            sqlite3_errmsg(handle));
    return yb_err_inside(err, YB_TEMP, "4.3.0", "queue.db: %s: %s", what, sqlite3_errmsg(handle));
}

/* Any answer but `want` is an error. */
static int
asked(sqlite3 *handle, const char *ask, const char *want, struct yb_err *err)
{
    sqlite3_stmt *st = NULL;
    const char *got = NULL;
    int rc = sqlite3_prepare_v2(handle, ask, -1, &st, NULL);

    if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        got = (const char *)sqlite3_column_text(st, 0);
    if (got == NULL)
        rc = cannot(handle, ask, err);
    else if (strcmp(got, want) != 0)
        rc = yb_err_inside(err, YB_TEMP, "4.3.0",
                           "queue.db: %s is %s, not %s: another program made or changed this file",
                           ask, got, want);
    else
        rc = 0;
    sqlite3_finalize(st);
    return rc;
}

static int
settle(sqlite3 *handle, uint64_t wal_bytes, struct yb_err *err)
{
    char limit[60];
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < YB_COUNT(settings); i++) {
        if (sqlite3_exec(handle, settings[i].set, NULL, NULL, NULL) != SQLITE_OK)
            rc = cannot(handle, settings[i].set, err);
    }
    for (size_t i = 0; rc == 0 && i < YB_COUNT(settings); i++)
        rc = asked(handle, settings[i].ask, settings[i].want, err);
    /* What the log grew to beyond it, because a reader was in the way, is cut off again. */
    snprintf(limit, sizeof(limit), "PRAGMA journal_size_limit = %llu",
             (unsigned long long)wal_bytes);
    if (rc == 0 && sqlite3_exec(handle, limit, NULL, NULL, NULL) != SQLITE_OK)
        rc = cannot(handle, limit, err);
    return rc;
}

static int
make_tables(sqlite3 *handle, bool *fresh, struct yb_err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(handle, "SELECT count(*) FROM sqlite_schema", -1, &st, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    *fresh = rc == SQLITE_ROW && sqlite3_column_int64(st, 0) == 0;
    sqlite3_finalize(st);
    if (rc != SQLITE_ROW)
        return cannot(handle, "read", err);
    if (!*fresh)
        return 0;
    if (sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(handle, tables, NULL, NULL, NULL) != SQLITE_OK)
        return cannot(handle, "make its tables", err);
    return 0;
}

static int
make_file(const char *path, struct yb_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open %s", path);
    if ((st.st_mode & 077) != 0 && fchmod(fd, 0600) < 0) {
        yb_err_sys(err, YB_TEMP, "4.3.0", "make %s private", path);
        close(fd);
        return -1;
    }
    close(fd);
    return 0;
}

int
relayd_sql_open(const char *dir, uint64_t wal_bytes, sqlite3 **handle, bool *fresh,
                struct yb_err *err)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    char path[4096];
    int rc;

    *handle = NULL;
    if ((size_t)snprintf(path, sizeof(path), "%s/queue.db", dir) >= sizeof(path))
        return yb_err_inside(err, YB_TEMP, "4.3.0", "the name of the queue's folder is too long");
    if (make_file(path, err) < 0)
        return -1;
    rc = sqlite3_open_v2(path, handle, flags, NULL);
    if (rc != SQLITE_OK)
        return yb_err_inside(err, YB_TEMP, "4.3.0", "open %s: %s", path, sqlite3_errstr(rc));
    sqlite3_extended_result_codes(*handle, 1);
    sqlite3_busy_timeout(*handle, RELAYD_BUSY_MS);
    sqlite3_db_config(*handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(*handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (settle(*handle, wal_bytes, err) < 0)
        return -1;
    return make_tables(*handle, fresh, err);
}

/* The row of meta with that key; NULL when there is none. For sqlite3_finalize(). */
static sqlite3_stmt *
meta_row(sqlite3 *handle, const char *key)
{
    sqlite3_stmt *st = NULL;

    if (sqlite3_prepare_v2(handle, "SELECT value FROM meta WHERE key = ?1", -1, &st, NULL) ==
            SQLITE_OK &&
        sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        return st;
    sqlite3_finalize(st);
    return NULL;
}

bool
relayd_sql_meta_id(sqlite3 *handle, const char *key, uint8_t *id, size_t n)
{
    sqlite3_stmt *st = meta_row(handle, key);
    const void *p = st == NULL ? NULL : sqlite3_column_blob(st, 0);
    bool is = p != NULL && sqlite3_column_bytes(st, 0) == (int)n;

    memset(id, 0, n);
    if (is)
        memcpy(id, p, n);
    sqlite3_finalize(st);
    return is;
}

int64_t
relayd_sql_meta_number(sqlite3 *handle, const char *key)
{
    sqlite3_stmt *st = meta_row(handle, key);
    int64_t v = -1;

    if (st != NULL && sqlite3_column_type(st, 0) == SQLITE_INTEGER)
        v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

int
relayd_sql_is_ours(sqlite3 *handle, struct yb_node_id node, struct yb_err *err)
{
    char theirs[YB_NODE_ID_TEXT], ours[YB_NODE_ID_TEXT];
    struct yb_node_id id;
    int64_t schema = relayd_sql_meta_number(handle, "schema");

    if (schema != RELAYD_SCHEMA)
        return yb_err_inside(
            err, YB_TEMP, "4.3.0",
            "queue.db has schema %lld, this program knows %d: run the version that "
            "made it",
            (long long)schema, RELAYD_SCHEMA);
    if (relayd_sql_meta_id(handle, "node", id.v, sizeof(id.v)) && yb_node_id_eq(id, node))
        return 0;
    yb_node_id_text(id, theirs);
    yb_node_id_text(node, ours);
    return yb_err_inside(err, YB_TEMP, "4.3.0",
                         "the queue is node %s's, this is node %s: move its folder away, or run it "
                         "on its own node; a copied queue sends mail twice",
                         theirs, ours);
}
