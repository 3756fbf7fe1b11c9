/* Tenants: their SQL, and the verbs over it. */
#include "lib/admin/ask.h"

/* clang-format off */
static const struct yb_db_statement add = { "tenant_add",
    "INSERT INTO tenants (name, contact, max_domains, max_accounts, max_bytes) "
    "VALUES ($1::text, nullif($2::text, ''), nullif($3::text, '')::integer, "
    "        nullif($4::text, '')::integer, nullif($5::text, '')::bigint)" };
/* An empty text clears, NULL leaves as it is. */
static const struct yb_db_statement set = { "tenant_set",
    "UPDATE tenants SET "
    "  contact = CASE WHEN $2::text IS NULL THEN contact ELSE nullif($2, '') END, "
    "  max_domains = CASE WHEN $3::text IS NULL THEN max_domains ELSE nullif($3, '')::integer END, "
    "  max_accounts = CASE WHEN $4::text IS NULL THEN max_accounts ELSE nullif($4, '')::integer END, "
    "  max_bytes = CASE WHEN $5::text IS NULL THEN max_bytes ELSE nullif($5, '')::bigint END "
    "WHERE name = $1::text" };
static const struct yb_db_statement suspend = { "tenant_suspend",
    "UPDATE tenants SET suspended_at = CASE WHEN $2::text = '' THEN NULL ELSE now() END, "
    "  suspended_reason = nullif($2, '') WHERE name = $1::text" };
static const struct yb_db_statement show = { "tenant_show",
    "SELECT to_json(c) FROM tenant_cards c WHERE c.name = $1::text" };
static const struct yb_db_statement list = { "tenant_list",
    "SELECT coalesce(json_agg(c ORDER BY c.name), '[]') FROM (SELECT * FROM tenant_cards "
    " WHERE name > $1::text ORDER BY name LIMIT $2::integer) c" };
static const struct yb_db_statement remove_one = { "tenant_delete",
    "DELETE FROM tenants WHERE name = $1::text" };
/* clang-format on */

static void
add_values(struct yb_db_params *p, struct yb_str name, struct yb_str contact,
           const struct yb_admin_tenant *v)
{
    yb_db_add_text(p, name);
    yb_admin_add(p, contact);
    yb_admin_add(p, v->max_domains);
    yb_admin_add(p, v->max_accounts);
    yb_admin_add(p, v->max_bytes);
}

static int
ask(struct yb_admin *a, const struct yb_db_statement *change, struct yb_db_params *p,
    struct yb_str name, json_t **out, struct yb_err *err)
{
    struct yb_db_params q = { 0 };

    yb_db_add_text(&q, name);
    return yb_admin_ask(a, change, p, &show, &q, "tenant", out, err);
}

/* A name is shown in lists and logs, and typed again. */
static int
check_name(struct yb_str name, struct yb_err *err)
{
    for (size_t i = 0; i < name.n; i++) {
        if ((unsigned char)name.p[i] < ' ' || name.p[i] == 127)
            return yb_err_set(err, YB_PERM, "5.1.3",
                              "A tenant's name holds no line ends or controls");
    }
    return yb_str_utf8(name) ? 0
                             : yb_err_set(err, YB_PERM, "5.1.3", "A tenant's name is UTF-8 text");
}

static int
put(struct yb_admin *a, const struct yb_db_statement *change, struct yb_str name,
    const struct yb_admin_tenant *v, json_t **out, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_db_params p = { 0 };
    struct yb_str contact = v->contact;
    int rc = check_name(name, err);

    *out = NULL;
    if (rc == 0)
        rc = yb_admin_contact(&contact, arena, err);
    if (rc == 0) {
        add_values(&p, name, contact, v);
        rc = ask(a, change, &p, name, out, err);
    }
    yb_arena_free(&arena);
    return rc;
}

int
yb_admin_tenant_add(struct yb_admin *a, struct yb_str name, const struct yb_admin_tenant *v,
                    json_t **out, struct yb_err *err)
{
    return put(a, &add, name, v, out, err);
}

int
yb_admin_tenant_set(struct yb_admin *a, struct yb_str name, const struct yb_admin_tenant *v,
                    json_t **out, struct yb_err *err)
{
    return put(a, &set, name, v, out, err);
}

int
yb_admin_tenant_suspend(struct yb_admin *a, struct yb_str name, struct yb_str reason, json_t **out,
                        struct yb_err *err)
{
    struct yb_db_params p = { 0 };

    yb_db_add_text(&p, name);
    yb_db_add_text(&p, reason);
    return ask(a, &suspend, &p, name, out, err);
}

int
yb_admin_tenant_show(struct yb_admin *a, struct yb_str name, json_t **out, struct yb_err *err)
{
    return ask(a, NULL, NULL, name, out, err);
}

int
yb_admin_tenant_list(struct yb_admin *a, const struct yb_admin_page *page, json_t **out,
                     struct yb_err *err)
{
    struct yb_db_params q = { 0 };

    yb_db_add_text(&q, page->after);
    yb_db_add_i32(&q, (int32_t)(page->limit == 0 ? YB_ADMIN_PAGE : page->limit));
    return yb_admin_ask(a, NULL, NULL, &list, &q, "tenant", out, err);
}

int
yb_admin_tenant_delete(struct yb_admin *a, struct yb_str name, struct yb_err *err)
{
    struct yb_db_params p = { 0 };

    yb_db_add_text(&p, name);
    return yb_admin_ask(a, &remove_one, &p, NULL, NULL, "tenant", NULL, err);
}
