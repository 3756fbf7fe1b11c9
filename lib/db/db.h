/*
 * PostgreSQL: a pool of connections, named statements, transactions, pipelines. Thread safe; a
 * connection in hand (struct yb_db_conn) belongs to one thread. Every step has a deadline, callers
 * wait behind the pool's gate. A lost, away or slow database is YB_TEMP 4.3.0 and never anything
 * else; a constraint, a limit or a bad value is YB_PERM; what only our own mistake can cause is
 * YB_BUG. A connection that does not come back idle is closed.
 *
 *   SQLSTATE            class  kind
 *   40001, 40P01        TEMP   YB_ERR_CONFLICT   serialization failure, deadlock: the same again
 *   55P03               TEMP   YB_ERR_IN_USE     a lock was not to be had within lock_timeout
 *   08 25 40 53 55 57   TEMP   YB_ERR_OTHER      so does one without a SQLSTATE, the connection's end;
 *   58 XX 0A000                                  57014 by statement_timeout: err->sys is ETIMEDOUT
 *   28 3D000            TEMP   YB_ERR_CONFIG     of a connection: every server says that the role, its
 *                                                password or the database is not right; so is a
 *                                                connection string that cannot be read
 *   YB001               PERM   YB_ERR_LIMIT      raised by our functions, for everybody to read: over
 *                                                a limit
 *   YB002               PERM   YB_ERR_DENIED     so, too: who asks may not do this
 *   YB003               PERM   YB_ERR_VALUE      so, too: not a value there, nor for who asks
 *   YB004               PERM   YB_ERR_NOT_FOUND  so, too: no such thing
 *   YB005               PERM   YB_ERR_CANNOT     so, too: not as things are now
 *   YB…                 PERM   YB_ERR_OTHER      so, too
 *   23505               PERM   YB_ERR_EXISTS     unique violation
 *   23503, 23001        PERM   YB_ERR_REFERENCE  foreign key violation: yb_db_constraint() and what was
 *                                                asked for tell whether it is missing or in use
 *   23 22               PERM   YB_ERR_VALUE      other constraints, bad values
 *   others              BUG    YB_ERR_OTHER      42501 among them: a right that is missing in our schema
 *                                                is our mistake, and must not refuse mail for good
 *
 * After the three of CONFLICT and IN_USE the connection is kept, as after PERM and BUG; all other TEMP
 * end it. In a transaction each of them leaves a rollback as the only way on.
 *
 * SQL text is constant: struct yb_db_statement objects, prepared at first use on each connection.
 */
#ifndef YB_DB_DB_H
#define YB_DB_DB_H

#include "lib/base/err.h"
#include "lib/base/id.h"
#include "lib/base/str.h"

struct yb_db;
struct yb_db_conn;
struct yb_db_result;

struct yb_db_conf {
    const char *conninfo;    /* libpq string or URI; several hosts are tried in turn, the one that
                                takes writes is used */
    const char *application; /* application_name */
    unsigned connections;    /* at most; 0: 8 */
    int64_t deadline_ms;     /* of a connect, and of a statement; 0: 3000 */
    int64_t grow_after_ms;   /* too few for so long on end: one more is made; 0: 50 */
};

/* Opens nothing. Copies *conf. */
struct yb_db *yb_db_new(const struct yb_db_conf *conf) YB_MUST_USE;
/* No connection may be in hand any more. */
void yb_db_free(struct yb_db **db);

/* To keep one costs the server's process 30 to 60 KiB (parsed, rewritten, planned; measured with ours):
 * so it takes 16 MiB at the very most, however many questions a program has. */
#define YB_DB_PREPARED_MOST 256

/*
 * One question. `name` is unique in the program and names the prepared statement. A connection knows
 * statements by their address: one that is no constant lives, unchanged, until after yb_db_free().
 * There may be any number; of those used on a connection it keeps the YB_DB_PREPARED_MOST used last.
 */
struct yb_db_statement {
    const char *name; /* at most 63 octets */
    const char *sql;  /* $1 … $n */
};

/*
 * Parameters, in order, all in binary, so the statement must say types that fit: `$1::text`,
 * `$2::bigint`; other types are made from these (`$3::text::jsonb`, `to_timestamp($4::bigint)`).
 * They point at the caller's bytes, which must stay until the call that uses them is over, or into
 * the struct, which must not be copied; arrays are encoded into memory of their own:
 * yb_db_params_free() at the end.
 */
#define YB_DB_MAX_PARAMS 24
struct yb_db_params {
    int n;
    const char *value[YB_DB_MAX_PARAMS];
    int length[YB_DB_MAX_PARAMS];
    char small[YB_DB_MAX_PARAMS][8];
    char *owned[YB_DB_MAX_PARAMS];
};
/* text. */
void yb_db_add_text(struct yb_db_params *p, struct yb_str s);
/* bytea, uuid. */
void yb_db_add_bytes(struct yb_db_params *p, const void *bytes, size_t n);
/* bigint, integer, boolean. */
void yb_db_add_i64(struct yb_db_params *p, int64_t v);
void yb_db_add_i32(struct yb_db_params *p, int32_t v);
void yb_db_add_bool(struct yb_db_params *p, bool v);
void yb_db_add_null(struct yb_db_params *p);
/* One-dimensional arrays: text[], uuid[] (n ids of 16 bytes each, in a row), bigint[], boolean[].
 * A text whose `p` is NULL becomes NULL. */
