/* Statements, pipelines, transactions and COPY, on connections of the pool (pool.c). */
#include "lib/db/db.h"

#include "lib/base/fault.h"
#include "lib/db/conn.h"
#include "lib/db/result.h"

#include <errno.h>
#include <stdio.h>

#define QUERY_CANCELED "57014" /* by statement_timeout */
/* Statements of one pipeline before its results are read. */
#define PIPELINE_MAX 128
#define BATCH_MAX 6      /* BEGIN, two time-outs, PREPARE, DEALLOCATE, and what is asked */
#define NAME_MAX_SIZE 63 /* the server's NAMEDATALEN; it would cut the rest off */

static struct yb_deadline
conn_deadline(const struct yb_db_conn *c)
{
    return yb_deadline_in(c->deadline_ms);
}

/*
 * Keeps what a failure says about the connection and the statement; takes `failed` over. A
 * temporary failure ends the connection: after a failover or a restart its server may be the wrong
 * one for ever. One that only another transaction caused ends but its own transaction.
 */
static int
conn_failed(struct yb_db_conn *c, PGresult *failed, const struct yb_err *why, struct yb_err *err)
{
    const char *state = failed == NULL ? NULL : PQresultErrorField(failed, PG_DIAG_SQLSTATE);
    const char *name = failed == NULL ? NULL : PQresultErrorField(failed, PG_DIAG_CONSTRAINT_NAME);

    snprintf(c->sqlstate, sizeof(c->sqlstate), "%s", state == NULL ? "" : state);
    snprintf(c->constraint, sizeof(c->constraint), "%s", name == NULL ? "" : name);
    PQclear(failed);
    if (why->class == YB_TEMP && why->kind != YB_ERR_CONFLICT && why->kind != YB_ERR_IN_USE)
        c->broken = true;
    c->timed_out = c->timed_out || why->sys == ETIMEDOUT;
    if (strcmp(c->sqlstate, QUERY_CANCELED) == 0)
        c->timed_out = true;
    if (err != NULL) {
        *err = *why;
        err->sys = c->timed_out ? ETIMEDOUT : err->sys;
    }
    return -1;
}

static int
conn_exec(struct yb_db_conn *c, const char *sql, struct yb_err *err)
{
    struct yb_err why = { 0 };
    PGresult *failed = NULL;

    if (yb_pq_exec(c->pg, sql, conn_deadline(c), &failed, &why) < 0)
        return conn_failed(c, failed, &why, err);
    return 0;
}

static bool
conn_send(struct yb_db_conn *c, const struct yb_db_statement *st, const struct yb_db_params *p)
{
    static const int binary[YB_DB_MAX_PARAMS] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                                  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

    return PQsendQueryPrepared(c->pg, st->name, p == NULL ? 0 : p->n, p == NULL ? NULL : p->value,
                               p == NULL ? NULL : p->length, binary, 1) == 1;
}

/* Reads the sync behind a pipeline, and leaves pipeline mode. */
static int
sync_read(struct yb_db_conn *c, struct yb_deadline by, struct yb_err *err)
{
    PGresult *r = NULL;
    int rc = yb_pq_result(c->pg, by, &r, err);

    if (rc == 0 && (PQresultStatus(r) != PGRES_PIPELINE_SYNC || PQexitPipelineMode(c->pg) != 1))
        rc = yb_pq_fail(c->pg, r, err);
    PQclear(r);
    c->broken = c->broken || rc < 0;
    return rc;
}

/*
 * Ends a pipeline of n statements that were all queued (`queued`), and reads their answers and the
 * sync behind them. What follows a failed statement the server skips: r[i] stays NULL from it on. A
 * connection that fails itself stays in pipeline mode and is closed for it.
 */
static int
pipeline_end(struct yb_db_conn *c, bool queued, PGresult **r, size_t n, struct yb_err *err)
{
    struct yb_deadline by = conn_deadline(c);
    struct yb_err why = { 0 }, ignored = { 0 };
    PGresult *failed = NULL;
    bool goes_on = true;
    int rc = 0;

    if (!queued || PQpipelineSync(c->pg) != 1) {
        yb_pq_fail(c->pg, NULL, &why);
        return conn_failed(c, NULL, &why, err);
    }
    for (size_t i = 0; i < n && goes_on; i++) {
        PGresult *bad = NULL;

        if (yb_pq_finish(c->pg, by, &r[i], &bad, rc == 0 ? &why : &ignored) == 0)
            continue;
        goes_on = bad != NULL && PQstatus(c->pg) == CONNECTION_OK;
        if (rc == 0)
            failed = bad;
        else
            PQclear(bad);
        rc = -1;
    }
    if (goes_on && sync_read(c, by, rc == 0 ? &why : &ignored) < 0)
        rc = -1;
    return rc == 0 ? 0 : conn_failed(c, failed, &why, err);
}

