/*
 * A private PostgreSQL for a test: made in a new folder of /tmp, reached by its socket there only,
 * and gone with the test. Needs the server's programs (/usr/lib/postgresql/NN/bin, or the folder in
 * YUBIN_PG_BIN); as root it runs them as the user postgres. Whatever fails here aborts the test.
 */
#ifndef YB_TESTS_CLUSTER_H
#define YB_TESTS_CLUSTER_H

#include "lib/base/base.h"

struct cluster;

/* Starts a server with an empty database "yubin". */
struct cluster *cluster_start(void) YB_MUST_USE;
/* Runs the migrations of schema/ and loads tests/fixtures.sql. */
void cluster_migrate(struct cluster *c);
/* Only those up to this number, and no fixtures: a state before. */
void cluster_migrate_until(struct cluster *c, int last);
/* The server dies as by pg_ctl stop -m immediate; cluster_resume() brings it back. */
void cluster_crash(struct cluster *c);
void cluster_resume(struct cluster *c);
/* SIGSTOP and SIGCONT to its postmaster and all its children: there, but silent. */
void cluster_freeze(struct cluster *c, bool frozen);
/* Stops the server and removes everything. */
void cluster_free(struct cluster **c);

/* A connection string; valid as long as the cluster. Roles by name, the superuser is "postgres". */
const char *cluster_conninfo(struct cluster *c, const char *user);
/*
 * Runs SQL as a role on a connection of its own. The first field of the last result as text, ""
 * when there is none; or the SQLSTATE of the error. Valid until the next call.
 */
const char *cluster_ask(struct cluster *c, const char *user, const char *sql);
/* The same as the superuser with fixtures in the search_path; must succeed. */
const char *cluster_sql(struct cluster *c, const char *fmt, ...) YB_PRINTF(2, 3);
/*
 * As cluster_ask(), in a transaction that has a scope, of yubin_api which is `role` in it, or of
 * yubin_operator: `scope` are the arguments of yb_scope_sign(), which nobody but the superuser may call. Ends with COMMIT or is undone.
 */
const char *cluster_scoped(struct cluster *c, const char *role, const char *scope, const char *sql);
/* The folder with the sources (schema/, tests/). */
const char *cluster_source(void);

#endif
