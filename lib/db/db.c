/*
 * The pool. A connection is idle on the pool's stack or in one thread's hand; the gate bounds how
 * many are in hand, so the stack never holds more than `connections`. To make one costs the server
 * as much as a hundred answers (a process of its own, its catalogs, its functions read anew), so it
 * grows one by one, and only when there were too few for a while on end: a burst after a start is
 * answered by the first connection while it would still be waiting for the eighth.
 */
#include "lib/db/db.h"

#include "lib/db/connect.h"
#include "lib/db/result.h"
#include "lib/net/gate.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#define DEFAULT_CONNECTIONS 8
#define DEFAULT_DEADLINE_MS 3000
#define DEFAULT_GROW_AFTER_MS 50
/* After a connect that failed, everybody fails at once for so long: a stopped server is not asked
 * again for every recipient. */
#define CONNECT_PAUSE_MS 250
/* The client waits a little longer than the server works, to hear it say so. */
#define CLIENT_MS 200
#define QUERY_CANCELED "57014" /* by statement_timeout */
#define MAX_PREPARED 64
/* Statements of one pipeline before its results are read. */
#define PIPELINE_MAX 128

struct yb_db_conn {
    PGconn *pg;
    struct yb_db *db;
    int64_t deadline_ms;
    bool broken;    /* not to be used again */
    bool timed_out; /* for the gate's breaker */
    const struct yb_db_statement *prepared[MAX_PREPARED];
    size_t n_prepared;
    char sqlstate[6], constraint[64]; /* of the last failure */
};

struct yb_db {
    struct yb_db_hosts *hosts;
    struct yb_gate *gate;
    int64_t deadline_ms, grow_after_ms;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t moved; /* one came back, or is made or could not be */
    struct yb_db_conn **idle;
    size_t n_idle, n_open; /* those in hand are open, too */
    bool making;           /* somebody makes one */
    size_t n_waiting;
    int64_t short_since_ms; /* since then every caller has waited, or left one waiting; 0: no */
    int64_t pause_until_ms;
    struct yb_err pause_err;
};

struct yb_db *
yb_db_new(const struct yb_db_conf *conf)
{
    struct yb_db *db = yb_alloc(1, sizeof(*db));
    unsigned n = conf->connections > 0 ? conf->connections : DEFAULT_CONNECTIONS;
    struct yb_gate_conf gate = {
        .name = "database", .inside = n, .wait_ms = 250, .break_after = 5, .open_ms = 5000
    };

    db->deadline_ms = conf->deadline_ms > 0 ? conf->deadline_ms : DEFAULT_DEADLINE_MS;
    db->hosts = yb_db_hosts_new(conf->conninfo, conf->application);
    db->gate = yb_gate_new(&gate);
    db->idle = yb_alloc(n, sizeof(struct yb_db_conn *));
    db->grow_after_ms = conf->grow_after_ms > 0 ? conf->grow_after_ms : DEFAULT_GROW_AFTER_MS;
    pthread_mutex_init(&db->lock, NULL);
    yb_clock_cond_init(&db->moved);
    return db;
}

static void
conn_close(struct yb_db_conn *c)
{
    PQfinish(c->pg);
    yb_free(c);
}

void
yb_db_free(struct yb_db **db)
{
    if (*db == NULL)
        return;
    while ((*db)->n_idle > 0)
        conn_close((*db)->idle[--(*db)->n_idle]);
    yb_db_hosts_free(&(*db)->hosts);
    yb_gate_free(&(*db)->gate);
    pthread_cond_destroy(&(*db)->moved);
    pthread_mutex_destroy(&(*db)->lock);
    yb_free((*db)->idle);
    yb_free(*db);
    *db = NULL;
}

/* An idle connection says nothing: what can be read is its end, with a last word before it. */
static bool
conn_alive(struct yb_db_conn *c)
{
    struct pollfd p = { .fd = PQsocket(c->pg), .events = POLLIN };

    while (poll(&p, 1, 0) > 0) {
        if (PQconsumeInput(c->pg) != 1)
            return false;
    }
    return PQstatus(c->pg) == CONNECTION_OK && PQtransactionStatus(c->pg) == PQTRANS_IDLE;
}

/* One of the pool's that is not to be used again. */
static void
conn_drop(struct yb_db *db, struct yb_db_conn *c)
{
    conn_close(c);
    pthread_mutex_lock(&db->lock);
    db->n_open--;
    pthread_cond_broadcast(&db->moved);
    pthread_mutex_unlock(&db->lock);
}

/* lock held: how long a caller who finds none waits for one before it is his turn to make it. */
static int64_t
left_to_wait(const struct yb_db *db, struct yb_deadline end)
{
    if (db->making)
        return yb_deadline_left(end);
    if (db->n_open == 0)
        return 0;
    return db->short_since_ms == 0 ? db->grow_after_ms
                                   : db->short_since_ms + db->grow_after_ms - yb_clock_ms();
}

/* lock held: sleeps until there may be one. */
static void
wait_for_one(struct yb_db *db, int64_t most_ms)
{
    struct timespec until = yb_clock_wait(most_ms);

    if (db->short_since_ms == 0)
        db->short_since_ms = yb_clock_ms();
    db->n_waiting++;
    (void)pthread_cond_timedwait(&db->moved, &db->lock, &until);
    db->n_waiting--;
}

/* One from the stack; or NULL, and it is the caller's turn to make one (`making` is set). -1: the
 * one that is being made takes too long. */
