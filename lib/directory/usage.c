/* Reports of mailbox sizes. */
#include "lib/directory/usage.h"

#include "lib/directory/inside.h"

#define MAX_REPORT 10000

const struct yb_db_statement yb_usage_report_sql = {
    "directory_usage", "SELECT yubin.yb_report_sizes2($1::text, $2::bytea, $3::uuid[],"
                       " $4::bigint[], $5::bigint[], $6::bigint[], $7::boolean[])"
};
static const struct yb_db_statement room_sql = {
    "directory_room", "SELECT yubin.yb_report_room($1::text, $2::bytea, $3::bigint)"
};

static int64_t
bounded(uint64_t n)
{
    return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

void
yb_usage_report_params(struct yb_db_params *p, const char *store, const struct yb_node_id *node,
                       const struct yb_usage_report *usage, size_t n)
{
    uint8_t(*ids)[YB_ID_BYTES] = yb_alloc(n, sizeof(*ids));
    int64_t *figures = yb_alloc(3 * n, sizeof(*figures));
    bool *full = yb_alloc(n, sizeof(*full));

    yb_assert(n <= MAX_REPORT);
    for (size_t i = 0; i < n; i++) {
        memcpy(ids[i], usage[i].account.v, YB_ID_BYTES);
        figures[i] = bounded(usage[i].bytes);
        figures[n + i] = bounded(usage[i].messages);
        figures[2 * n + i] = bounded(usage[i].change);
        full[i] = usage[i].full;
    }
    yb_db_add_text(p, yb_str_from(store));
    yb_db_add_bytes(p, node->v, sizeof(node->v));
    yb_db_add_uuids(p, (const uint8_t(*)[YB_ID_BYTES])ids, n);
    for (size_t i = 0; i < 3; i++)
        yb_db_add_i64s(p, figures + i * n, n);
    yb_db_add_bools(p, full, n);
    yb_free(ids);
    yb_free(figures);
    yb_free(full);
}

int
yb_directory_report_usage(struct yb_directory *d, struct yb_store_id store,
                          const struct yb_usage_report *usage, size_t n, struct yb_err *err)
{
    struct yb_db_params p = { .n = 0 };
    char text[YB_ID_TEXT];
    int rc;

    if (n == 0)
        return 0;
    yb_usage_report_params(&p, yb_store_id_text(store, text), &d->node, usage, n);
    rc = yb_db_query(d->db, &yb_usage_report_sql, &p, NULL, err);
    yb_db_params_free(&p);
    return rc;
}

int
yb_directory_report_room(struct yb_directory *d, struct yb_store_id store, uint64_t room,
                         struct yb_err *err)
{
    struct yb_db_params p = { .n = 0 };
    char text[YB_ID_TEXT];

    yb_db_add_text(&p, yb_str_from(yb_store_id_text(store, text)));
    yb_db_add_bytes(&p, d->node.v, sizeof(d->node.v));
    yb_db_add_i64(&p, bounded(room));
    return yb_db_query(d->db, &room_sql, &p, NULL, err);
}
