/* Results, for lib/db alone. */
#ifndef YB_DB_RESULT_H
#define YB_DB_RESULT_H

#include "lib/db/db.h"

#include <libpq-fe.h>

/* Takes the PGresult over. */
struct yb_db_result *yb_db_result_new(PGresult *pg) YB_MUST_USE;
/*
 * Walks the binary form of a text[] (one dimension or none): *at = 0 at first. 1: *out is the next
 * element (empty for NULL), 0: the end, -1: not such an array.
 */
int yb_db_array_next(struct yb_str array, size_t *at, struct yb_str *out) YB_MUST_USE;

#endif