enum sending { SEND_SQL, SEND_PREPARE, SEND_DEALLOCATE, SEND_RUN };

/* What goes to the server in one round trip. The first that fails has the rest skipped. */
struct batch {
    struct yb_db_conn *c;
    bool queued; /* all so far */
    size_t n;
    struct {
        enum sending what;
        const struct yb_db_statement *st;
    } v[BATCH_MAX];
};

static void
batch_start(struct batch *b, struct yb_db_conn *c)
{
    c->sqlstate[0] = c->constraint[0] = '\0';
    *b = (struct batch){ .c = c, .queued = PQenterPipelineMode(c->pg) == 1 };
}

static void
batch_put(struct batch *b, enum sending what, const struct yb_db_statement *st, bool queued)
{
    yb_assert(b->n < BATCH_MAX);
    b->v[b->n].what = what;
    b->v[b->n++].st = st;
    b->queued = b->queued && queued;
}

static bool
send_sql(struct yb_db_conn *c, const char *sql)
{
    return PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 1) == 1;
}

static bool
send_deallocate(struct yb_db_conn *c, const struct yb_db_statement *st)
{
    char *name = PQescapeIdentifier(c->pg, st->name, strlen(st->name));
    char sql[160]; /* all of the name may have to be doubled */
    bool sent;

    yb_assert(name != NULL);
    snprintf(sql, sizeof(sql), "DEALLOCATE %s", name);
    sent = send_sql(c, sql);
    PQfreemem(name);
    return sent;
}

/* Prepares it, unless it is. The statement it takes the place of is given up only when the server
 * has taken the new one. */
static void
batch_prepare(struct batch *b, const struct yb_db_statement *st)
{
    const struct yb_db_statement *spare;
    struct yb_db_conn *c = b->c;

    if (yb_db_prepared_use(&c->prepared, st))
        return;
    yb_assert(strlen(st->name) <= NAME_MAX_SIZE);
    batch_put(b, SEND_PREPARE, st, PQsendPrepare(c->pg, st->name, st->sql, 0, NULL) == 1);
    spare = yb_db_prepared_spare(&c->prepared);
    if (spare != NULL)
        batch_put(b, SEND_DEALLOCATE, spare, send_deallocate(c, spare));
}

static void
batch_run(struct batch *b, const struct yb_db_statement *st, const struct yb_db_params *p)
{
    batch_put(b, SEND_RUN, st, conn_send(b->c, st, p));
}

/*
 * Neither PREPARE nor DEALLOCATE is undone by a rollback, nor by what fails behind it: the table
 * goes by the answer to each.
 */
static void
batch_record(const struct batch *b, PGresult *const *r)
{
    for (size_t i = 0; i < b->n; i++) {
        if (r[i] != NULL && b->v[i].what == SEND_PREPARE)
            yb_db_prepared_add(&b->c->prepared, b->v[i].st);
        else if (r[i] != NULL && b->v[i].what == SEND_DEALLOCATE)
            yb_db_prepared_remove(&b->c->prepared, b->v[i].st);
        else if (b->v[i].what == SEND_DEALLOCATE && r[i - 1] != NULL)
            b->c->broken = true; /* it would fail again with each new statement */
    }
}

/* Sends all and reads the answers; *out (may be NULL) gets the one to the last of them. */
static int
batch_end(const struct batch *b, struct yb_db_result **out, struct yb_err *err)
{
    PGresult *r[BATCH_MAX] = { NULL };
    int rc = pipeline_end(b->c, b->queued, r, b->n, err);

    batch_record(b, r);
    if (rc == 0 && out != NULL) {
        *out = yb_db_result_new(r[b->n - 1]);
        r[b->n - 1] = NULL;
    }
    for (size_t i = 0; i < b->n; i++)
        PQclear(r[i]);
    return rc;
}

/* The first time on this connection. */
static int
run_first(struct yb_db_conn *c, const struct yb_db_statement *st, const struct yb_db_params *p,
          struct yb_db_result **out, struct yb_err *err)
{
    struct batch b;

    batch_start(&b, c);
    batch_prepare(&b, st);
    batch_run(&b, st, p);
    return batch_end(&b, out, err);
}

