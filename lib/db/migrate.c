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
#define CONNECT_MS 10000
/* A file that does not get its locks, or one of two that would wait for each other: so often, with a
 * rest, again. */
#define TIMES_MORE 300
#define REST_US 1000000
/* Migrations rewrite tables; the lock is waited for as long as another migration may take. */
#define MIGRATE_MS (60 * 60 * 1000)
/*
 * One at a time. A lock of the record itself, and not an advisory one: those any role may take, and
 * so keep a database from being upgraded; this one needs rights that only its owner has. It lets
 * the record be read. Taken for each file anew, since a lock ends with its transaction.
 *
 * Read committed and without a time-out: beside a file that is alone this session sits idle, and must
 * have no snapshot, for whose end that file would wait.
 */
#define LOCK_SQL                                                                                   \
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = "       \
    "0;" SHORTLY " SET LOCAL ROLE yubin_owner;"                                                    \
    " LOCK TABLE yubin.schema_migrations IN SHARE ROW EXCLUSIVE MODE;"                             \
    " SET LOCAL ROLE NONE; SET LOCAL lock_timeout TO DEFAULT"
/* Who waits for a lock has a snapshot, and what is alone waits for that: so for a moment, again and
 * again. */
#define SHORTLY " SET LOCAL lock_timeout = '500ms';"
/*
 * And so does a file: daemons and commands, which go on meanwhile, wait behind who waits for a table,
 * and for what he holds already. Of two that wait for each other the one ends that finds it out, which
 * shall be us; less than a second, after which others look.
 */
#define GIVES_WAY                                                                                  \
    SHORTLY " SELECT set_config('deadlock_timeout', '100ms', true) FROM pg_roles"                  \
            " WHERE rolname = current_user AND rolsuper"
#define CONNECTING_ROLE "-- run-as: connecting role\n"
#define REPEATED "-- run: repeated\n"
#define ALONE "-- run: alone\n"
#define NEW_INDEX " INDEX CONCURRENTLY IF NOT EXISTS "

struct file {
    int number;
    char *name; /* NNNN_name.sql */
    char *text;
    char sha256[2 * 32 + 1];
    uint64_t rows; /* of one that is run again and again: so many till now, in this run */
    bool applied;
};

struct files {
    struct file *v;
    size_t n;
};

