/* Aliases and retirements: their SQL, and the verbs over it. */
#include "lib/admin/list.h"
#include "lib/admin/words.h"

/* clang-format off */
static const struct yb_db_statement ids = { "alias_ids",
    "SELECT a.tenant_id, a.domain_id, a.alias_id, a.written || '@' || d.name "
    "  FROM aliases a JOIN domains d USING (domain_id) WHERE a.local = $1::text AND d.name = $2::text "
    "   FOR NO KEY UPDATE OF a" };
/* To be removed: who adds something below it meanwhile holds it by its key. */
static const struct yb_db_statement ids_gone = { "alias_ids_gone",
    "SELECT a.tenant_id, a.domain_id, a.alias_id, a.written || '@' || d.name "
    "  FROM aliases a JOIN domains d USING (domain_id) WHERE a.local = $1::text AND d.name = $2::text "
    "   FOR UPDATE OF a" };
static const struct yb_db_statement card = { "alias_card",
    "SELECT to_json(c) FROM alias_cards c WHERE c.address_key = $1::text || '@' || $2::text" };
static const struct yb_db_statement add = { "alias_add",
    "INSERT INTO aliases (tenant_id, domain_id, local, written) "
    "SELECT tenant_id, domain_id, $1::text, $2::text FROM domains WHERE name = $3::text" };
static const struct yb_db_statement no_targets = { "alias_no_targets",
    "DELETE FROM alias_targets WHERE alias_id = $1::uuid AND tenant_id = $2::uuid" };
static const struct yb_db_statement targets = { "alias_targets",
    "INSERT INTO alias_targets (tenant_id, alias_id, target, target_key) "
    "SELECT $2::uuid, $1::uuid, x.target, x.target_key FROM unnest($3::text[], $4::text[]) AS x (target, target_key) "
    "ON CONFLICT DO NOTHING" };
static const struct yb_db_statement remove_one = { "alias_delete",
    "DELETE FROM aliases WHERE alias_id = $1::uuid AND tenant_id = $2::uuid" };
static const struct yb_db_statement retired_ids = { "retired_ids",
    "SELECT r.tenant_id, r.domain_id, NULL::uuid, r.written || '@' || d.name "
    "  FROM retirements r JOIN domains d USING (domain_id) WHERE r.local = $1::text AND d.name = $2::text "
    "   FOR NO KEY UPDATE OF r" };
static const struct yb_db_statement retired_card = { "retired_card",
    "SELECT to_json(c) FROM retirement_cards c WHERE c.address_key = $1::text || '@' || $2::text" };
static const struct yb_db_statement is_retired = { "is_retired",
    "SELECT to_json(EXISTS (SELECT FROM retirement_cards c WHERE c.address_key = $1::text || '@' || $2::text))" };
static const struct yb_db_statement retire = { "retire",
    "INSERT INTO retirements (tenant_id, domain_id, local, written, kind, new_address, expires_at) "
    "SELECT tenant_id, domain_id, $1::text, $2::text, $4::text, nullif($5::text, ''), "
    "       nullif($6::text, '')::timestamptz FROM domains WHERE name = $3::text "
    "ON CONFLICT (domain_id, local) DO UPDATE SET kind = excluded.kind, "
    "   new_address = excluded.new_address, expires_at = excluded.expires_at" };
static const struct yb_db_statement restore = { "restore",
    "DELETE FROM retirements r USING domains d WHERE d.domain_id = r.domain_id "
    "   AND r.local = $1::text AND d.name = $2::text" };
/* clang-format on */

const struct yb_admin_kind yb_admin_alias_kind = {
    "alias", &ids, &ids_gone, &card, &yb_admin_alias_fields, "aliases", "alias_id", false,
};
const struct yb_admin_kind yb_admin_retired_kind = {
    "retired address", &retired_ids, &retired_ids, &retired_card, NULL, "retirements", NULL, false,
};

static struct yb_str
key_of(const struct yb_admin_subject *s, struct yb_arena *arena)
{
    return yb_arena_printf(arena, "%.*s@%.*s", YB_STR_ARG(s->key[0]), YB_STR_ARG(s->key[1]));
}

/* --- aliases --- */

