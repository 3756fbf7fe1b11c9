/* Stores: their SQL, and the verbs over it. */
#include "lib/admin/verb.h"

#include "lib/settings/registry.h"

/* clang-format off */
/* A store's id is no uuid; that of the copy which serves is as good a key. */
static const struct yb_db_statement ids = { "store_ids",
    "SELECT NULL::uuid, NULL::uuid, home, name FROM stores WHERE name = $1::text AND $2::text = '' "
    "   FOR NO KEY UPDATE" };
/* To be gone: who puts an account into it holds it by its key. */
static const struct yb_db_statement ids_gone = { "store_ids_gone",
    "SELECT NULL::uuid, NULL::uuid, home, name FROM stores WHERE name = $1::text AND $2::text = '' "
    "   FOR UPDATE" };
static const struct yb_db_statement card = { "store_card",
    "SELECT to_json(c) FROM store_cards c WHERE c.name = $1::text AND $2::text = ''" };
static const struct yb_db_statement list = { "store_list",
    "SELECT coalesce(json_agg(c ORDER BY c.name), '[]') FROM store_cards c" };
static const struct yb_db_statement in_use = { "store_in_use",
    "SELECT to_json(yubin.yb_store_has_accounts(store_id)) FROM stores WHERE home = $1::uuid AND $2::text <> ''" };
/* Whose settings name it: how many, and the first of them. It is set for tenants and domains. */
static const struct yb_db_statement wanted = { "store_wanted",
    "SELECT json_build_object('n', count(*), 'whose', (array_agg(w.whose ORDER BY w.level DESC, w.whose))[1]) "
    "  FROM stores s JOIN settings t ON t.key = $2::text AND t.value = to_jsonb(s.name) "
    "  LEFT JOIN domains d USING (domain_id) LEFT JOIN tenants n ON n.tenant_id = t.tenant_id, "
    "  LATERAL (SELECT CASE WHEN d.name IS NULL THEN 'tenant' ELSE 'domain' END, coalesce('domain ' || d.name, 'tenant ' || n.name)) "
    "    AS w (level, whose) WHERE s.home = $1::uuid" };
/* By its name, or by the node that it is at home on. */
static const struct yb_db_statement named = { "store_named",
    "SELECT coalesce((SELECT json_build_object('store_id', s.store_id, 'name', s.name, 'state', s.state) "
    "  FROM stores s JOIN copies c ON c.copy_id = s.home "
    " WHERE CASE WHEN $1::text = '' THEN c.node_id = decode($2::text, 'hex') ELSE s.name = $1 END), 'null')" };
/* clang-format on */

const struct yb_admin_kind yb_admin_store_kind = {
    "store", &ids, &ids_gone, &card, &yb_admin_store_fields, "stores", "home", false,
};

/* What was given for a field. */
static struct yb_str
given(const struct yb_admin_values *v, const char *name)
{
    const struct yb_admin_fields *f = &yb_admin_store_fields;

    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->v[i].name, name) == 0)
            return v->v[i];
    }
    return yb_str(NULL, 0);
}

/* A question of the store and the key of the setting. */
static int
ask_of(struct yb_admin_tx *tx, const struct yb_admin_subject *s, const struct yb_db_statement *st,
       json_t **answer, struct yb_err *err)
{
    struct yb_db_params q = { 0 };

    yb_db_add_bytes(&q, s->id, sizeof(s->id));
    yb_db_add_text(&q, yb_str_from(yb_setting_row(YB_SETTING_STORE)->key));
    return yb_admin_ask(tx, st, &q, "store", answer, err);
}

static int
check_empty(struct yb_admin_tx *tx, const struct yb_admin_subject *s, struct yb_err *err)
{
    json_t *answer = NULL;
    bool lived_in;

    if (ask_of(tx, s, &in_use, &answer, err) < 0)
        return -1;
    lived_in = json_is_true(answer);
    json_decref(answer);
    return lived_in ? yb_admin_refuse(tx, YB_ERR_IN_USE, "state", err,
                                      "Accounts live in the store: it cannot be gone")
                    : 0;
}

