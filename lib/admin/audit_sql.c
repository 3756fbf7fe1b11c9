/* Who did what to whom. */
#include "lib/admin/verb.h"

#include "lib/mime/address.h"

#define SHOWN 100 /* rows when nobody says how many */

/* clang-format off */
static const struct yb_db_statement list = { "audit_list",
    "SELECT coalesce(json_agg(r ORDER BY r.at, r.id), '[]') FROM ("
    " SELECT a.at, a.id, a.actor_name AS by, a.via, host(a.client) AS client, a.action, a.object, t.name AS tenant, "
    "        a.before, a.after, a.request_id FROM audit a LEFT JOIN tenants t USING (tenant_id) "
    "  WHERE ($1::text IS NULL OR lower(a.object) IN (lower($1), lower($7::text))) AND ($2::text IS NULL OR a.tenant_id IN "
    "        (SELECT x.tenant_id FROM tenants x WHERE x.name = $2 UNION ALL SELECT d.tenant_id FROM audit d "
    "          WHERE lower(d.object) = lower($2) AND d.action = 'tenant.delete')) AND ($3::text IS NULL OR a.actor_name = $3) "
    "    AND ($4::text IS NULL OR a.at >= $4::timestamptz) AND ($5::text IS NULL OR a.at < $5::timestamptz) "
    "  ORDER BY a.at DESC, a.id DESC LIMIT $6::integer) r" };
/* clang-format on */

/* The name as rows have it: domains in A-labels. What is no address may be a domain, or not. */
static struct yb_str
object_of(struct yb_admin_tx *tx, struct yb_str text)
{
    struct yb_admin_name n;
    struct yb_err ignored = { 0 };
    struct yb_str domain;

    if (yb_admin_name_parse(text, tx->arena, &n, &ignored) == 0)
        return yb_arena_printf(tx->arena, "%.*s@%.*s", YB_STR_ARG(n.written), YB_STR_ARG(n.domain));
    return yb_domain_normal(text, tx->arena, &domain, &ignored) == 0 ? domain : text;
}

int
yb_admin_audit_list(struct yb_admin_tx *tx, const struct yb_admin_audit *f, json_t **out,
                    struct yb_err *err)
{
    struct yb_db_params q = { 0 };
    json_t *row;
    size_t i;

    yb_admin_add(&q, f->object);
    yb_admin_add(&q, f->tenant);
    yb_admin_add(&q, f->actor);
    yb_admin_add(&q, f->since);
    yb_admin_add(&q, f->until);
    yb_db_add_i32(&q, (int32_t)(f->limit == 0 ? SHOWN : f->limit));
    yb_admin_add(&q, f->object.p == NULL ? f->object : object_of(tx, f->object));
    if (yb_admin_ask(tx, &list, &q, "audit", out, err) < 0)
        return -1;
    json_array_foreach(*out, i, row) json_object_del(row, "id");
    return 0;
}
