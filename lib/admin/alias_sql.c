/* Aliases and retirements: their SQL, and the verbs over it. */
#include "lib/admin/ask.h"

/* clang-format off */
/* "infinity" is how PostgreSQL writes for ever, which here is no time at all. */
static const struct yb_db_statement add = { "alias_add",
    "INSERT INTO aliases (tenant_id, domain_id, local, written, enabled, expires_at, note) "
    "SELECT tenant_id, domain_id, $1::text, $2::text, coalesce(nullif($4::text, '')::boolean, true), "
    "       nullif(nullif($5::text, '')::timestamptz, 'infinity'), coalesce($6::text, '') FROM domains WHERE name = $3::text" };
static const struct yb_db_statement set = { "alias_set",
    "UPDATE aliases a SET enabled = coalesce(nullif($3::text, '')::boolean, enabled), "
    "  expires_at = CASE WHEN $4::text IS NULL THEN expires_at ELSE nullif(nullif($4, '')::timestamptz, 'infinity') END, "
    "  note = coalesce($5::text, note) "
    "FROM domains d WHERE d.domain_id = a.domain_id AND a.local = $1::text AND d.name = $2::text" };
static const struct yb_db_statement no_targets = { "alias_no_targets",
    "DELETE FROM alias_targets t USING aliases a, domains d WHERE t.alias_id = a.alias_id "
    "   AND d.domain_id = a.domain_id AND a.local = $1::text AND d.name = $2::text" };
static const struct yb_db_statement targets = { "alias_targets",
    "INSERT INTO alias_targets (tenant_id, alias_id, target, target_key) "
    "SELECT a.tenant_id, a.alias_id, x.target, x.target_key FROM aliases a JOIN domains d USING (domain_id), "
    "       unnest($3::text[], $4::text[]) AS x (target, target_key) "
    " WHERE a.local = $1::text AND d.name = $2::text ON CONFLICT DO NOTHING" };
static const struct yb_db_statement show = { "alias_show",
    "SELECT to_json(c) FROM alias_cards c WHERE c.local_key = $1::text AND c.domain = $2::text" };
static const struct yb_db_statement list = { "alias_list",
    "SELECT coalesce(json_agg(c ORDER BY c.domain, c.local_key), '[]') "
    "  FROM (SELECT * FROM alias_cards WHERE ($4::text = '' OR domain = $4) "
    "           AND (domain, local_key) > ($2::text, $1::text) "
    "         ORDER BY domain, local_key LIMIT $3::integer) c" };
static const struct yb_db_statement remove_one = { "alias_delete",
    "DELETE FROM aliases a USING domains d WHERE d.domain_id = a.domain_id "
    "   AND a.local = $1::text AND d.name = $2::text" };
static const struct yb_db_statement retire = { "retire",
    "INSERT INTO retirements (tenant_id, domain_id, local, written, kind, new_address, expires_at) "
    "SELECT tenant_id, domain_id, $1::text, $2::text, $4::text, nullif($5::text, ''), "
    "       nullif(nullif($6::text, '')::timestamptz, 'infinity') FROM domains WHERE name = $3::text "
    "ON CONFLICT (domain_id, local) DO UPDATE SET kind = excluded.kind, "
    "   new_address = excluded.new_address, expires_at = excluded.expires_at" };
static const struct yb_db_statement restore = { "restore",
    "DELETE FROM retirements r USING domains d WHERE d.domain_id = r.domain_id "
    "   AND r.local = $1::text AND d.name = $2::text" };
static const struct yb_db_statement retired = { "retired_show",
    "SELECT to_json(c) FROM retirement_cards c "
    " WHERE c.local_key = $1::text AND c.domain = $2::text" };
static const struct yb_db_statement retired_list = { "retired_list",
    "SELECT coalesce(json_agg(c ORDER BY c.domain, c.local_key), '[]') "
    "  FROM (SELECT * FROM retirement_cards WHERE ($4::text = '' OR domain = $4) "
    "           AND (domain, local_key) > ($2::text, $1::text) "
    "         ORDER BY domain, local_key LIMIT $3::integer) c" };
/* clang-format on */

