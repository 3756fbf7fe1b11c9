#include "lib/db/migrate.h"

#include "lib/base/id.h"
#include "lib/base/io.h"
#include "lib/db/connect.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_FILES 1000
#define MAX_FILE_SIZE (4u << 20)
/* Migrations rewrite tables; the lock is waited for as long as another migration may take. */
#define MIGRATE_MS (60 * 60 * 1000)
/*
 * One at a time. A lock of the record itself, and not an advisory one: those any role may take, and
 * so keep a database from being upgraded; this one needs rights that only its owner has. It lets
 * the record be read. Taken for each file anew, since a lock ends with its transaction.
 */
#define LOCK_SQL                                                                                   \
    "SET LOCAL ROLE yubin_owner;"                                                                  \
    " LOCK TABLE yubin.schema_migrations IN SHARE ROW EXCLUSIVE MODE;"                             \
    " SET LOCAL ROLE NONE"
#define CONNECTING_ROLE "-- run-as: connecting role\n"

struct file {
    int number;
    char *name; /* NNNN_name.sql */
    char *text;
    char sha256[2 * 32 + 1];
    bool applied;
};

struct files {
    struct file *v;
    size_t n;
};

static void
files_free(struct files *f)
{
    for (size_t i = 0; i < f->n; i++) {
        yb_free(f->v[i].name);
        yb_free(f->v[i].text);
    }
    yb_free(f->v);
}

static int
file_order(const void *a, const void *b)
{
    const struct file *x = a, *y = b;

    return x->number - y->number;
}

/* NNNN_….sql; every other name is not a migration. */
static bool
file_named(struct yb_str name, int *number)
{
    uint64_t n;

    if (name.n < 10 || name.p[4] != '_' || !yb_str_ends_i(name, YB_STR(".sql")) ||
        !yb_str_u64(yb_str_head(name, 4), 9999, &n))
        return false;
    *number = (int)n;
    return true;
}

static int
file_load(const char *dir, struct file *f, struct yb_err *err)
{
    char path[4096];
    uint8_t sum[32];
    size_t size;

    if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, f->name) >= sizeof(path))
        return yb_err_set(err, YB_PERM, "5.3.0", "name of %s is too long", f->name);
    if (yb_read_file(path, MAX_FILE_SIZE, &f->text, &size, err) < 0)
        return -1;
    if (strlen(f->text) != size)
        return yb_err_set(err, YB_PERM, "5.3.0", "%s holds a NUL byte", f->name);
    yb_assert(EVP_Digest(f->text, size, sum, NULL, EVP_sha256(), NULL) == 1);
    yb_hex(sum, sizeof(sum), f->sha256);
    return 0;
}

static int
files_read(const char *path, struct files *f, struct yb_err *err)
{
    DIR *dir = opendir(path);
    const struct dirent *e;
    int rc = 0;

    if (dir == NULL)
        return yb_err_sys(err, YB_PERM, "5.3.0", "open %s", path);
    f->v = yb_alloc(MAX_FILES, sizeof(*f->v));
    while ((e = readdir(dir)) != NULL && rc == 0) {
        int number;

        if (!file_named(yb_str_from(e->d_name), &number))
            continue;
        yb_assert(f->n < MAX_FILES);
        f->v[f->n].number = number;
        f->v[f->n].name = yb_dup(e->d_name, strlen(e->d_name));
        rc = file_load(path, &f->v[f->n++], err);
    }
    closedir(dir);
    if (rc < 0)
        return -1;
    qsort(f->v, f->n, sizeof(*f->v), file_order);
    for (size_t i = 1; i < f->n; i++) {
        if (f->v[i].number == f->v[i - 1].number)
            return yb_err_set(err, YB_PERM, "5.3.0", "%s and %s have one number", f->v[i - 1].name,
                              f->v[i].name);
    }
    return f->n > 0 ? 0 : yb_err_set(err, YB_PERM, "5.3.0", "no migrations in %s", path);
}

/* Runs one statement without parameters and keeps its rows (text form). */
static int
ask(PGconn *pg, const char *sql, PGresult **out, struct yb_err *err)
{
    PGresult *failed = NULL;
    int rc;

    if (PQsendQuery(pg, sql) != 1)
        return yb_pq_fail(pg, NULL, err);
    rc = yb_pq_finish(pg, yb_deadline_in(MIGRATE_MS), out, &failed, err);
    PQclear(failed);
    return rc;
}

static int
run(PGconn *pg, const char *sql, struct yb_err *err)
{
    PGresult *failed = NULL;
    int rc = yb_pq_exec(pg, sql, yb_deadline_in(MIGRATE_MS), &failed, err);

    PQclear(failed);
    return rc;
}

/* One row of the record against the files. */
static int
record_check(struct files *f, int number, const char *name, const char *sha256, struct yb_err *err)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->v[i].number != number)
            continue;
        if (strcmp(f->v[i].sha256, sha256) != 0)
            return yb_err_set(
                err, YB_PERM, "5.3.0",
                "%s is not what was applied as %s: an applied migration never changes",
                f->v[i].name, name);
        f->v[i].applied = true;
        return 0;
    }
    return yb_err_set(err, YB_PERM, "5.3.0",
                      "the database holds %s, which is not among the files: it is newer than this "
                      "program",
                      name);
}

/* *there: the first file was run, there is a record. */
static int
record_find(PGconn *pg, bool *there, struct yb_err *err)
{
    PGresult *r = NULL;

    if (ask(pg, "SELECT to_regclass('yubin.schema_migrations') IS NOT NULL", &r, err) < 0)
        return -1;
    *there = strcmp(PQgetvalue(r, 0, 0), "t") == 0;
    PQclear(r);
    return 0;
}