void yb_db_add_texts(struct yb_db_params *p, const struct yb_str *v, size_t n);
void yb_db_add_uuids(struct yb_db_params *p, const uint8_t (*v)[16], size_t n);
void yb_db_add_i64s(struct yb_db_params *p, const int64_t *v, size_t n);
void yb_db_add_bools(struct yb_db_params *p, const bool *v, size_t n);
/* Frees the arrays and makes it empty again. */
void yb_db_params_free(struct yb_db_params *p);

/* Runs one statement on any connection. *out (NULL: not wanted) is for yb_db_result_free(). */
int yb_db_query(struct yb_db *db, const struct yb_db_statement *st, const struct yb_db_params *p,
                struct yb_db_result **out, struct yb_err *err) YB_MUST_USE;
/*
 * Runs the statement once for each of the n parameter sets, in one pipeline. All or nothing:
 * on -1 no result is left. Not a transaction.
 */
int yb_db_query_many(struct yb_db *db, const struct yb_db_statement *st,
                     const struct yb_db_params *p, size_t n, struct yb_db_result **out,
                     struct yb_err *err) YB_MUST_USE;

/* A transaction: begin, run …, then commit or roll back; both give the connection back and set *c
 * to NULL. After a failed commit nobody knows whether it happened, unless the server answered: PERM and
 * YB_ERR_CONFLICT say that it did not. */
int yb_db_begin(struct yb_db *db, struct yb_db_conn **c, struct yb_err *err) YB_MUST_USE;
/* How a transaction begins; what is 0 or NULL is as it would be without. The time-outs end with it. */
struct yb_db_how {
    int64_t deadline_ms; /* of each statement; 0: the pool's */
    int64_t lock_ms;     /* of waiting for a lock; 0: as the server has it, so the statement's */
    const struct yb_db_statement
        *enter;                        /* the first statement in it: who asks, what is asked for */
    const struct yb_db_params *params; /* of `enter` */
};
/*
 * BEGIN, the time-outs and `enter` in one round trip, the time-outs holding for `enter` already.
 * *out (NULL: not wanted) is what `enter` answered; NULL without one. When any of it fails, *c is NULL
 * and nothing is left open: the connection is rolled back and goes on to others.
 */
int yb_db_begin_as(struct yb_db *db, const struct yb_db_how *how, struct yb_db_conn **c,
                   struct yb_db_result **out, struct yb_err *err) YB_MUST_USE;
int yb_db_run(struct yb_db_conn *c, const struct yb_db_statement *st, const struct yb_db_params *p,
              struct yb_db_result **out, struct yb_err *err) YB_MUST_USE;
/* A constant of SQL that is not worth preparing (CREATE TEMPORARY TABLE …); several are allowed. */
int yb_db_run_sql(struct yb_db_conn *c, const char *sql, struct yb_err *err) YB_MUST_USE;
/* COPY … FROM STDIN: begin, any number of pieces, end. */
int yb_db_copy_begin(struct yb_db_conn *c, const char *sql, struct yb_err *err) YB_MUST_USE;
int yb_db_copy_data(struct yb_db_conn *c, struct yb_str piece, struct yb_err *err) YB_MUST_USE;
int yb_db_copy_end(struct yb_db_conn *c, struct yb_err *err) YB_MUST_USE;
/* For statements that may take longer than the pool's deadline (imports); in a transaction, until
 * its end. A failure shows at the next statement. */
void yb_db_set_deadline(struct yb_db_conn *c, int64_t ms);
int yb_db_commit(struct yb_db_conn **c, struct yb_err *err) YB_MUST_USE;
void yb_db_rollback(struct yb_db_conn **c);
/* SQLSTATE of the last failed statement on this connection ("23505"), and the name of the
 * constraint it broke; "" when there was none. Valid until the next statement. */
const char *yb_db_sqlstate(const struct yb_db_conn *c);
const char *yb_db_constraint(const struct yb_db_conn *c);

/* Rows come in binary. Accessors copy nothing; they live as long as the result. A NULL reads as
 * empty, 0 or false. A column of another type than asked for is our bug and aborts. */
void yb_db_result_free(struct yb_db_result **r);
size_t yb_db_rows(const struct yb_db_result *r);
/* Rows an INSERT, UPDATE or DELETE touched. */
uint64_t yb_db_affected(const struct yb_db_result *r);
bool yb_db_is_null(const struct yb_db_result *r, size_t row, unsigned column);
/* text, varchar, bytea, json as text: its bytes. */
struct yb_str yb_db_str(const struct yb_db_result *r, size_t row, unsigned column);
/* smallint, integer, bigint. */
int64_t yb_db_i64(const struct yb_db_result *r, size_t row, unsigned column);
bool yb_db_bool(const struct yb_db_result *r, size_t row, unsigned column);
/* Exactly n bytes of a uuid or bytea into to; zeros for NULL. */
void yb_db_bytes(const struct yb_db_result *r, size_t row, unsigned column, void *to, size_t n);
/* Walks a text[]: *at = 0 at first; false at its end. NULLs inside read as empty. */
bool yb_db_text_next(const struct yb_db_result *r, size_t row, unsigned column, size_t *at,
                     struct yb_str *out);

#endif