static int
idle_take(struct yb_db *db, struct yb_db_conn **out, struct yb_err *err)
{
    struct yb_deadline end = yb_deadline_in(db->deadline_ms);
    int64_t left;
    int rc = 0;

    *out = NULL;
    pthread_mutex_lock(&db->lock);
    if (db->n_idle > 0 && db->n_waiting == 0)
        db->short_since_ms = 0;
    while (db->n_idle == 0 && (left = left_to_wait(db, end)) > 0)
        wait_for_one(db, left);
    if (db->n_idle > 0)
        *out = db->idle[--db->n_idle];
    else if (db->making)
        rc = yb_err_inside(err, YB_TEMP, "4.3.0", "no connection to the database in time");
    else
        db->making = true;
    pthread_mutex_unlock(&db->lock);
    if (rc < 0 && err != NULL)
        err->sys = ETIMEDOUT;
    return rc;
}

static struct yb_db_conn *
conn_open(struct yb_db *db, struct yb_err *err)
{
    struct yb_err why = { 0 };
    struct yb_db_conn *c;
    bool paused;
    PGconn *pg;

    pthread_mutex_lock(&db->lock);
    paused = yb_clock_ms() < db->pause_until_ms;
    why = db->pause_err;
    pthread_mutex_unlock(&db->lock);
    pg = paused ? NULL : yb_db_hosts_connect(db->hosts, yb_deadline_in(db->deadline_ms), &why);
    if (pg == NULL) {
        if (paused) {
            why.sys = 0; /* nobody waited */
        } else {
            pthread_mutex_lock(&db->lock);
            db->pause_until_ms = yb_clock_ms() + CONNECT_PAUSE_MS;
            db->pause_err = why;
            pthread_mutex_unlock(&db->lock);
        }
        if (err != NULL)
            *err = why;
        return NULL;
    }
    c = yb_alloc(1, sizeof(*c));
    c->pg = pg;
    c->db = db;
    return c;
}

/* The server ends a statement that nobody waits for any more by itself. */
static struct yb_db_conn *
conn_new(struct yb_db *db, struct yb_err *err)
{
    struct yb_db_conn *c = conn_open(db, err);
    PGresult *failed = NULL;
    char sql[80];

    if (c == NULL)
        return NULL;
    snprintf(sql, sizeof(sql), "SET statement_timeout = %lld", (long long)db->deadline_ms);
    if (yb_pq_exec(c->pg, sql, yb_deadline_in(db->deadline_ms), &failed, err) < 0) {
        PQclear(failed);
        conn_close(c);
        return NULL;
    }
    return c;
}

/* A connection that lives, from the stack or new. */
static struct yb_db_conn *
conn_get(struct yb_db *db, struct yb_err *err)
{
    struct yb_db_conn *c;

    do {
        if (idle_take(db, &c, err) < 0)
            return NULL;
        if (c != NULL && conn_alive(c))
            return c;
        if (c != NULL)
            conn_drop(db, c);
    } while (c != NULL);
    c = conn_new(db, err);
    pthread_mutex_lock(&db->lock);
    db->making = false;
    db->short_since_ms = 0; /* whether it is enough shows from now on */
    db->n_open += c != NULL;
    pthread_cond_broadcast(&db->moved);
    pthread_mutex_unlock(&db->lock);
    return c;
}

static int
conn_take(struct yb_db *db, struct yb_db_conn **out, struct yb_err *err)
{
    struct yb_err why = { 0 };
    struct yb_db_conn *c;

    if (yb_gate_enter(db->gate, err) < 0)
        return -1;
    c = conn_get(db, &why);
    if (c == NULL) {
        yb_gate_leave(db->gate, why.sys == ETIMEDOUT ? YB_GATE_TIMEOUT : YB_GATE_FAILED);
        if (err != NULL)
            *err = why;
        return -1;
    }
    c->deadline_ms = db->deadline_ms + CLIENT_MS;
    c->timed_out = false;
    *out = c;
    return 0;
}

/* Gives the connection back; one that is not idle is closed. */
static void
conn_give(struct yb_db_conn **conn)
{
    struct yb_db_conn *c = *conn;
    struct yb_db *db = c->db;
    enum yb_gate_result result = c->timed_out ? YB_GATE_TIMEOUT
                                 : c->broken  ? YB_GATE_FAILED
                                              : YB_GATE_OK;

    *conn = NULL;
    if (c->broken || PQstatus(c->pg) != CONNECTION_OK ||
        PQpipelineStatus(c->pg) != PQ_PIPELINE_OFF || PQtransactionStatus(c->pg) != PQTRANS_IDLE) {
        conn_drop(db, c);
    } else {
        pthread_mutex_lock(&db->lock);
        db->idle[db->n_idle++] = c;
        pthread_cond_signal(&db->moved);
        pthread_mutex_unlock(&db->lock);
    }
    yb_gate_leave(db->gate, result);
}

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
    yb_assert(c->n_prepared < MAX_PREPARED);
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

    if (conn_take(db, &c, err) < 0)
        return -1;
    rc = yb_db_run(c, st, p, out, err);
    conn_give(&c);
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
    if (conn_take(db, &c, err) < 0)
        return -1;
    rc = conn_prepare(c, st, err);
    for (size_t i = 0; i < n && rc == 0; i += PIPELINE_MAX) {
        size_t piece = n - i < PIPELINE_MAX ? n - i : PIPELINE_MAX;

        rc = pipeline_run(c, st, p + i, piece, out + i, err);
    }
    conn_give(&c);
    for (size_t i = 0; i < n && rc < 0; i++)
        yb_db_result_free(&out[i]);
    return rc;
}

int
yb_db_begin(struct yb_db *db, struct yb_db_conn **c, struct yb_err *err)
{
    if (conn_take(db, c, err) < 0)
        return -1;
    if (yb_db_run_sql(*c, "BEGIN", err) < 0) {
        conn_give(c);
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
    conn_give(c);
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
    conn_give(c);
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
    c->deadline_ms = ms + CLIENT_MS;
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