/* Marks what the database has; refuses a database that went another way. */
static int
record_read(PGconn *pg, struct files *f, struct yb_migrate_report *report, struct yb_err *err)
{
    PGresult *r = NULL;
    bool gap = false;
    int rc = 0;

    if (run(pg, "SET ROLE yubin_owner", err) < 0 ||
        ask(pg, "SELECT number, name, sha256 FROM yubin.schema_migrations ORDER BY number", &r,
            err) < 0 ||
        run(pg, "RESET ROLE", err) < 0) {
        PQclear(r);
        return -1;
    }
    for (int i = 0; i < PQntuples(r) && rc == 0; i++) {
        report->last = (int)strtol(PQgetvalue(r, i, 0), NULL, 10);
        rc = record_check(f, report->last, PQgetvalue(r, i, 1), PQgetvalue(r, i, 2), err);
    }
    report->already = (unsigned)PQntuples(r) - report->applied;
    PQclear(r);
    for (size_t i = 0; i < f->n && rc == 0; i++) {
        if (f->v[i].applied && gap)
            rc = yb_err_set(err, YB_PERM, "5.3.0", "%s was applied before an earlier one",
                            f->v[i].name);
        gap = gap || !f->v[i].applied;
    }
    return rc;
}

static int
record_add(PGconn *pg, const struct file *f, struct yb_err *err)
{
    char number[12];
    const char *values[] = { number, f->name, f->sha256 };
    PGresult *failed = NULL;
    int rc;

    snprintf(number, sizeof(number), "%d", f->number);
    if (PQsendQueryParams(pg,
                          "INSERT INTO yubin.schema_migrations (number, name, sha256)"
                          " VALUES ($1::integer, $2, $3)",
                          3, NULL, values, NULL, NULL, 0) != 1)
        return yb_pq_fail(pg, NULL, err);
    rc = yb_pq_finish(pg, yb_deadline_in(MIGRATE_MS), NULL, &failed, err);
    PQclear(failed);
    return rc;
}

/* Runs the file in the transaction that is open, records it and commits. */
static int
file_run(PGconn *pg, const struct file *f, struct yb_err *err)
{
    bool as_owner = strncmp(f->text, CONNECTING_ROLE, strlen(CONNECTING_ROLE)) != 0;
    struct yb_err why = { 0 };
    int rc = -1;

    if (run(pg, "SET LOCAL search_path = yubin, pg_temp", &why) == 0 &&
        (!as_owner || run(pg, "SET LOCAL ROLE yubin_owner", &why) == 0) &&
        run(pg, f->text, &why) == 0) {
        if (PQtransactionStatus(pg) != PQTRANS_INTRANS)
            yb_err_set(&why, YB_PERM, "5.3.0", "it ends its own transaction");
        else if (run(pg, "SET LOCAL ROLE yubin_owner", &why) == 0 && record_add(pg, f, &why) == 0 &&
                 run(pg, "COMMIT", &why) == 0)
            rc = 0;
    }
    if (rc == 0)
        return 0;
    return yb_err_as(err, why.kind, why.class, why.status, "%s: %s", f->name, why.text);
}

/* What comes next, unless another run was faster: under the lock the record is read again. */
static int
file_next(PGconn *pg, struct files *f, size_t i, bool record,
          void (*told)(void *arg, const char *file), void *arg, struct yb_migrate_report *report,
          struct yb_err *err)
{
    if (run(pg, "BEGIN", err) < 0 ||
        (record && (run(pg, LOCK_SQL, err) < 0 || record_read(pg, f, report, err) < 0)))
        return -1;
    if (f->v[i].applied)
        return run(pg, "ROLLBACK", err);
    if (told != NULL)
        told(arg, f->v[i].name);
    if (file_run(pg, &f->v[i], err) < 0)
        return -1;
    f->v[i].applied = true;
    report->applied++;
    report->last = f->v[i].number;
    return 0;
}

static int
files_run(PGconn *pg, struct files *f, void (*told)(void *arg, const char *file), void *arg,
          struct yb_migrate_report *report, struct yb_err *err)
{
    struct yb_err ignored = { 0 };
    bool record = false;
    size_t i = 0;

    if (record_find(pg, &record, err) < 0 || (record && record_read(pg, f, report, err) < 0))
        return -1;
    while (i < f->n) {
        if (f->v[i].applied) {
            i++;
            continue;
        }
        if (file_next(pg, f, i, record, told, arg, report, err) == 0) {
            record = true;
            continue;
        }
        /* There is nothing to lock before the first file is run: of two that begin at once one
         * fails in it, and goes on behind the other. */
        if (record || run(pg, "ROLLBACK", &ignored) < 0 || record_find(pg, &record, &ignored) < 0 ||
            !record)
            return -1;
    }
    return 0;
}

int
yb_db_migrate(const char *conninfo, const char *dir, void (*told)(void *arg, const char *file),
              void *arg, struct yb_migrate_report *report, struct yb_err *err)
{
    struct files f = { NULL, 0 };
    struct yb_db_hosts *hosts = NULL;
    PGconn *pg = NULL;
    int rc = -1;

    *report = (struct yb_migrate_report){ 0 };
    if (files_read(dir, &f, err) == 0) {
        hosts = yb_db_hosts_new(conninfo, "yubin schema migrate");
        pg = yb_db_hosts_connect(hosts, yb_deadline_in(10000), err);
        if (pg != NULL)
            rc = files_run(pg, &f, told, arg, report, err);
    }
    PQfinish(pg); /* rolls back what failed, and gives the lock back */
    yb_db_hosts_free(&hosts);
    files_free(&f);
    return rc;
}