int
yb_db_run(struct yb_db_conn *c, const struct yb_db_statement *st, const struct yb_db_params *p,
          struct yb_db_result **out, struct yb_err *err)
{
    struct yb_err why = { 0 };
    PGresult *r = NULL, *failed = NULL;

    c->sqlstate[0] = c->constraint[0] = '\0';
    yb_fault("db.statement");
    if (!yb_db_prepared_use(&c->prepared, st))
        return run_first(c, st, p, out, err);
    if (!conn_send(c, st, p)) {
        yb_pq_fail(c->pg, NULL, &why);
        return conn_failed(c, NULL, &why, err);
    }
    if (yb_pq_finish(c->pg, conn_deadline(c), &r, &failed, &why) < 0)
        return conn_failed(c, failed, &why, err);
    if (out != NULL)
        *out = yb_db_result_new(r);
    else
        PQclear(r);
    return 0;
}

int
yb_db_run_sql(struct yb_db_conn *c, const char *sql, struct yb_err *err)
{
    c->sqlstate[0] = c->constraint[0] = '\0';
    return conn_exec(c, sql, err);
}

int
yb_db_query(struct yb_db *db, const struct yb_db_statement *st, const struct yb_db_params *p,
            struct yb_db_result **out, struct yb_err *err)
{
    struct yb_db_conn *c;
    int rc;

    if (yb_db_conn_take(db, &c, err) < 0)
        return -1;
    rc = yb_db_run(c, st, p, out, err);
    yb_db_conn_give(&c);
    return rc;
}

static int
pipeline_run(struct yb_db_conn *c, const struct yb_db_statement *st, const struct yb_db_params *p,
             size_t n, struct yb_db_result **out, struct yb_err *err)
{
    PGresult *r[PIPELINE_MAX] = { NULL };
    bool queued = PQenterPipelineMode(c->pg) == 1;
    int rc;

    for (size_t i = 0; i < n && queued; i++)
        queued = conn_send(c, st, &p[i]);
    rc = pipeline_end(c, queued, r, n, err);
    for (size_t i = 0; i < n; i++) {
        if (rc == 0)
            out[i] = yb_db_result_new(r[i]);
        else
            PQclear(r[i]);
    }
    return rc;
}

/* As a batch of its own: what fails is the statement, whatever it is asked with. */
static int
prepare(struct yb_db_conn *c, const struct yb_db_statement *st, struct yb_err *err)
{
    struct batch b;

    if (yb_db_prepared_use(&c->prepared, st))
        return 0;
    batch_start(&b, c);
    batch_prepare(&b, st);
    return batch_end(&b, NULL, err);
}

int
yb_db_query_many(struct yb_db *db, const struct yb_db_statement *st, const struct yb_db_params *p,
                 size_t n, struct yb_db_result **out, struct yb_err *err)
{
    struct yb_db_conn *c;
    int rc;

    for (size_t i = 0; i < n; i++)
        out[i] = NULL;
    if (n == 0)
        return 0;
    if (yb_db_conn_take(db, &c, err) < 0)
        return -1;
    rc = prepare(c, st, err);
    for (size_t i = 0; i < n && rc == 0; i += PIPELINE_MAX) {
        size_t piece = n - i < PIPELINE_MAX ? n - i : PIPELINE_MAX;

        rc = pipeline_run(c, st, p + i, piece, out + i, err);
    }
    yb_db_conn_give(&c);
    for (size_t i = 0; i < n && rc < 0; i++)
        yb_db_result_free(&out[i]);
    return rc;
}

int
yb_db_begin(struct yb_db *db, struct yb_db_conn **c, struct yb_err *err)
{
    const struct yb_db_how plain = { 0 };

    return yb_db_begin_as(db, &plain, c, NULL, err);
}

/* A time-out of this transaction. */
static void
batch_time_out(struct batch *b, const char *name, int64_t ms)
{
    char sql[80];

    if (ms == 0)
        return;
    snprintf(sql, sizeof(sql), "SET LOCAL %s = %lld", name, (long long)ms);
    batch_put(b, SEND_SQL, NULL, send_sql(b->c, sql));
}

int
yb_db_begin_as(struct yb_db *db, const struct yb_db_how *how, struct yb_db_conn **c,
               struct yb_db_result **out, struct yb_err *err)
{
    struct batch b;

