/*
 * The pool. A connection is idle on the pool's stack or in one thread's hand; the gate bounds how
 * many are in hand, so the stack never holds more than `connections`. To make one costs the server
 * as much as a hundred answers (a process of its own, its catalogs, its functions read anew), so it
 * grows one by one, and only when there were too few for a while on end: a burst after a start is
 * answered by the first connection while it would still be waiting for the eighth.
 */
#include "lib/db/conn.h"
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
    yb_db_prepared_free(&c->prepared);
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

int
yb_db_conn_take(struct yb_db *db, struct yb_db_conn **out, struct yb_err *err)
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
    c->deadline_ms = db->deadline_ms + YB_DB_CLIENT_MS;
    c->timed_out = false;
    *out = c;
    return 0;
}

void
yb_db_conn_give(struct yb_db_conn **conn)
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