/* A setting that names it would name nothing. `hence`: what is refused. */
static int
check_unwanted(struct yb_admin_tx *tx, const struct yb_admin_subject *s, const char *field,
               const char *hence, struct yb_err *err)
{
    json_t *answer = NULL;
    struct yb_str more = YB_STR("");
    json_int_t n;
    int rc = 0;

    if (ask_of(tx, s, &wanted, &answer, err) < 0)
        return -1;
    n = json_integer_value(json_object_get(answer, "n"));
    if (n > 1)
        more = yb_arena_printf(tx->arena, ", and %lld more,", (long long)n - 1);
    if (n > 0)
        rc = yb_admin_refuse(
            tx, YB_ERR_IN_USE, field, err, "The setting of the %s%.*s names the store: %s",
            json_string_value(json_object_get(answer, "whose")), YB_STR_ARG(more), hence);
    json_decref(answer);
    return rc;
}

/* What others hold on to: its mail, and its name. */
static int
check_use(struct yb_admin_tx *tx, const struct yb_admin_subject *s, bool gone, struct yb_str rename,
          struct yb_err *err)
{
    bool renamed = rename.p != NULL && !yb_str_eq(rename, s->name);

    if (gone && (check_empty(tx, s, err) < 0 ||
                 check_unwanted(tx, s, "state", "it cannot be gone", err) < 0))
        return -1;
    if (!renamed)
        return 0;
    return yb_admin_place(tx, rename, "store", err) < 0
               ? -1
               : check_unwanted(tx, s, "name", "it keeps its name", err);
}

int
yb_admin_store_set(struct yb_admin_tx *tx, struct yb_str name, const struct yb_admin_values *v,
                   json_t **out, struct yb_err *err)
{
    bool gone = yb_str_eq(given(v, "state"), YB_STR("gone"));
    struct yb_str rename = given(v, "name");
    struct yb_admin_subject *s =
        gone ? yb_admin_find_last(tx, &yb_admin_store_kind, name, YB_STR(""), err)
             : yb_admin_find(tx, &yb_admin_store_kind, name, YB_STR(""), err);

    *out = NULL;
    if (s == NULL || check_use(tx, s, gone, rename, err) < 0 || yb_admin_set(tx, s, v, err) < 0)
        return -1;
    if (rename.p != NULL)
        s->key[0] = yb_arena_dup(tx->arena, rename);
    return yb_admin_done(tx, s, "store.set", out, err);
}

int
yb_admin_store_show(struct yb_admin_tx *tx, struct yb_str name, json_t **out, struct yb_err *err)
{
    struct yb_db_params q = { 0 };

    yb_db_add_text(&q, name);
    yb_db_add_text(&q, YB_STR(""));
    return yb_admin_ask(tx, &card, &q, "store", out, err);
}

int
yb_admin_store_list(struct yb_admin_tx *tx, json_t **out, struct yb_err *err)
{
    struct yb_db_params q = { 0 };

    return yb_admin_ask(tx, &list, &q, "store", out, err);
}

int
yb_admin_store_find(struct yb_admin_tx *tx, struct yb_str name, struct yb_str node,
                    struct yb_str *id, struct yb_err *err)
{
    const char *field = name.n > 0 ? "store" : "home_node", *state;
    struct yb_db_params q = { 0 };
    json_t *found = NULL;
    int rc = 0;

    *id = yb_str(NULL, 0);
    if (name.n == 0 && node.n == 0)
        return 0;
    yb_db_add_text(&q, name.n == 0 ? YB_STR("") : name);
    yb_db_add_text(&q, node.n == 0 ? YB_STR("") : node);
    if (yb_admin_ask(tx, &named, &q, "store", &found, err) < 0)
        return -1;
    state = json_string_value(json_object_get(found, "state"));
    if (state == NULL)
        rc = yb_admin_refuse(tx, YB_ERR_NOT_FOUND, field, err,
                             name.n > 0 ? "There is no store %.*s"
                                        : "There is no store on node %.*s",
                             YB_STR_ARG(name.n > 0 ? name : node));
    else if (strcmp(state, "live") != 0)
        rc = yb_admin_refuse(tx, YB_ERR_CANNOT, field, err, "The store %s is %s",
                             json_string_value(json_object_get(found, "name")), state);
    else
        *id = yb_arena_dup(tx->arena,
                           yb_str_from(json_string_value(json_object_get(found, "store_id"))));
    json_decref(found);
    return rc;
}