    *c = NULL;
    if (out != NULL)
        *out = NULL;
    if (yb_db_conn_take(db, c, err) < 0)
        return -1;
    if (how->deadline_ms != 0)
        (*c)->deadline_ms = how->deadline_ms + YB_DB_CLIENT_MS;
    batch_start(&b, *c);
    batch_put(&b, SEND_SQL, NULL, send_sql(*c, "BEGIN"));
    batch_time_out(&b, "statement_timeout", how->deadline_ms);
    batch_time_out(&b, "lock_timeout", how->lock_ms);
    if (how->enter != NULL) {
        batch_prepare(&b, how->enter);
        batch_run(&b, how->enter, how->params);
    }
    if (batch_end(&b, how->enter == NULL ? NULL : out, err) == 0)
        return 0;
    yb_db_rollback(c);
    return -1;
}

int
yb_db_commit(struct yb_db_conn **c, struct yb_err *err)
{
    int rc;

    /* COMMIT of a transaction that failed is answered "ROLLBACK", without an error. */
    if (PQtransactionStatus((*c)->pg) == PQTRANS_INERROR) {
        yb_db_rollback(c);
        return yb_err_inside(err, YB_BUG, "4.3.0", "database: commit of a failed transaction");
    }
    yb_fault("db.statement");
    rc = conn_exec(*c, "COMMIT", err);
    yb_fault("db.committed");
    yb_db_conn_give(c);
    return rc;
}

void
yb_db_rollback(struct yb_db_conn **c)
{
    struct yb_err ignored;
    PGTransactionStatusType status;

    if (*c == NULL)
        return;
    status = PQtransactionStatus((*c)->pg);
    if (!(*c)->broken && (status == PQTRANS_INTRANS || status == PQTRANS_INERROR) &&
        conn_exec(*c, "ROLLBACK", &ignored) < 0)
        (*c)->broken = true;
    yb_db_conn_give(c);
}

int
yb_db_copy_begin(struct yb_db_conn *c, const char *sql, struct yb_err *err)
{
    struct yb_err why = { 0 };
    PGresult *r = NULL;

    c->sqlstate[0] = c->constraint[0] = '\0';
    if (PQsendQuery(c->pg, sql) != 1)
        yb_pq_fail(c->pg, NULL, &why);
    else if (yb_pq_flush(c->pg, conn_deadline(c), &why) == 0 &&
             yb_pq_result(c->pg, conn_deadline(c), &r, &why) == 0 &&
             PQresultStatus(r) != PGRES_COPY_IN)
        yb_pq_fail(c->pg, r, &why);
    if (why.class == YB_OK) {
        PQclear(r);
        return 0;
    }
    return conn_failed(c, r, &why, err);
}

int
yb_db_copy_data(struct yb_db_conn *c, struct yb_str piece, struct yb_err *err)
{
    struct yb_err why = { 0 };
    int rc;

    yb_assert(piece.n <= INT32_MAX);
    while ((rc = PQputCopyData(c->pg, piece.p, (int)piece.n)) == 0) {
        if (yb_pq_flush(c->pg, conn_deadline(c), &why) < 0)
            return conn_failed(c, NULL, &why, err);
    }
    if (rc < 0) {
        yb_pq_fail(c->pg, NULL, &why);
        return conn_failed(c, NULL, &why, err);
    }
    return 0;
}

int
yb_db_copy_end(struct yb_db_conn *c, struct yb_err *err)
{
    struct yb_err why = { 0 };
    PGresult *failed = NULL;
    int rc;

    while ((rc = PQputCopyEnd(c->pg, NULL)) == 0) {
        if (yb_pq_flush(c->pg, conn_deadline(c), &why) < 0)
            return conn_failed(c, NULL, &why, err);
    }
    if (rc < 0) {
        yb_pq_fail(c->pg, NULL, &why);
        return conn_failed(c, NULL, &why, err);
    }
    if (yb_pq_finish(c->pg, conn_deadline(c), NULL, &failed, &why) < 0)
        return conn_failed(c, failed, &why, err);
    return 0;
}

void
yb_db_set_deadline(struct yb_db_conn *c, int64_t ms)
{
    struct yb_err why = { 0 };
    char sql[80];

    snprintf(sql, sizeof(sql), "SET LOCAL statement_timeout = %lld", (long long)ms);
    c->deadline_ms = ms + YB_DB_CLIENT_MS;
    if (conn_exec(c, sql, &why) < 0)
        c->broken = true; /* the transaction is lost: so fails all that follows in it */
}

const char *
yb_db_sqlstate(const struct yb_db_conn *c)
{
    return c->sqlstate;
}

const char *
yb_db_constraint(const struct yb_db_conn *c)
{
    return c->constraint;
}
