/*
 * libpq with deadlines, for lib/db alone: connects to the first host that takes writes, sends and
 * waits without ever blocking longer than it may, and turns failures into struct yb_err. A timeout
 * is told by err->sys == ETIMEDOUT.
 */
#ifndef YB_DB_CONNECT_H
#define YB_DB_CONNECT_H

#include "lib/base/clock.h"
#include "lib/base/err.h"

#include <libpq-fe.h>

struct yb_db_hosts;

/* Takes a connection string apart. A bad one is told by every connect. */
struct yb_db_hosts *yb_db_hosts_new(const char *conninfo, const char *application) YB_MUST_USE;
void yb_db_hosts_free(struct yb_db_hosts **h);
/*
 * Connects, non-blocking mode set, to the host that served last, then to the others: each gets its
 * share of the time, so that a black hole does not hide the host behind it. What stands against it is
 * YB_TEMP; YB_ERR_CONFIG where none of them takes us as we are set up. Thread safe.
 */
PGconn *yb_db_hosts_connect(struct yb_db_hosts *h, struct yb_deadline by,
                            struct yb_err *err) YB_MUST_USE;

/* Sends what is queued; reads meanwhile, so that two full sockets cannot wait for each other. */
int yb_pq_flush(PGconn *pg, struct yb_deadline by, struct yb_err *err) YB_MUST_USE;
/* The next result; *out is NULL at the end of a statement's results. */
int yb_pq_result(PGconn *pg, struct yb_deadline by, PGresult **out, struct yb_err *err) YB_MUST_USE;
/* Sent already: all results up to the end. The first error wins; *out (may be NULL) gets the last
 * good result. `failed` (may be NULL) gets the result that failed, for PQclear(). */
int yb_pq_finish(PGconn *pg, struct yb_deadline by, PGresult **out, PGresult **failed,
                 struct yb_err *err) YB_MUST_USE;
/* Simple protocol: any number of statements without parameters. */
int yb_pq_exec(PGconn *pg, const char *sql, struct yb_deadline by, PGresult **failed,
               struct yb_err *err) YB_MUST_USE;
/* What went wrong, by SQLSTATE; `r` NULL: the connection. Returns -1. */
int yb_pq_fail(PGconn *pg, const PGresult *r, struct yb_err *err);

#endif
