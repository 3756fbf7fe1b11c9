/* Domains and their other names: their SQL, and the verbs over it. */
#include "lib/admin/list.h"
#include "lib/admin/verb.h"

/* clang-format off */
static const struct yb_db_statement ids = { "domain_ids",
    "SELECT tenant_id, domain_id, domain_id, name::text FROM domains WHERE name = $1::text AND $2::text = '' "
    "   FOR NO KEY UPDATE" };
/* To be removed: who adds something below it meanwhile holds it by its key, and the tenant's counts before. */
static const struct yb_db_statement ids_gone = { "domain_ids_gone",
    "SELECT tenant_id, domain_id, domain_id, name::text FROM domains WHERE name = $1::text AND $2::text = '' "
    "   AND (SELECT yb_counts_lock(x.tenant_id) FROM domains x WHERE x.name = $1::text) FOR UPDATE" };
static const struct yb_db_statement card = { "domain_card",
    "SELECT to_json(c) FROM domain_cards c WHERE c.name = $1::text AND $2::text = ''" };
static const struct yb_db_statement add = { "domain_add",
    "INSERT INTO domains (tenant_id, name, written) "
    "SELECT tenant_id, $2::text, $3::text FROM tenants WHERE name = $1::text" };
static const struct yb_db_statement suspend = { "domain_suspend",
    "UPDATE domains SET suspended_at = CASE WHEN $3::text = '' THEN NULL ELSE now() END, "
    "  suspended_reason = nullif($3, '') WHERE domain_id = $1::uuid AND tenant_id = $2::uuid" };
static const struct yb_db_statement remove_one = { "domain_delete",
    "DELETE FROM domains WHERE domain_id = $1::uuid AND tenant_id = $2::uuid" };
static const struct yb_db_statement alias_add = { "domain_alias_add",
    "INSERT INTO domain_aliases (tenant_id, domain_id, name, written) "
    "VALUES ($2::uuid, $1::uuid, $3::text, $4::text)" };
static const struct yb_db_statement alias_remove = { "domain_alias_remove",
    "DELETE FROM domain_aliases WHERE domain_id = $1::uuid AND tenant_id = $2::uuid AND name = $3::text" };
/* clang-format on */

const struct yb_admin_kind yb_admin_domain_kind = {
    "domain", &ids, &ids_gone, &card, &yb_admin_domain_fields, "domains", "domain_id", false,
};

static struct yb_admin_subject *
find(struct yb_admin_tx *tx, struct yb_str name, struct yb_err *err)
{
    if (yb_admin_domain(tx, name, "name", &name, err) < 0)
        return NULL;
    return yb_admin_find(tx, &yb_admin_domain_kind, name, YB_STR(""), err);
}

/* Contact and catch-all, those that were given; as the sender of mail for them would be led. */
static int
look_at(struct yb_admin_tx *tx, const struct yb_admin_values *v, json_t **out, struct yb_err *err)
{
    const struct yb_admin_fields *f = &yb_admin_domain_fields;
    struct yb_str written, key;

    for (size_t i = 0; i < f->n; i++) {
        if (f->v[i].type != YB_ADMIN_ADDRESS || v->v[i].n == 0 ||
            yb_str_eqi(v->v[i], YB_STR("none")))
            continue;
        if (yb_admin_target(tx, v->v[i], f->v[i].name, &written, &key, err) < 0 ||
            yb_admin_look(tx, yb_str(NULL, 0), &key, 1, f->v[i].name, out, err) < 0)
            return -1;
    }
    return 0;
}

/* Sets, shows, and looks where it leads. */
static int
put(struct yb_admin_tx *tx, struct yb_admin_subject *s, const struct yb_admin_values *v,
    const char *action, json_t **out, struct yb_err *err)
{
    if (yb_admin_set(tx, s, v, err) < 0 || yb_admin_done(tx, s, action, out, err) < 0)
        return -1;
    return look_at(tx, v, out, err);
}

