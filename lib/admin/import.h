/*
 * An import's rows, between its lines (import_lines.c) and the database (import_sql.c): inside
 * lib/admin.
 */
#ifndef YB_ADMIN_IMPORT_H
#define YB_ADMIN_IMPORT_H

#include "lib/admin/words.h"

#include <stdatomic.h>

/* An account that is to be made. What is empty was not said: p is NULL. */
struct yb_import_row {
    size_t line;
    struct yb_account_id account;
    struct yb_admin_name name;
    struct yb_str display, verifier, password, store;
    struct yb_str *targets, *keys;
    size_t n_targets;
    uint64_t quota;
    bool keep_copy;
};

struct yb_import_rows {
    struct yb_admin_import *import;
    struct yb_arena *arena;
    struct yb_import_row *v;           /* as the lines came */
    struct yb_import_row **by_address; /* how they go into the database */
    size_t n, room, bad;
    bool more;                   /* bad ones than were told */
    _Atomic size_t next, hashed; /* for the threads */
};

/* A line that cannot be taken is told, and counted. */
void yb_import_problem(struct yb_import_rows *rows, size_t line, const char *text);
/* Every line of the file, of at most 64 KiB each; texts lie in rows->arena. -1: it cannot be read. */
int yb_import_read(struct yb_import_rows *rows, int fd, struct yb_err *err) YB_MUST_USE;

#endif