/* Puts these targets in place of whatever was there; their key forms in `keys`. */
static int
put_targets(struct yb_admin_tx *tx, const struct yb_admin_subject *s,
            const struct yb_admin_alias *v, struct yb_str *keys, struct yb_err *err)
{
    struct yb_str *written = yb_arena_alloc(tx->arena, v->n_targets + 1, sizeof(*written));
    struct yb_db_params p = { 0 };
    bool bad = false;

    if (v->n_targets == 0)
        return yb_admin_refuse(tx, YB_ERR_VALUE, "targets", err,
                               "An alias needs a target at least");
    for (size_t i = 0; i < v->n_targets; i++)
        bad = yb_admin_target(tx, v->targets[i], "targets", &written[i], &keys[i], err) < 0 || bad;
    if (bad || yb_admin_run(tx, s, &no_targets, NULL, 0, NULL, err) < 0)
        return -1;
    yb_db_add_bytes(&p, s->id, sizeof(s->id));
    yb_db_add_bytes(&p, s->tenant, sizeof(s->tenant));
    yb_db_add_texts(&p, written, v->n_targets);
    yb_db_add_texts(&p, keys, v->n_targets);
    return yb_admin_change(tx, &targets, &p, "alias", err);
}

static int
put_alias(struct yb_admin_tx *tx, struct yb_admin_subject *s, const struct yb_admin_alias *v,
          const char *action, json_t **out, struct yb_err *err)
{
    struct yb_str *keys = yb_arena_alloc(tx->arena, v->n_targets + 1, sizeof(*keys));

    if (yb_admin_set(tx, s, &v->values, err) < 0 || yb_admin_words(tx, s, err) < 0 ||
        (v->targets != NULL && put_targets(tx, s, v, keys, err) < 0) ||
        yb_admin_done(tx, s, action, out, err) < 0)
        return -1;
    return v->targets == NULL
               ? 0
               : yb_admin_look(tx, key_of(s, tx->arena), keys, v->n_targets, "targets", out, err);
}

int
yb_admin_alias_add(struct yb_admin_tx *tx, struct yb_str address, const struct yb_admin_alias *v,
                   json_t **out, struct yb_err *err)
{
    struct yb_db_params p = { 0 };
    struct yb_admin_subject *s;
    struct yb_admin_name n;

    *out = NULL;
    if (yb_admin_take_name(tx, address, "address", &n, err) < 0)
        return -1;
    yb_db_add_text(&p, n.local);
    yb_db_add_text(&p, n.written);
    yb_db_add_text(&p, n.domain);
    if (yb_admin_change(tx, &add, &p, "domain", err) < 0)
        return -1;
    s = yb_admin_made(tx, &yb_admin_alias_kind, n.local, n.domain, err);
    return s == NULL ? -1 : put_alias(tx, s, v, "alias.add", out, err);
}

int
yb_admin_alias_set(struct yb_admin_tx *tx, struct yb_str address, const struct yb_admin_alias *v,
                   json_t **out, struct yb_err *err)
{
    struct yb_admin_subject *s = yb_admin_find_address(tx, &yb_admin_alias_kind, address, err);

    *out = NULL;
    return s == NULL ? -1 : put_alias(tx, s, v, "alias.set", out, err);
}

static int
ask_name(struct yb_admin_tx *tx, const struct yb_db_statement *st, struct yb_str address,
         const char *what, json_t **out, struct yb_err *err)
{
    struct yb_db_params q = { 0 };
    struct yb_admin_name n;

    *out = NULL;
    if (yb_admin_take_name(tx, address, "address", &n, err) < 0)
        return -1;
    yb_db_add_text(&q, n.local);
    yb_db_add_text(&q, n.domain);
    return yb_admin_ask(tx, st, &q, what, out, err);
}

int
yb_admin_alias_show(struct yb_admin_tx *tx, struct yb_str address, json_t **out, struct yb_err *err)
{
    return ask_name(tx, &card, address, "alias", out, err);
}

int
yb_admin_alias_delete(struct yb_admin_tx *tx, struct yb_str address, json_t **out,
                      struct yb_err *err)
{
    struct yb_admin_subject *s;
    struct yb_admin_name n;

