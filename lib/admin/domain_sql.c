/* Domains and their other names: their SQL, and the verbs over it. */
#include "lib/admin/ask.h"

#include "lib/mime/address.h"

/* clang-format off */
static const struct yb_db_statement add = { "domain_add",
    "INSERT INTO domains (tenant_id, name, written, contact, catch_all, separator, subdomains, "
    "                     full_days, max_accounts, max_bytes) "
    "SELECT tenant_id, $2::text, $3::text, nullif($4::text, ''), nullif($5::text, ''), "
    "       CASE WHEN $6::text IS NULL THEN '+' ELSE nullif($6, '') END, "
    "       coalesce(nullif($7::text, ''), 'none'), coalesce(nullif($8::text, '')::integer, 3), "
    "       nullif($9::text, '')::integer, nullif($10::text, '')::bigint "
    "  FROM tenants WHERE name = $1::text" };
static const struct yb_db_statement set = { "domain_set",
    "UPDATE domains SET "
    "  contact = CASE WHEN $2::text IS NULL THEN contact ELSE nullif($2, '') END, "
    "  catch_all = CASE WHEN $3::text IS NULL THEN catch_all ELSE nullif($3, '') END, "
    "  separator = CASE WHEN $4::text IS NULL THEN separator ELSE nullif($4, '') END, "
    "  subdomains = coalesce(nullif($5::text, ''), subdomains), "
    "  full_days = coalesce(nullif($6::text, '')::integer, full_days), "
    "  max_accounts = CASE WHEN $7::text IS NULL THEN max_accounts ELSE nullif($7, '')::integer END, "
    "  max_bytes = CASE WHEN $8::text IS NULL THEN max_bytes ELSE nullif($8, '')::bigint END "
    "WHERE name = $1::text" };
static const struct yb_db_statement suspend = { "domain_suspend",
    "UPDATE domains SET suspended_at = CASE WHEN $2::text = '' THEN NULL ELSE now() END, "
    "  suspended_reason = nullif($2, '') WHERE name = $1::text" };
static const struct yb_db_statement show = { "domain_show",
    "SELECT to_json(c) FROM domain_cards c WHERE c.name = $1::text" };
static const struct yb_db_statement list = { "domain_list",
    "SELECT coalesce(json_agg(c ORDER BY c.name), '[]') FROM (SELECT * FROM domain_cards "
    " WHERE name > $1::text AND ($3::text = '' OR tenant = $3) ORDER BY name LIMIT $2::integer) c" };
static const struct yb_db_statement remove_one = { "domain_delete",
    "DELETE FROM domains WHERE name = $1::text" };
static const struct yb_db_statement alias_add = { "domain_alias_add",
    "INSERT INTO domain_aliases (tenant_id, domain_id, name, written) "
    "SELECT tenant_id, domain_id, $2::text, $3::text FROM domains WHERE name = $1::text" };
static const struct yb_db_statement alias_remove = { "domain_alias_remove",
    "DELETE FROM domain_aliases a USING domains d "
    " WHERE d.domain_id = a.domain_id AND d.name = $1::text AND a.name = $2::text" };
/* clang-format on */

/* The key form of a name as somebody writes it. */
static int
normal(struct yb_str *name, struct yb_arena *arena, struct yb_err *err)
{
    struct yb_str written = *name;

    return yb_domain_normal(written, arena, name, err) < 0 ? yb_admin_about(written, err) : 0;
}

static int
ask(struct yb_admin *a, const struct yb_db_statement *change, struct yb_db_params *p,
    struct yb_str name, const char *what, json_t **out, struct yb_err *err)
{
    struct yb_db_params q = { 0 };

    yb_db_add_text(&q, name);
    return yb_admin_ask(a, change, p, &show, &q, what, out, err);
}

/* Contact and catch-all, those that were given; as the sender of mail for them would be led. */
static int
look_at(struct yb_db_conn *c, const struct yb_admin_domain *v, struct yb_arena *arena, json_t **out,
        struct yb_err *err)
{
    const struct yb_str given[] = { v->contact, v->catch_all };
    struct yb_str written, key;

    for (size_t i = 0; i < YB_COUNT(given); i++) {
        if (given[i].n > 0 && (yb_admin_target(given[i], arena, &written, &key, err) < 0 ||
                               yb_admin_look(c, yb_str(NULL, 0), &key, 1, out, err) < 0))
            return -1;
    }
    return 0;
}

/* Adds or sets, shows, and looks where it leads. */
static int
put_domain(struct yb_admin *a, const struct yb_db_statement *change, struct yb_db_params *p,
           struct yb_str name, const struct yb_admin_domain *v, struct yb_arena *arena,
           json_t **out, struct yb_err *err)
{
    struct yb_db_params q = { 0 };
    struct yb_db_conn *c = NULL;
    int rc = yb_admin_begin(a, &c, err);

    *out = NULL;
    yb_db_add_text(&q, name);
    if (rc == 0)
        rc = yb_admin_change(c, change, p, change == &add ? "tenant" : "domain", err);
    if (rc == 0)
        rc = yb_admin_card(c, &show, &q, "domain", out, err);
    if (rc == 0)
        rc = look_at(c, v, arena, out, err);
    yb_db_params_free(p);
    yb_db_params_free(&q);
    return yb_admin_end(&c, rc, out, err);
}

