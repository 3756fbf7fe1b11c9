/*
 * Migrations of the schema: numbered files, forward only, each in a transaction of its own that
 * also records it. Run by `yubin schema migrate` on a connection of a superuser or, where no file
 * asks for more, of a member of yubin_owner. A file is run as yubin_owner; one that begins with the
 * line `-- run-as: connecting role` is run as the role that connected: it makes roles.
 *
 * Two kinds are no single transaction, and can be killed anywhere and run again:
 *
 *   -- run: repeated   one SELECT that does a batch and answers how many rows it did; each batch is a
 *                      transaction, the one that did none records the file
 *   -- run: alone      statements that no transaction can hold, each ends with its line and does nothing
 *                      where it was done (CREATE INDEX CONCURRENTLY IF NOT EXISTS, in this spelling: an
 *                      invalid index of that name is dropped before it); the record is locked by a
 *                      second connection
 */
#ifndef YB_DB_MIGRATE_H
#define YB_DB_MIGRATE_H

#include "lib/base/err.h"

struct yb_migrate_report {
    unsigned applied; /* files run now */
    unsigned already; /* files that had been run before */
    int last;         /* highest number in the database now, 0: none */
};

/* Called before each file is run; of one that is repeated before each batch, with the rows that were
 * done in this run. */
typedef void yb_migrate_told(void *arg, const char *file, uint64_t rows);

/*
 * Runs what `dir` (NNNN_name.sql) holds and the database does not. One at a time, by a lock of the
 * record, which only its owner can take. Refuses with YB_PERM, having changed nothing, when a file
 * that was applied has changed or is missing, when a number comes twice, or when the database is
 * newer than the files. `told` may be NULL. *report tells what was done, also on -1.
 */
int yb_db_migrate(const char *conninfo, const char *dir, yb_migrate_told *told, void *arg,
                  struct yb_migrate_report *report, struct yb_err *err) YB_MUST_USE;

/*
 * Behind a migration: makes the table setting_keys what the registry says (`keys`: the JSON of
 * yb_settings_registry()). Nothing changes where it says that already, or
 * where the files that were run are from before that table. Needs what migrations do.
 */
int yb_db_setting_keys(const char *conninfo, const char *keys, struct yb_err *err) YB_MUST_USE;

#endif
