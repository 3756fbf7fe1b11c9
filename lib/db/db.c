/* Statements, pipelines, transactions and COPY, on connections of the pool (pool.c). */
#include "lib/db/db.h"

#include "lib/db/conn.h"
#include "lib/db/result.h"

#include <errno.h>
#include <stdio.h>

#define QUERY_CANCELED "57014" /* by statement_timeout */
/* Statements of one pipeline before its results are read. */
#define PIPELINE_MAX 128

static struct yb_deadline
conn_deadline(const struct yb_db_conn *c)
{
    return yb_deadline_in(c->deadline_ms);
}

/*
 * Keeps what a failure says about the connection and the statement; takes `failed` over. A
 * temporary failure ends the connection: after a failover or a restart its server may be the wrong
 * one for ever.
 */
static int
conn_failed(struct yb_db_conn *c, PGresult *failed, const struct yb_err *why, struct yb_err *err)
{
    const char *state = failed == NULL ? NULL : PQresultErrorField(failed, PG_DIAG_SQLSTATE);
    const char *name = failed == NULL ? NULL : PQresultErrorField(failed, PG_DIAG_CONSTRAINT_NAME);

    snprintf(c->sqlstate, sizeof(c->sqlstate), "%s", state == NULL ? "" : state);
    snprintf(c->constraint, sizeof(c->constraint), "%s", name == NULL ? "" : name);
    PQclear(failed);
    if (why->class == YB_TEMP)
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
conn_has(const struct yb_db_conn *c, const struct yb_db_statement *st)
{
    for (size_t i = 0; i < c->n_prepared; i++) {
        if (c->prepared[i] == st)
            return true;
    }
    return false;
}

static int
conn_prepare(struct yb_db_conn *c, const struct yb_db_statement *st, struct yb_err *err)
{
    struct yb_err why = { 0 };
    PGresult *failed = NULL;

    if (conn_has(c, st))
        return 0;
    yb_assert(c->n_prepared < YB_DB_MAX_PREPARED);
    if (PQsendPrepare(c->pg, st->name, st->sql, 0, NULL) != 1) {
        yb_pq_fail(c->pg, NULL, &why);
        return conn_failed(c, NULL, &why, err);
    }
    if (yb_pq_finish(c->pg, conn_deadline(c), NULL, &failed, &why) < 0)
        return conn_failed(c, failed, &why, err);
    c->prepared[c->n_prepared++] = st;
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

int
yb_db_run(struct yb_db_conn *c, const struct yb_db_statement *st, const struct yb_db_params *p,
          struct yb_db_result **out, struct yb_err *err)
{
    struct yb_err why = { 0 };
    PGresult *r = NULL, *failed = NULL;

    c->sqlstate[0] = c->constraint[0] = '\0';
    if (conn_prepare(c, st, err) < 0)
        return -1;
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

/* Reads the results of n statements sent in a pipeline, and the sync behind them. */
static int
pipeline_read(struct yb_db_conn *c, size_t n, struct yb_db_result **out, struct yb_err *err)
{
    struct yb_deadline by = conn_deadline(c);
    struct yb_err why = { 0 };
    PGresult *r;

    for (size_t i = 0; i < n; i++) {
        PGresult *one = NULL, *failed = NULL;

        if (yb_pq_finish(c->pg, by, &one, &failed, &why) < 0)
            return conn_failed(c, failed, &why, err);
        out[i] = yb_db_result_new(one);
    }
    if (yb_pq_result(c->pg, by, &r, &why) < 0)
        return conn_failed(c, NULL, &why, err);
    if (PQresultStatus(r) != PGRES_PIPELINE_SYNC) {
        yb_pq_fail(c->pg, r, &why);
        return conn_failed(c, r, &why, err);
    }
    PQclear(r);
    return 0;
}

static int
pipeline_run(struct yb_db_conn *c, const struct yb_db_statement *st, const struct yb_db_params *p,
             size_t n, struct yb_db_result **out, struct yb_err *err)
{
    struct yb_err why = { 0 };
    bool sent = PQenterPipelineMode(c->pg) == 1;
    int rc;

    for (size_t i = 0; i < n && sent; i++)
        sent = conn_send(c, st, &p[i]);
    if (!sent || PQpipelineSync(c->pg) != 1) {
        yb_pq_fail(c->pg, NULL, &why);
        return conn_failed(c, NULL, &why, err);
    }
    if (yb_pq_flush(c->pg, conn_deadline(c), &why) < 0)
        return conn_failed(c, NULL, &why, err);
    rc = pipeline_read(c, n, out, err);
    /* After an error the rest of the pipeline is still on its way: the connection, still in
     * pipeline mode, will be closed. */
    if (rc == 0 && PQexitPipelineMode(c->pg) != 1)
        c->broken = true;
    return rc;
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
    rc = conn_prepare(c, st, err);
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
    if (yb_db_conn_take(db, c, err) < 0)
        return -1;
    if (yb_db_run_sql(*c, "BEGIN", err) < 0) {
        yb_db_conn_give(c);
        return -1;
    }
    return 0;
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
    rc = conn_exec(*c, "COMMIT", err);
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
