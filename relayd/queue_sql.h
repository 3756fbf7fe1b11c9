/*
 * The writing connection to queue.db, and every statement that changes it. The writer's thread alone
 * uses it once that runs; the start of the daemon before. The reading connections are look_sql.h's,
 * the scan at the start is scan_sql.h's.
 */
#ifndef RELAYD_QUEUE_SQL_H
#define RELAYD_QUEUE_SQL_H

#include "relayd/queue.h"
#include "relayd/sql.h"

struct relayd_db;

#define RELAYD_PAGE 4096

/*
 * Opens, or makes, queue.db in the folder: settings set and read back, tables, the node's name.
 * *fresh: it was made now. *unclean: the machine went down while it was open. -1: YB_TEMP, with what to do in the
 * text.
 */
int relayd_db_open(const char *dir, struct yb_node_id node, uint64_t wal_bytes,
                   struct relayd_db **db, bool *fresh, bool *unclean,
                   struct yb_err *err) YB_MUST_USE;
/* `clean`: after an orderly end; that is written down. Writes the log back. */
void relayd_db_close(struct relayd_db **db, bool clean);
/* For scan_sql.c. */
struct sqlite3 *relayd_db_handle(const struct relayd_db *db);
/* The first number that no message ever had. */
uint64_t relayd_db_next(const struct relayd_db *db);
/* Is there anything of message m, believed or not? 1 yes, 0 no, -1 with *err. */
int relayd_db_has_rows(struct relayd_db *db, uint64_t m, struct yb_err *err) YB_MUST_USE;

enum relayd_fate relayd_db_begin(struct relayd_db *db, struct yb_err *err) YB_MUST_USE;
/* REFUSED and FULL: nothing of it is there, then or later. */
enum relayd_fate relayd_db_commit(struct relayd_db *db, struct yb_err *err) YB_MUST_USE;
void relayd_db_rollback(struct relayd_db *db);

/* The row of a message and its body's; `octets` is empty when that is a file. */
enum relayd_fate relayd_db_message(struct relayd_db *db, const struct relayd_message *m,
                                   struct yb_str head, struct yb_str octets,
                                   struct yb_err *err) YB_MUST_USE;
/* One of its recipients, as number n. */
enum relayd_fate relayd_db_recipient(struct relayd_db *db, uint64_t m, uint32_t n,
                                     const struct relayd_recipient *r,
                                     struct yb_err *err) YB_MUST_USE;
/* State, reason, attempts, next and the last answer of m.n, if that is there. */
enum relayd_fate relayd_db_change(struct relayd_db *db, uint64_t m, uint32_t n,
                                  const struct relayd_recipient *r, struct yb_err *err) YB_MUST_USE;

/* What a row that was taken out said. */
struct relayd_removed {
    bool found;
    bool named; /* it had a delivery id */
    struct yb_delivery_id delivery;
    struct yb_tenant_id tenant;
};
enum relayd_fate relayd_db_remove(struct relayd_db *db, uint64_t m, uint32_t n,
                                  struct relayd_removed *out, struct yb_err *err) YB_MUST_USE;
/* The same of a message, which goes when no recipient is left. */
struct relayd_ended {
    bool gone, file;
    struct yb_message_id mid;
    struct yb_tenant_id tenant;
    uint64_t size;
};
enum relayd_fate relayd_db_end(struct relayd_db *db, uint64_t m, struct relayd_ended *out,
                               struct yb_err *err) YB_MUST_USE;
enum relayd_fate relayd_db_done(struct relayd_db *db, uint64_t s, struct yb_delivery_id id,
                                struct yb_err *err) YB_MUST_USE;
/* Takes rows of `done` up to `upto` out, at most `most` of them, and tells each. */
enum relayd_fate relayd_db_prune(struct relayd_db *db, uint64_t upto, size_t most,
                                 void (*each)(void *arg, uint64_t s, struct yb_delivery_id id),
                                 void *arg, struct yb_err *err) YB_MUST_USE;

/* Bytes that stand in the log. */
uint64_t relayd_db_wal_bytes(const struct relayd_db *db);
/* Writes the log back, so that it begins anew; between transactions. *all: nothing was in the way. */
enum relayd_fate relayd_db_checkpoint(struct relayd_db *db, bool *all,
                                      struct yb_err *err) YB_MUST_USE;
/* Is so much of the file unused that some of it should be given back? `needed`: any of it helps. */
bool relayd_db_loose(struct relayd_db *db, bool needed);
/* Gives some of it back, in a transaction of its own. */
enum relayd_fate relayd_db_shrink(struct relayd_db *db, struct yb_err *err) YB_MUST_USE;

#endif
