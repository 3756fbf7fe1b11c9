/* Nodes: their SQL, and the verbs over it. */
#include "lib/admin/list.h"
#include "lib/admin/verb.h"

#include "lib/directory/usage.h"

/* clang-format off */
static const struct yb_db_statement ids = { "node_ids",
    "SELECT NULL::uuid, NULL::uuid, NULL::uuid, name FROM nodes WHERE name = $1::text AND $2::text = '' "
    "   FOR NO KEY UPDATE" };
static const struct yb_db_statement card = { "node_card",
    "SELECT to_json(c) FROM node_cards c WHERE c.name = $1::text AND $2::text = ''" };
static const struct yb_db_statement add = { "node_add",
    "INSERT INTO nodes (node_id, name, host, store_id) VALUES ($1::bytea, $2::text, $3::text, nullif($4::text, ''))" };
static const struct yb_db_statement set = { "node_set",
    "UPDATE nodes SET host = coalesce($2::text, host), state = coalesce(nullif($3::text, ''), state) "
    " WHERE name = $1::text" };
static const struct yb_db_statement store = { "node_store",
    "UPDATE nodes SET store_id = $2::text WHERE name = $1::text" };
static const struct yb_db_statement name_of = { "node_name",
    "SELECT to_json(name) FROM nodes WHERE node_id = $1::bytea" };
static const struct yb_db_statement store_of = { "node_store_of",
    "SELECT to_json(coalesce(store_id, '')) FROM nodes WHERE node_id = $1::bytea" };
/* clang-format on */

const struct yb_admin_kind yb_admin_node_kind = {
    "node", &ids, &ids, &card, NULL, "nodes", NULL, false,
};

static struct yb_admin_subject *
find(struct yb_admin_tx *tx, struct yb_str name, struct yb_err *err)
{
    return yb_admin_find(tx, &yb_admin_node_kind, name, YB_STR(""), err);
}

int
yb_admin_node_add(struct yb_admin_tx *tx, struct yb_node_id id, struct yb_str name,
                  struct yb_str host, struct yb_str store_id, json_t **out, struct yb_err *err)
{
    struct yb_db_params p = { 0 };
    struct yb_admin_subject *s;

    *out = NULL;
    if (yb_admin_place(tx, name, "node", err) < 0)
        return -1;
    yb_db_add_bytes(&p, id.v, sizeof(id.v));
    yb_db_add_text(&p, name);
    yb_db_add_text(&p, host.p == NULL ? YB_STR("") : host);
    yb_db_add_text(&p, store_id);
    if (yb_admin_change(tx, &add, &p, NULL, err) < 0)
        return -1;
    s = yb_admin_made(tx, &yb_admin_node_kind, name, YB_STR(""), err);
    return s == NULL ? -1 : yb_admin_done(tx, s, "node.add", out, err);
}

int
yb_admin_node_set(struct yb_admin_tx *tx, struct yb_str name, struct yb_str host,
                  struct yb_str state, json_t **out, struct yb_err *err)
{
    struct yb_admin_subject *s = find(tx, name, err);
    struct yb_db_params p = { 0 };

    *out = NULL;
    if (s == NULL)
        return -1;
    yb_db_add_text(&p, name);
    yb_admin_add(&p, host);
    yb_admin_add(&p, state);
    if (yb_admin_change(tx, &set, &p, "node", err) < 0)
        return -1;
    return yb_admin_done(tx, s, "node.set", out, err);
}

int
yb_admin_node_store(struct yb_admin_tx *tx, struct yb_node_id id, struct yb_str store_id,
                    struct yb_err *err)
{
    struct yb_db_params p = { 0 }, q = { 0 };
    struct yb_admin_subject *s;
    json_t *name = NULL;

    yb_db_add_bytes(&q, id.v, sizeof(id.v));
    if (yb_admin_ask(tx, &name_of, &q, "node", &name, err) < 0)
        return -1;
    s = find(tx, yb_str_from(json_string_value(name)), err);
    json_decref(name);
    if (s == NULL)
        return -1;
    yb_db_add_text(&p, s->key[0]);
    yb_db_add_text(&p, store_id);
    if (yb_admin_change(tx, &store, &p, "node", err) < 0)
        return -1;
    return yb_admin_done(tx, s, "node.store", NULL, err);
}

int
yb_admin_node_store_of(struct yb_admin_tx *tx, struct yb_node_id id, struct yb_str *store_id,
                       struct yb_err *err)
{
    struct yb_db_params q = { 0 };
    json_t *found = NULL;

    yb_db_add_bytes(&q, id.v, sizeof(id.v));
    if (yb_admin_ask(tx, &store_of, &q, "node", &found, err) < 0)
        return -1;
    *store_id = yb_arena_dup(tx->arena, yb_str_from(json_string_value(found)));
    json_decref(found);
    return 0;
}

int
yb_admin_node_show(struct yb_admin_tx *tx, struct yb_str name, json_t **out, struct yb_err *err)
{
    struct yb_db_params q = { 0 };

    yb_db_add_text(&q, name);
    yb_db_add_text(&q, YB_STR(""));
    return yb_admin_ask(tx, &card, &q, "node", out, err);
}

int
yb_admin_node_list(struct yb_admin_tx *tx, struct yb_admin_page *page, json_t **out,
                   struct yb_err *err)
{
    return yb_admin_list_names(tx, YB_ADMIN_NODES, YB_STR(""), page, out, err);
}

int
yb_admin_usage(struct yb_admin_tx *tx, struct yb_store_id id, struct yb_node_id node,
               const struct yb_usage_report *usage, size_t n, struct yb_err *err)
{
    struct yb_db_params p = { 0 };
    char text[YB_ID_TEXT];

    yb_usage_report_params(&p, yb_store_id_text(id, text), &node, usage, n);
    return yb_admin_change(tx, &yb_usage_report_sql, &p, NULL, err);
}