    *out = NULL;
    if (yb_admin_take_name(tx, address, "address", &n, err) < 0)
        return -1;
    s = yb_admin_find_last(tx, &yb_admin_alias_kind, n.local, n.domain, err);
    if (s == NULL || yb_admin_run(tx, s, &remove_one, NULL, 0, "alias", err) < 0)
        return -1;
    yb_admin_gone(s, "alias.delete");
    return yb_admin_led(tx, s, out, err);
}

int
yb_admin_alias_list(struct yb_admin_tx *tx, struct yb_str domain, struct yb_admin_page *page,
                    json_t **out, struct yb_err *err)
{
    return yb_admin_list_addresses(tx, YB_ADMIN_ALIASES, domain, page, out, err);
}

/* --- retirements --- */

static int
put_retirement(struct yb_admin_tx *tx, const struct yb_admin_name *n,
               const struct yb_admin_retirement *v, struct yb_str written, struct yb_err *err)
{
    struct yb_db_params p = { 0 };
    struct yb_str until;

    if (yb_admin_time(tx, v->expires_at, "expires_at", &until, err) != 0)
        return -1;

    yb_db_add_text(&p, n->local);
    yb_db_add_text(&p, n->written);
    yb_db_add_text(&p, n->domain);
    yb_db_add_text(&p, v->kind);
    yb_admin_add(&p, written);
    yb_admin_add(&p, until);
    return yb_admin_change(tx, &retire, &p, "domain", err);
}

/* The retirement as it is, if the address has one; made or changed, then. */
static int
retire_it(struct yb_admin_tx *tx, struct yb_str address, const struct yb_admin_name *n,
          const struct yb_admin_retirement *v, struct yb_str written, struct yb_admin_subject **s,
          struct yb_err *err)
{
    json_t *there = NULL;
    bool is;

    /* By the domain's lock two who retire one address see each other. */
    if (yb_admin_made(tx, &yb_admin_domain_kind, n->domain, YB_STR(""), err) == NULL)
        return -1;
    if (ask_name(tx, &is_retired, address, "address", &there, err) < 0)
        return -1;
    is = json_is_true(there);
    json_decref(there);
    *s = NULL;
    if (is) {
        *s = yb_admin_find(tx, &yb_admin_retired_kind, n->local, n->domain, err);
        if (*s == NULL)
            return -1;
    }
    if (put_retirement(tx, n, v, written, err) < 0)
        return -1;
    if (*s == NULL)
        *s = yb_admin_made(tx, &yb_admin_retired_kind, n->local, n->domain, err);
    return *s == NULL ? -1 : 0;
}

int
yb_admin_retire(struct yb_admin_tx *tx, struct yb_str address, const struct yb_admin_retirement *v,
                json_t **out, struct yb_err *err)
{
    struct yb_str written = { NULL, 0 }, key;
    struct yb_admin_subject *s;
    struct yb_admin_name n;

    *out = NULL;
    if (yb_admin_take_name(tx, address, "address", &n, err) < 0 ||
        (v->new_address.n > 0 &&
         yb_admin_target(tx, v->new_address, "new_address", &written, &key, err) < 0) ||
        retire_it(tx, address, &n, v, written, &s, err) < 0 ||
        yb_admin_done(tx, s, "account.retire", out, err) < 0)
        return -1;
    return written.p == NULL
               ? yb_admin_led(tx, s, out, err)
               : yb_admin_look(tx, key_of(s, tx->arena), &key, 1, "new_address", out, err);
}

int
yb_admin_restore(struct yb_admin_tx *tx, struct yb_str address, struct yb_err *err)
{
    struct yb_admin_subject *s = yb_admin_find_address(tx, &yb_admin_retired_kind, address, err);
    struct yb_db_params p = { 0 };

    if (s == NULL)
        return -1;
    yb_db_add_text(&p, s->key[0]);
    yb_db_add_text(&p, s->key[1]);
    if (yb_admin_change(tx, &restore, &p, "retired address", err) < 0)
        return -1;
    yb_admin_gone(s, "account.restore");
    return 0;
}

int
yb_admin_retired_list(struct yb_admin_tx *tx, struct yb_str domain, struct yb_admin_page *page,
                      json_t **out, struct yb_err *err)
{
    return yb_admin_list_addresses(tx, YB_ADMIN_RETIRED, domain, page, out, err);
}