static void
add_name(struct yb_db_params *p, const struct yb_admin_name *n)
{
    yb_db_add_text(p, n->local);
    yb_db_add_text(p, n->domain);
}

static struct yb_str
name_key(const struct yb_admin_name *n, struct yb_arena *arena)
{
    return yb_arena_printf(arena, "%.*s@%.*s", YB_STR_ARG(n->local), YB_STR_ARG(n->domain));
}

/* Puts these targets in place of whatever was there. */
static int
put_targets(struct yb_db_conn *c, const struct yb_admin_name *n, const struct yb_admin_alias *v,
            struct yb_arena *arena, struct yb_err *err)
{
    struct yb_db_params p = { 0 };
    struct yb_str *written, *keys;

    if (v->targets == NULL)
        return 0;
    if (v->n_targets == 0)
        return yb_err_set(err, YB_PERM, "5.1.3", "An alias needs a target at least");
    written = yb_arena_alloc(arena, v->n_targets, sizeof(*written));
    keys = yb_arena_alloc(arena, v->n_targets, sizeof(*keys));
    for (size_t i = 0; i < v->n_targets; i++) {
        if (yb_admin_target(v->targets[i], arena, &written[i], &keys[i], err) < 0)
            return -1;
    }
    add_name(&p, n);
    if (yb_admin_change(c, &no_targets, &p, NULL, err) < 0)
        return -1;
    add_name(&p, n);
    yb_db_add_texts(&p, written, v->n_targets);
    yb_db_add_texts(&p, keys, v->n_targets);
    return yb_admin_change(c, &targets, &p, "alias", err);
}

static int
show_one(struct yb_db_conn *c, const struct yb_db_statement *st, const struct yb_admin_name *n,
         const char *what, json_t **out, struct yb_err *err)
{
    struct yb_db_params q = { 0 };

    add_name(&q, n);
    return yb_admin_card(c, st, &q, what, out, err);
}

static int
look_at_targets(struct yb_db_conn *c, const struct yb_admin_name *n, const struct yb_admin_alias *v,
                struct yb_arena *arena, json_t **out, struct yb_err *err)
{
    struct yb_str *keys = yb_arena_alloc(arena, v->n_targets, sizeof(*keys)), written;

    for (size_t i = 0; i < v->n_targets; i++) {
        if (yb_admin_target(v->targets[i], arena, &written, &keys[i], err) < 0)
            return -1;
    }
    return yb_admin_look(c, name_key(n, arena), keys, v->n_targets, out, err);
}

/* `st` is add or set: what they take behind the name differs by the written form and its place. */
static int
put_alias(struct yb_admin *a, const struct yb_db_statement *st, struct yb_str address,
          const struct yb_admin_alias *v, json_t **out, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_db_params p = { 0 };
    struct yb_db_conn *c = NULL;
    struct yb_admin_name n;
    int rc = yb_admin_name_parse(address, arena, &n, err);

    *out = NULL;
    if (rc == 0)
        rc = yb_admin_begin(a, &c, err);
    if (rc == 0) {
        yb_db_add_text(&p, n.local);
        if (st == &add)
            yb_db_add_text(&p, n.written);
        yb_db_add_text(&p, n.domain);
        yb_admin_add(&p, v->enabled);
        yb_admin_add(&p, v->expires_at);
        yb_admin_add(&p, v->note);
        rc = yb_admin_change(c, st, &p, st == &add ? "domain" : "alias", err);
    }
    if (rc == 0)
        rc = put_targets(c, &n, v, arena, err);
    if (rc == 0)
        rc = show_one(c, &show, &n, "alias", out, err);
    if (rc == 0 && v->targets != NULL)
        rc = look_at_targets(c, &n, v, arena, out, err);
    rc = yb_admin_end(&c, rc, out, err);
    yb_arena_free(&arena);
    return rc;
}

int
yb_admin_alias_add(struct yb_admin *a, struct yb_str address, const struct yb_admin_alias *v,
                   json_t **out, struct yb_err *err)
{
    return put_alias(a, &add, address, v, out, err);
}

int
yb_admin_alias_set(struct yb_admin *a, struct yb_str address, const struct yb_admin_alias *v,
                   json_t **out, struct yb_err *err)
{
    return put_alias(a, &set, address, v, out, err);
}

