/*
 * The report of mailbox sizes as a statement, for whoever has a connection: the directory's own, or
 * that of `yubin store check`.
 */
#ifndef YB_DIRECTORY_USAGE_H
#define YB_DIRECTORY_USAGE_H

#include "lib/db/db.h"
#include "lib/directory/directory.h"

extern const struct yb_db_statement yb_usage_report_sql;
/* Its parameters; at most 10 000 at once. The caller frees them, and keeps *node and the store's id as
 * text until then. */
void yb_usage_report_params(struct yb_db_params *p, const char *store,
                            const struct yb_node_id *node, const struct yb_usage_report *usage,
                            size_t n);

#endif