struct migration {
    struct yb_db_hosts *hosts;
    PGconn *pg;
    struct files files;
    bool record; /* there is one, to be locked and read */
    yb_migrate_told *told;
    void *arg;
    struct yb_migrate_report *report;
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

static bool
file_begins(const struct file *f, const char *line)
{
    return strncmp(f->text, line, strlen(line)) == 0;
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

/* A transaction that begins with a lock, and waits for it SHORTLY, till it is to be had. */
static int
run_locking(PGconn *pg, const char *sql, struct yb_err *err)
{
    struct yb_deadline by = yb_deadline_in(MIGRATE_MS);
    struct yb_err why = { 0 };

    while (run(pg, sql, &why) < 0) {
        if (why.kind != YB_ERR_IN_USE || yb_deadline_left(by) == 0) {
            *err = why;
            return -1;
        }
        if (run(pg, "ROLLBACK", err) < 0)
            return -1;
    }
    return 0;
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

/* --- what is not one transaction --- */

static int
become_owner(PGconn *pg, bool owner, struct yb_err *err)
{
    if (run(pg, "SET LOCAL search_path = yubin, pg_temp", err) < 0)
        return -1;
    return owner ? run(pg, "SET LOCAL ROLE yubin_owner", err) : 0;
}

/* A batch of it; *done when it found nothing more to do. */
static int
repeated_run(PGconn *pg, struct file *f, bool *done, struct yb_err *err)
{
    PGresult *r = NULL;
    uint64_t n = 0;
    int rc = ask(pg, f->text, &r, err);

    if (rc == 0 && (PQntuples(r) != 1 || PQnfields(r) != 1 ||
                    !yb_str_u64(yb_str_from(PQgetvalue(r, 0, 0)), INT64_MAX, &n)))
        rc = yb_err_set(err, YB_PERM, "5.3.0", "it does not answer how many rows it did");
    PQclear(r);
    f->rows += n;
    *done = n == 0;
    return rc;
}

/* The index that the file makes, if a broken run left it: its name and its table's, as SQL. */
static int
index_broken(PGconn *pg, const char *name, PGresult **out, struct yb_err *err)
{
    PGresult *failed = NULL;
    int rc;

    if (PQsendQueryParams(pg,
                          "SELECT format('%I.%I', n.nspname, c.relname), i.indrelid::regclass"
                          "  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
                          "  JOIN pg_namespace n ON n.oid = c.relnamespace"
                          " WHERE n.nspname = 'yubin' AND c.relname = $1 AND NOT i.indisvalid",
                          1, NULL, &name, NULL, NULL, 0) != 1)
        return yb_pq_fail(pg, NULL, err);
    rc = yb_pq_finish(pg, yb_deadline_in(MIGRATE_MS), out, &failed, err);
    PQclear(failed);
    return rc;
}

/*
 * Drops what a broken run left of the index. It may still be at work: the server hears of the end of
 * its client a second later. So its lock of the table is waited for; then the index may have become
 * whole.
 */
static int
index_clear(PGconn *pg, const char *statement, struct yb_err *err)
{
    const char *at = strstr(statement, NEW_INDEX);
    struct yb_str rest = yb_str_from(at == NULL ? "" : at + strlen(NEW_INDEX));
    char name[64], sql[400];
    int rc = 0;

    if (at == NULL || !yb_str_copy(yb_str_word(&rest), name, sizeof(name)))
        return 0;
    for (int round = 0; round < 2 && rc == 0; round++) {
        PGresult *r = NULL;

        rc = index_broken(pg, name, &r, err);
        if (rc < 0 || PQntuples(r) == 0) {
            PQclear(r);
            break;
        }
        if (round == 0)
            snprintf(sql, sizeof(sql),
                     "BEGIN;" SHORTLY " SET LOCAL ROLE yubin_owner;"
                     " LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE; COMMIT",
                     PQgetvalue(r, 0, 1));
        else
            snprintf(sql, sizeof(sql), "DROP INDEX CONCURRENTLY %s", PQgetvalue(r, 0, 0));
        PQclear(r);
        rc = round == 0 ? run_locking(pg, sql, err) : run(pg, sql, err);
    }
    return rc;
}

/* A statement of a file, which ends with its line; *rest goes on behind it. New, or NULL at the end. */
static char *
statement_next(struct yb_str *rest)
{
    static const struct yb_str end = YB_STR_INIT(";\n");
    size_t n = yb_str_find_str(*rest, end);
    struct yb_str one = yb_str_head(*rest, n < rest->n ? n + 1 : n);

    *rest = yb_str_skip(*rest, one.n);
    return yb_str_trim(one).n == 0 ? NULL : yb_dup(one.p, one.n);
}

/* Outside a transaction. Killed, we leave it to the server, which shall notice. */
static int
alone_run(PGconn *pg, const struct file *f, struct yb_err *err)
{
    struct yb_str rest = yb_str_from(f->text);
    char *one;
    int rc = 0;

    if (run(pg, "SET client_connection_check_interval = '1s'", err) < 0 ||
        run(pg, "SET ROLE yubin_owner", err) < 0 ||
        run(pg, "SET search_path = yubin, pg_temp", err) < 0)
        return -1;
    while (rc == 0 && (one = statement_next(&rest)) != NULL) {
        rc = index_clear(pg, one, err) < 0 ? -1 : run(pg, one, err);
        yb_free(one);
    }
    if (rc < 0)
        return -1;
    return run(pg, "RESET ROLE", err) < 0 ? -1 : run(pg, "RESET search_path", err);
}

/* --- a file --- */

/* Runs the file, or a batch of it, in the transaction that is open or, if it has to be alone, beside it;
 * records it if it is done, and commits. */
static int
file_run(struct migration *m, PGconn *tx, struct file *f, bool *done, struct yb_err *err)
{
    struct yb_err why = { 0 };
    int rc;

    *done = true;
    if (tx != m->pg) {
        rc = alone_run(m->pg, f, &why);
    } else {
        rc = run(tx, GIVES_WAY, &why);
        if (rc == 0)
            rc = become_owner(tx, !file_begins(f, CONNECTING_ROLE), &why);
        if (rc == 0)
            rc =
                file_begins(f, REPEATED) ? repeated_run(tx, f, done, &why) : run(tx, f->text, &why);
    }
    if (rc == 0 && PQtransactionStatus(tx) != PQTRANS_INTRANS)
        rc = yb_err_set(&why, YB_PERM, "5.3.0", "it ends its own transaction");
    if (rc == 0 && *done)
        rc = run(tx, "SET LOCAL ROLE yubin_owner", &why) < 0 ? -1 : record_add(tx, f, &why);
    if (rc == 0)
        rc = run(tx, "COMMIT", &why);
    if (rc == 0)
        return 0;
    return yb_err_as(err, why.kind, why.class, why.status, "%s: %s", f->name, why.text);
}

/* What comes next, unless another run was faster: under the lock the record is read again. */
static int
file_next(struct migration *m, PGconn *tx, struct file *f, struct yb_err *err)
{
    bool done;

    if (m->record
            ? run_locking(tx, LOCK_SQL, err) < 0 || record_read(tx, &m->files, m->report, err) < 0
            : run(tx, "BEGIN", err) < 0)
        return -1;
    if (f->applied)
        return run(tx, "ROLLBACK", err);
    if (m->told != NULL)
        m->told(m->arg, f->name, f->rows);
    if (file_run(m, tx, f, &done, err) < 0)
        return -1;
    if (done) {
        f->applied = true;
        m->report->applied++;
        m->report->last = f->number;
    }
    return 0;
}

/* A file, or a batch of one. */
static int
file_step(struct migration *m, struct file *f, struct yb_err *err)
{
    PGconn *guard;
    int rc;

    if (!file_begins(f, ALONE))
        return file_next(m, m->pg, f, err);
    guard = yb_db_hosts_connect(m->hosts, yb_deadline_in(CONNECT_MS), err);
    rc = guard == NULL ? -1 : file_next(m, guard, f, err);
    PQfinish(guard);
    return rc;
}

static int
files_run(struct migration *m, struct yb_err *err)
{
    struct yb_err ignored = { 0 };
    unsigned left = TIMES_MORE;
    size_t i = 0;

    if (record_find(m->pg, &m->record, err) < 0 ||
        (m->record && record_read(m->pg, &m->files, m->report, err) < 0))
        return -1;
    while (i < m->files.n) {
        if (m->files.v[i].applied) {
            i++;
            continue;
        }
        if (file_step(m, &m->files.v[i], err) == 0) {
            m->record = true;
            continue;
        }
        /* Somebody holds what the file wants, or wants what it holds: it gives way, and comes again. */
        if ((err->kind == YB_ERR_IN_USE || err->kind == YB_ERR_CONFLICT) && left-- > 0 &&
            run(m->pg, "ROLLBACK", &ignored) == 0) {
            yb_clock_rest_us(REST_US);
            continue;
        }
        /* There is nothing to lock before the first file is run: of two that begin at once one
         * fails in it, and goes on behind the other. */
        if (m->record || run(m->pg, "ROLLBACK", &ignored) < 0 ||
            record_find(m->pg, &m->record, &ignored) < 0 || !m->record)
            return -1;
    }
    return 0;
}

int
yb_db_migrate(const char *conninfo, const char *dir, yb_migrate_told *told, void *arg,
              struct yb_migrate_report *report, struct yb_err *err)
{
    struct migration m = { .told = told, .arg = arg, .report = report };
    int rc = -1;

    *report = (struct yb_migrate_report){ 0 };
    if (files_read(dir, &m.files, err) == 0) {
        m.hosts = yb_db_hosts_new(conninfo, "yubin schema migrate");
        m.pg = yb_db_hosts_connect(m.hosts, yb_deadline_in(CONNECT_MS), err);
        if (m.pg != NULL)
            rc = files_run(&m, err);
    }
    PQfinish(m.pg); /* rolls back what failed, and gives the lock back */
    yb_db_hosts_free(&m.hosts);
    files_free(&m.files);
    return rc;
}