int
yb_admin_domain_add(struct yb_admin *a, struct yb_str tenant, struct yb_str name,
                    const struct yb_admin_domain *v, json_t **out, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_db_params p = { 0 };
    struct yb_str key = name, contact = v->contact, catch_all = v->catch_all;
    int rc = normal(&key, arena, err);

    if (rc == 0)
        rc = yb_admin_contact(&contact, arena, err);
    if (rc == 0)
        rc = yb_admin_contact(&catch_all, arena, err);
    if (rc == 0) {
        yb_db_add_text(&p, tenant);
        yb_db_add_text(&p, key);
        yb_db_add_text(&p, yb_str_ascii(name) ? YB_STR("") : name);
        yb_admin_add(&p, contact);
        yb_admin_add(&p, catch_all);
        yb_admin_add(&p, v->separator);
        yb_admin_add(&p, v->subdomains);
        yb_admin_add(&p, v->full_days);
        yb_admin_add(&p, v->max_accounts);
        yb_admin_add(&p, v->max_bytes);
        rc = put_domain(a, &add, &p, key, v, arena, out, err);
    }
    yb_arena_free(&arena);
    return rc;
}

int
yb_admin_domain_set(struct yb_admin *a, struct yb_str name, const struct yb_admin_domain *v,
                    json_t **out, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_db_params p = { 0 };
    struct yb_str contact = v->contact, catch_all = v->catch_all;
    int rc = normal(&name, arena, err);

    if (rc == 0)
        rc = yb_admin_contact(&contact, arena, err);
    if (rc == 0)
        rc = yb_admin_contact(&catch_all, arena, err);
    if (rc == 0) {
        yb_db_add_text(&p, name);
        yb_admin_add(&p, contact);
        yb_admin_add(&p, catch_all);
        yb_admin_add(&p, v->separator);
        yb_admin_add(&p, v->subdomains);
        yb_admin_add(&p, v->full_days);
        yb_admin_add(&p, v->max_accounts);
        yb_admin_add(&p, v->max_bytes);
        rc = put_domain(a, &set, &p, name, v, arena, out, err);
    }
    yb_arena_free(&arena);
    return rc;
}

/* Verbs on one domain with at most one more value. */
static int
ask_name(struct yb_admin *a, const struct yb_db_statement *change, struct yb_str name,
         const struct yb_str *value, json_t **out, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_db_params p = { 0 };
    int rc = normal(&name, arena, err);

    if (rc == 0) {
        yb_db_add_text(&p, name);
        if (value != NULL)
            yb_db_add_text(&p, *value);
        if (out == NULL)
            rc = yb_admin_ask(a, change, &p, NULL, NULL, "domain", NULL, err);
        else
            rc = ask(a, change, &p, name, "domain", out, err);
    }
    yb_arena_free(&arena);
    return rc;
}

int
yb_admin_domain_suspend(struct yb_admin *a, struct yb_str name, struct yb_str reason, json_t **out,
                        struct yb_err *err)
{
    return ask_name(a, &suspend, name, &reason, out, err);
}

int
yb_admin_domain_show(struct yb_admin *a, struct yb_str name, json_t **out, struct yb_err *err)
{
    return ask_name(a, NULL, name, NULL, out, err);
}

int
yb_admin_domain_delete(struct yb_admin *a, struct yb_str name, struct yb_err *err)
{
    return ask_name(a, &remove_one, name, NULL, NULL, err);
}

int
yb_admin_domain_list(struct yb_admin *a, struct yb_str tenant, const struct yb_admin_page *page,
                     json_t **out, struct yb_err *err)
{
    struct yb_db_params q = { 0 };

    yb_db_add_text(&q, page->after);
    yb_db_add_i32(&q, (int32_t)(page->limit == 0 ? YB_ADMIN_PAGE : page->limit));
    yb_db_add_text(&q, tenant);
    return yb_admin_ask(a, NULL, NULL, &list, &q, "domain", out, err);
}

int
yb_admin_domain_alias(struct yb_admin *a, struct yb_str name, struct yb_str alias, bool add_it,
                      json_t **out, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_db_params p = { 0 };
    struct yb_str key = alias;
    int rc = normal(&name, arena, err);

    if (rc == 0)
        rc = normal(&key, arena, err);
    if (rc == 0) {
        yb_db_add_text(&p, name);
        yb_db_add_text(&p, key);
        if (add_it)
            yb_db_add_text(&p, yb_str_ascii(alias) ? YB_STR("") : alias);
        rc = ask(a, add_it ? &alias_add : &alias_remove, &p, name,
                 add_it ? "domain" : "domain alias", out, err);
    }
    yb_arena_free(&arena);
    return rc;
}
