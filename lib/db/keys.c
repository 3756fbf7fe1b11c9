/* The registry's rows in the database. */
#include "lib/db/connect.h"
#include "lib/db/migrate.h"

#define KEYS_MS 30000
#define TAKE "yubin.yb_setting_keys_take"

static int
take(PGconn *pg, const char *keys, struct yb_err *err)
{
    struct yb_deadline by = yb_deadline_in(KEYS_MS);
    const char *values[] = { keys };
    PGresult *failed = NULL, *there = NULL;
    int rc = -1;

    if (PQsendQuery(pg, "SELECT to_regprocedure('" TAKE "(jsonb)') IS NULL") != 1 ||
        yb_pq_finish(pg, by, &there, &failed, err) < 0) {
        rc = there == NULL && failed == NULL ? yb_pq_fail(pg, NULL, err) : -1;
    } else if (*PQgetvalue(there, 0, 0) == 't') {
        rc = 0; /* of files from before it */
    } else if (yb_pq_exec(pg, "SET ROLE yubin_owner", by, &failed, err) == 0) {
        rc =
            PQsendQueryParams(pg, "SELECT " TAKE "($1::jsonb)", 1, NULL, values, NULL, NULL, 0) == 1
                ? yb_pq_finish(pg, by, NULL, &failed, err)
                : yb_pq_fail(pg, NULL, err);
    }
    PQclear(there);
    PQclear(failed);
    return rc;
}

int
yb_db_setting_keys(const char *conninfo, const char *keys, struct yb_err *err)
{
    struct yb_db_hosts *hosts = yb_db_hosts_new(conninfo, "yubin schema migrate");
    PGconn *pg = yb_db_hosts_connect(hosts, yb_deadline_in(10000), err);
    int rc = pg == NULL ? -1 : take(pg, keys, err);

    PQfinish(pg);
    yb_db_hosts_free(&hosts);
    return rc;
}