int
yb_admin_domain_add(struct yb_admin_tx *tx, struct yb_str tenant, struct yb_str name,
                    const struct yb_admin_values *v, json_t **out, struct yb_err *err)
{
    struct yb_db_params p = { 0 };
    struct yb_admin_subject *s;
    struct yb_str key;

    *out = NULL;
    if (yb_admin_domain(tx, name, "name", &key, err) < 0)
        return -1;
    yb_db_add_text(&p, tenant);
    yb_db_add_text(&p, key);
    yb_db_add_text(&p, yb_str_ascii(name) ? YB_STR("") : name);
    if (yb_admin_change(tx, &add, &p, "tenant", err) < 0)
        return -1;
    s = yb_admin_made(tx, &yb_admin_domain_kind, key, YB_STR(""), err);
    return s == NULL ? -1 : put(tx, s, v, "domain.add", out, err);
}

int
yb_admin_domain_set(struct yb_admin_tx *tx, struct yb_str name, const struct yb_admin_values *v,
                    json_t **out, struct yb_err *err)
{
    struct yb_admin_subject *s = find(tx, name, err);

    *out = NULL;
    return s == NULL ? -1 : put(tx, s, v, "domain.set", out, err);
}

int
yb_admin_domain_suspend(struct yb_admin_tx *tx, struct yb_str name, struct yb_str reason,
                        json_t **out, struct yb_err *err)
{
    struct yb_admin_subject *s = find(tx, name, err);

    *out = NULL;
    if (s == NULL || yb_admin_text(tx, reason, "reason", err) < 0 ||
        yb_admin_run(tx, s, &suspend, &reason, 1, "domain", err) < 0)
        return -1;
    return yb_admin_done(tx, s, reason.n > 0 ? "domain.suspend" : "domain.resume", out, err);
}

int
yb_admin_domain_show(struct yb_admin_tx *tx, struct yb_str name, json_t **out, struct yb_err *err)
{
    struct yb_db_params q = { 0 };

    *out = NULL;
    if (yb_admin_domain(tx, name, "name", &name, err) < 0)
        return -1;
    yb_db_add_text(&q, name);
    yb_db_add_text(&q, YB_STR(""));
    return yb_admin_ask(tx, &card, &q, "domain", out, err);
}

int
yb_admin_domain_delete(struct yb_admin_tx *tx, struct yb_str name, struct yb_err *err)
{
    struct yb_admin_subject *s;

    if (yb_admin_domain(tx, name, "name", &name, err) < 0)
        return -1;
    s = yb_admin_find_last(tx, &yb_admin_domain_kind, name, YB_STR(""), err);
    if (s == NULL || yb_admin_run(tx, s, &remove_one, NULL, 0, "domain", err) < 0)
        return -1;
    yb_admin_gone(s, "domain.delete");
    return 0;
}

int
yb_admin_domain_list(struct yb_admin_tx *tx, struct yb_str tenant, struct yb_admin_page *page,
                     json_t **out, struct yb_err *err)
{
    return yb_admin_list_names(tx, YB_ADMIN_DOMAINS, tenant, page, out, err);
}

int
yb_admin_domain_alias(struct yb_admin_tx *tx, struct yb_str name, struct yb_str alias, bool add_it,
                      json_t **out, struct yb_err *err)
{
    struct yb_admin_subject *s = find(tx, name, err);
    struct yb_str texts[2] = { { NULL, 0 }, yb_str_ascii(alias) ? YB_STR("") : alias };

    *out = NULL;
    if (s == NULL || yb_admin_domain(tx, alias, "alias", &texts[0], err) < 0)
        return -1;
    if (add_it ? yb_admin_run(tx, s, &alias_add, texts, 2, NULL, err) < 0
               : yb_admin_run(tx, s, &alias_remove, texts, 1, "domain alias", err) < 0)
        return -1;
    return yb_admin_done(tx, s, add_it ? "domain.alias" : "domain.unalias", out, err);
}
