/* Tenants: their SQL, and the verbs over it. */
#include "lib/admin/list.h"
#include "lib/admin/verb.h"

#define NAME_MOST 200 /* octets; it is typed, and an index holds it */

/* clang-format off */
static const struct yb_db_statement ids = { "tenant_ids",
    "SELECT tenant_id, NULL::uuid, tenant_id, name FROM tenants WHERE name = $1::text AND $2::text = '' "
    "   FOR NO KEY UPDATE" };
/* To be removed: who adds something below it meanwhile holds it by its key, and its counts before. */
static const struct yb_db_statement ids_gone = { "tenant_ids_gone",
    "SELECT tenant_id, NULL::uuid, tenant_id, name FROM tenants WHERE name = $1::text AND $2::text = '' "
    "   AND (SELECT yb_counts_lock(x.tenant_id) FROM tenants x WHERE x.name = $1::text) FOR UPDATE" };
static const struct yb_db_statement card = { "tenant_card",
    "SELECT to_json(c) FROM tenant_cards c WHERE c.name = $1::text AND $2::text = ''" };
static const struct yb_db_statement add = { "tenant_add",
    "INSERT INTO tenants (name) VALUES ($1::text)" };
static const struct yb_db_statement suspend = { "tenant_suspend",
    "UPDATE tenants SET suspended_at = CASE WHEN $3::text = '' THEN NULL ELSE now() END, "
    "  suspended_reason = nullif($3, '') WHERE tenant_id = $1::uuid AND tenant_id = $2::uuid" };
static const struct yb_db_statement remove_one = { "tenant_delete",
    "DELETE FROM tenants WHERE tenant_id = $1::uuid AND tenant_id = $2::uuid" };
/* clang-format on */

const struct yb_admin_kind yb_admin_tenant_kind = {
    "tenant", &ids, &ids_gone, &card, &yb_admin_tenant_fields, "tenants", "tenant_id", false,
};

/* A name is shown in lists and logs, and typed again. */
static int
check_name(struct yb_admin_tx *tx, struct yb_str name, struct yb_err *err)
{
    if (name.n > NAME_MOST)
        return yb_admin_refuse(tx, YB_ERR_VALUE, "name", err,
                               "A tenant's name has at most %d octets", NAME_MOST);
    for (size_t i = 0; i < name.n; i++) {
        if ((unsigned char)name.p[i] < ' ' || name.p[i] == 127)
            return yb_admin_refuse(tx, YB_ERR_VALUE, "name", err,
                                   "A tenant's name holds no line ends or controls");
    }
    return yb_str_utf8(name)
               ? 0
               : yb_admin_refuse(tx, YB_ERR_VALUE, "name", err, "A tenant's name is UTF-8 text");
}

int
yb_admin_tenant_add(struct yb_admin_tx *tx, struct yb_str name, const struct yb_admin_values *v,
                    json_t **out, struct yb_err *err)
{
    struct yb_db_params p = { 0 };
    struct yb_admin_subject *s;

    *out = NULL;
    if (check_name(tx, name, err) < 0)
        return -1;
    yb_db_add_text(&p, name);
    if (yb_admin_change(tx, &add, &p, NULL, err) < 0)
        return -1;
    s = yb_admin_made(tx, &yb_admin_tenant_kind, name, YB_STR(""), err);
    if (s == NULL || yb_admin_set(tx, s, v, err) < 0)
        return -1;
    return yb_admin_done(tx, s, "tenant.add", out, err);
}

static struct yb_admin_subject *
find(struct yb_admin_tx *tx, struct yb_str name, struct yb_err *err)
{
    return yb_admin_find(tx, &yb_admin_tenant_kind, name, YB_STR(""), err);
}

int
yb_admin_tenant_set(struct yb_admin_tx *tx, struct yb_str name, const struct yb_admin_values *v,
                    json_t **out, struct yb_err *err)
{
    struct yb_admin_subject *s = find(tx, name, err);

    *out = NULL;
    if (s == NULL || yb_admin_set(tx, s, v, err) < 0)
        return -1;
    return yb_admin_done(tx, s, "tenant.set", out, err);
}

int
yb_admin_tenant_suspend(struct yb_admin_tx *tx, struct yb_str name, struct yb_str reason,
                        json_t **out, struct yb_err *err)
{
    struct yb_admin_subject *s = find(tx, name, err);

    *out = NULL;
    if (s == NULL || yb_admin_text(tx, reason, "reason", err) < 0 ||
        yb_admin_run(tx, s, &suspend, &reason, 1, "tenant", err) < 0)
        return -1;
    return yb_admin_done(tx, s, reason.n > 0 ? "tenant.suspend" : "tenant.resume", out, err);
}

int
yb_admin_tenant_show(struct yb_admin_tx *tx, struct yb_str name, json_t **out, struct yb_err *err)
{
    struct yb_db_params q = { 0 };

    yb_db_add_text(&q, name);
    yb_db_add_text(&q, YB_STR(""));
    return yb_admin_ask(tx, &card, &q, "tenant", out, err);
}

int
yb_admin_tenant_list(struct yb_admin_tx *tx, struct yb_admin_page *page, json_t **out,
                     struct yb_err *err)
{
    return yb_admin_list_names(tx, YB_ADMIN_TENANTS, YB_STR(""), page, out, err);
}

int
yb_admin_tenant_delete(struct yb_admin_tx *tx, struct yb_str name, struct yb_err *err)
{
    struct yb_admin_subject *s =
        yb_admin_find_last(tx, &yb_admin_tenant_kind, name, YB_STR(""), err);

    if (s == NULL || yb_admin_run(tx, s, &remove_one, NULL, 0, "tenant", err) < 0)
        return -1;
    yb_admin_gone(s, "tenant.delete");
    return 0;
}
