/* Nodes: their SQL, and the verbs over it. */
#include "lib/admin/ask.h"
#include "lib/directory/usage.h"

/* clang-format off */
static const struct yb_db_statement add = { "node_add",
    "INSERT INTO nodes (node_id, name, host) VALUES ($1::bytea, $2::text, $3::text)" };
static const struct yb_db_statement set = { "node_set",
    "UPDATE nodes SET host = coalesce($2::text, host), state = coalesce(nullif($3::text, ''), state) "
    " WHERE name = $1::text" };
static const struct yb_db_statement store = { "node_store",
    "UPDATE nodes SET store_id = $2::text WHERE node_id = $1::bytea" };
static const struct yb_db_statement show = { "node_show",
    "SELECT to_json(c) FROM node_cards c WHERE c.name = $1::text" };
static const struct yb_db_statement list = { "node_list",
    "SELECT coalesce(json_agg(c ORDER BY c.name), '[]') FROM node_cards c" };
static const struct yb_db_statement only_live = { "node_only_live",
    "SELECT to_json(min(encode(node_id, 'hex'))) FROM nodes WHERE state = 'live' HAVING count(*) = 1" };
/* clang-format on */

int
yb_admin_home(struct yb_admin *a, struct yb_db_conn *c, struct yb_arena *arena, struct yb_str *home,
              struct yb_err *err)
{
    struct yb_db_params q = { 0 };
    char text[YB_NODE_ID_TEXT];
    json_t *only = NULL;
    struct yb_err none = { 0 };

    if (!yb_node_id_is_zero(a->node)) {
        *home = yb_arena_dup(arena, yb_str_from(yb_node_id_text(a->node, text)));
        return 0;
    }
    if (yb_admin_card(c, &only_live, &q, "node", &only, &none) < 0) {
        if (none.class != YB_PERM) {
            *err = none;
            return -1;
        }
        return yb_err_set(
            err, YB_PERM, "5.1.0",
            "Which node is the account's home? This machine is none, and there is not "
            "exactly one: say --home");
    }
    *home = yb_arena_dup(arena, yb_str_from(json_string_value(only)));
    json_decref(only);
    return 0;
}

static int
ask(struct yb_admin *a, const struct yb_db_statement *change, struct yb_db_params *p,
    struct yb_str name, json_t **out, struct yb_err *err)
{
    struct yb_db_params q = { 0 };

    yb_db_add_text(&q, name);
    return yb_admin_ask(a, change, p, &show, &q, "node", out, err);
}

int
yb_admin_node_add(struct yb_admin *a, struct yb_node_id id, struct yb_str name, struct yb_str host,
                  json_t **out, struct yb_err *err)
{
    struct yb_db_params p = { 0 };

    yb_db_add_bytes(&p, id.v, sizeof(id.v));
    yb_db_add_text(&p, name);
    yb_db_add_text(&p, host.p == NULL ? YB_STR("") : host);
    return ask(a, &add, &p, name, out, err);
}

int
yb_admin_node_set(struct yb_admin *a, struct yb_str name, struct yb_str host, struct yb_str state,
                  json_t **out, struct yb_err *err)
{
    struct yb_db_params p = { 0 };

    yb_db_add_text(&p, name);
    yb_admin_add(&p, host);
    yb_admin_add(&p, state);
    return ask(a, &set, &p, name, out, err);
}

int
yb_admin_node_store(struct yb_admin *a, struct yb_node_id id, struct yb_str store_id,
                    struct yb_err *err)
{
    struct yb_db_params p = { 0 };

    yb_db_add_bytes(&p, id.v, sizeof(id.v));
    yb_db_add_text(&p, store_id);
    return yb_admin_ask(a, &store, &p, NULL, NULL, "node", NULL, err);
}

int
yb_admin_node_show(struct yb_admin *a, struct yb_str name, json_t **out, struct yb_err *err)
{
    return ask(a, NULL, NULL, name, out, err);
}

int
yb_admin_node_list(struct yb_admin *a, json_t **out, struct yb_err *err)
{
    struct yb_db_params q = { 0 };

    return yb_admin_ask(a, NULL, NULL, &list, &q, "node", out, err);
}

int
yb_admin_usage(struct yb_admin *a, struct yb_node_id node, const struct yb_usage_report *usage,
               size_t n, struct yb_err *err)
{
    struct yb_db_params p = { 0 };
    struct yb_db_conn *c = NULL;
    int rc = yb_admin_begin(a, &c, err);

    if (rc == 0) {
        yb_usage_report_params(&p, &node, usage, n);
        rc = yb_admin_change(c, &yb_usage_report_sql, &p, NULL, err);
    }
    return yb_admin_end(&c, rc, NULL, err);
}