/* One statement that needs nothing but the name. */
static int
ask_name(struct yb_admin *a, const struct yb_db_statement *change,
         const struct yb_db_statement *card, struct yb_str address, const char *what, json_t **out,
         struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_db_params p = { 0 };
    struct yb_admin_name n;
    int rc = yb_admin_name_parse(address, arena, &n, err);

    if (rc == 0) {
        add_name(&p, &n);
        rc = change != NULL ? yb_admin_ask(a, change, &p, NULL, NULL, what, NULL, err)
                            : yb_admin_ask(a, NULL, NULL, card, &p, what, out, err);
    }
    yb_arena_free(&arena);
    return rc;
}

int
yb_admin_alias_show(struct yb_admin *a, struct yb_str address, json_t **out, struct yb_err *err)
{
    return ask_name(a, NULL, &show, address, "alias", out, err);
}

int
yb_admin_alias_delete(struct yb_admin *a, struct yb_str address, json_t **out, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_db_params p = { 0 };
    struct yb_db_conn *c = NULL;
    struct yb_admin_name n;
    int rc = yb_admin_name_parse(address, arena, &n, err);

    *out = NULL;
    if (rc == 0)
        rc = yb_admin_begin(a, &c, err);
    if (rc == 0) {
        add_name(&p, &n);
        rc = yb_admin_change(c, &remove_one, &p, "alias", err);
    }
    if (rc == 0)
        rc = yb_admin_led(c, &n, out, err);
    rc = yb_admin_end(&c, rc, out, err);
    yb_arena_free(&arena);
    return rc;
}

static int
list_addresses(struct yb_admin *a, const struct yb_db_statement *st, struct yb_str domain,
               const struct yb_admin_page *page, json_t **out, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_db_params q = { 0 };
    int rc = yb_admin_page_params(page, domain, arena, &q, err);

    if (rc == 0)
        rc = yb_admin_ask(a, NULL, NULL, st, &q, "domain", out, err);
    yb_arena_free(&arena);
    return rc;
}

int
yb_admin_alias_list(struct yb_admin *a, struct yb_str domain, const struct yb_admin_page *page,
                    json_t **out, struct yb_err *err)
{
    return list_addresses(a, &list, domain, page, out, err);
}

int
yb_admin_retire(struct yb_admin *a, struct yb_str address, const struct yb_admin_retirement *v,
                json_t **out, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_db_params p = { 0 };
    struct yb_db_conn *c = NULL;
    struct yb_admin_name n;
    struct yb_str written = { NULL, 0 }, key;
    int rc = yb_admin_name_parse(address, arena, &n, err);

    *out = NULL;
    if (rc == 0 && v->new_address.n > 0)
        rc = yb_admin_target(v->new_address, arena, &written, &key, err);
    if (rc == 0)
        rc = yb_admin_begin(a, &c, err);
    if (rc == 0) {
        yb_db_add_text(&p, n.local);
        yb_db_add_text(&p, n.written);
        yb_db_add_text(&p, n.domain);
        yb_db_add_text(&p, v->kind);
        yb_admin_add(&p, written);
        yb_admin_add(&p, v->expires_at);
        rc = yb_admin_change(c, &retire, &p, "domain", err);
    }
    if (rc == 0)
        rc = show_one(c, &retired, &n, "retired address", out, err);
    if (rc == 0 && written.p == NULL)
        rc = yb_admin_led(c, &n, out, err);
    else if (rc == 0)
        rc = yb_admin_look(c, name_key(&n, arena), &key, 1, out, err);
    rc = yb_admin_end(&c, rc, out, err);
    yb_arena_free(&arena);
    return rc;
}

int
yb_admin_restore(struct yb_admin *a, struct yb_str address, struct yb_err *err)
{
    return ask_name(a, &restore, NULL, address, "retired address", NULL, err);
}

int
yb_admin_retired_list(struct yb_admin *a, struct yb_str domain, const struct yb_admin_page *page,
                      json_t **out, struct yb_err *err)
{
    return list_addresses(a, &retired_list, domain, page, out, err);
}
