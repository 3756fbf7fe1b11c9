/* Accounts, their credentials, forwards and sender rights: their SQL, and the verbs over it. */
#include "lib/admin/list.h"
#include "lib/admin/words.h"

#include "lib/cred/cred.h"

/* clang-format off */
static const struct yb_db_statement ids = { "account_ids",
    "SELECT a.tenant_id, a.domain_id, a.account_id, a.written || '@' || d.name "
    "  FROM accounts a JOIN domains d USING (domain_id) WHERE a.local = $1::text AND d.name = $2::text "
    "   FOR NO KEY UPDATE OF a" };
/* To be removed: who adds something below it meanwhile holds it by its key. The counts before, so that nobody
 * waits for this account while it waits for them. */
static const struct yb_db_statement ids_gone = { "account_ids_gone",
    "SELECT a.tenant_id, a.domain_id, a.account_id, a.written || '@' || d.name "
    "  FROM accounts a JOIN domains d USING (domain_id) WHERE a.local = $1::text AND d.name = $2::text "
    "   AND (SELECT yb_counts_lock(x.tenant_id) FROM domains x WHERE x.name = $2::text) FOR UPDATE OF a" };
static const struct yb_db_statement card = { "account_card",
    "SELECT to_json(c) FROM account_cards c WHERE c.address_key = $1::text || '@' || $2::text" };
static const struct yb_db_statement add = { "account_add",
    "INSERT INTO accounts (tenant_id, domain_id, local, written, store_id) "
    "SELECT tenant_id, domain_id, $1::text, $2::text, $4::text FROM domains WHERE name = $3::text" };
static const struct yb_db_statement password = { "account_password",
    "INSERT INTO credentials (tenant_id, account_id, kind, verifier) VALUES ($2::uuid, $1::uuid, 'primary', $3::text) "
    "ON CONFLICT (account_id) WHERE kind = 'primary' "
    "DO UPDATE SET verifier = excluded.verifier, changed_at = now()" };
static const struct yb_db_statement no_password = { "account_no_password",
    "DELETE FROM credentials WHERE account_id = $1::uuid AND tenant_id = $2::uuid AND kind = 'primary'" };
static const struct yb_db_statement suspend = { "account_suspend",
    "UPDATE accounts SET suspended_at = CASE WHEN $3::text = '' THEN NULL ELSE now() END, "
    "  suspended_reason = nullif($3, '') WHERE account_id = $1::uuid AND tenant_id = $2::uuid" };
/* Its card tells what was done to the account alone. */
static const struct yb_db_statement above = { "account_above",
    "SELECT coalesce(json_agg(w), '[]') FROM accounts a JOIN domains d USING (domain_id) "
    "  JOIN tenants t ON t.tenant_id = a.tenant_id, "
    "  LATERAL (VALUES ('its tenant is suspended: ' || t.suspended_reason), "
    "                  ('its domain is suspended: ' || d.suspended_reason), "
    "                  ((SELECT 'the address is retired' "
    "                      FROM retirements r WHERE r.domain_id = a.domain_id "
    "                       AND r.local = a.local "
    "                       AND coalesce(r.expires_at > now(), true)))) v (w) "
    " WHERE w IS NOT NULL AND a.local = $1::text AND d.name = $2::text" };
static const struct yb_db_statement remove_one = { "account_delete",
    "DELETE FROM accounts WHERE account_id = $1::uuid AND tenant_id = $2::uuid" };
static const struct yb_db_statement lives_one = { "account_lives",
    "SELECT to_json(EXISTS (SELECT FROM accounts WHERE account_id = $1::uuid))" };
static const struct yb_db_statement app_add = { "account_app_add",
    "INSERT INTO credentials (tenant_id, account_id, kind, verifier, label) "
    "VALUES ($2::uuid, $1::uuid, 'app', $3::text, $4::text)" };
static const struct yb_db_statement app_revoke = { "account_app_revoke",
    "DELETE FROM credentials WHERE account_id = $1::uuid AND tenant_id = $2::uuid AND kind = 'app' "
    "   AND ($3::text = '' OR label = $3)" };
static const struct yb_db_statement forward_add = { "account_forward_add",
    "INSERT INTO forwards (tenant_id, account_id, target, target_key) "
    "VALUES ($2::uuid, $1::uuid, $3::text, $4::text) ON CONFLICT DO NOTHING" };
static const struct yb_db_statement forward_remove = { "account_forward_remove",
    "DELETE FROM forwards WHERE account_id = $1::uuid AND tenant_id = $2::uuid AND target_key = $3::text" };
/* Of a domain of its tenant. */
static const struct yb_db_statement right_add = { "account_right_add",
    "INSERT INTO sender_rights (tenant_id, account_id, domain_id, local) "
    "SELECT x.tenant_id, $1::uuid, x.domain_id, $3::text FROM domains x "
    " WHERE x.tenant_id = $2::uuid AND x.name = $4::text ON CONFLICT DO NOTHING" };
static const struct yb_db_statement right_remove = { "account_right_remove",
    "DELETE FROM sender_rights r USING domains x WHERE r.account_id = $1::uuid AND r.tenant_id = $2::uuid "
    "   AND x.domain_id = r.domain_id AND r.local = $3::text AND x.name = $4::text" };
/* clang-format on */

const struct yb_admin_kind yb_admin_account_kind = {
    "account", &ids, &ids_gone, &card, &yb_admin_account_fields, "accounts", "account_id", true,
};

static struct yb_admin_subject *
find(struct yb_admin_tx *tx, struct yb_str address, struct yb_err *err)
{
    return yb_admin_find_address(tx, &yb_admin_account_kind, address, err);
}

/* A change that is one statement. */
static int
change(struct yb_admin_tx *tx, struct yb_str address, const struct yb_db_statement *st,
       const struct yb_str *texts, size_t n, const char *what, const char *action, json_t **out,
       struct yb_err *err)
{
    struct yb_admin_subject *s = find(tx, address, err);

    *out = NULL;
    if (s == NULL || yb_admin_run(tx, s, st, texts, n, what, err) < 0)
        return -1;
    return yb_admin_done(tx, s, action, out, err);
}

/* Where it leads now: what it keeps itself counts as well. */
static int
look_at(struct yb_admin_tx *tx, struct yb_str address, const char *field, json_t **out,
        struct yb_err *err)
{
    struct yb_str written, key;

    if (yb_admin_target(tx, address, "address", &written, &key, err) < 0)
        return -1;
    return yb_admin_look(tx, yb_str(NULL, 0), &key, 1, field, out, err);
}

/* Sets the verifier, where one is given; an empty one takes the password away. */
static int
set_password(struct yb_admin_tx *tx, struct yb_admin_subject *s, struct yb_str verifier,
             struct yb_err *err)
{
    struct yb_err why = { 0 };

    if (verifier.p == NULL)
        return 0;
    if (verifier.n > 0 && yb_cred_check(verifier, &why) < 0)
        return yb_admin_refuse(tx, YB_ERR_VALUE, "verifier", err, "%s", why.text);
    yb_admin_secret(s, "password");
    return yb_admin_run(tx, s, verifier.n > 0 ? &password : &no_password, &verifier,
                        verifier.n > 0 ? 1 : 0, NULL, err);
}

static int
add_row(struct yb_admin_tx *tx, const struct yb_admin_name *n, const struct yb_admin_account *v,
        struct yb_err *err)
{
    struct yb_db_params p = { 0 };
    struct yb_node_id id;
    struct yb_str store;

    if (v->home_node.n > 0 && !yb_node_id_parse(v->home_node, &id))
        return yb_admin_refuse(tx, YB_ERR_SYNTAX, "home_node", err, "%.*s is no node's id",
                               YB_STR_ARG(v->home_node));
    if (v->home_node.n > 0 && v->store.n > 0)
        return yb_admin_refuse(tx, YB_ERR_SYNTAX, "home_node", err, "A store or a node, not both");
    if (yb_admin_store_find(tx, v->store, v->home_node, &store, err) < 0)
        return -1;
    yb_db_add_text(&p, n->local);
    yb_db_add_text(&p, n->written);
    yb_db_add_text(&p, n->domain);
    yb_admin_add(&p, store);
    return yb_admin_change(tx, &add, &p, "domain", err);
}

int
yb_admin_account_add(struct yb_admin_tx *tx, struct yb_str address,
                     const struct yb_admin_account *v, json_t **out, struct yb_err *err)
{
    struct yb_admin_subject *s;
    struct yb_admin_name n;

    *out = NULL;
    if (yb_admin_take_name(tx, address, "address", &n, err) < 0 || add_row(tx, &n, v, err) < 0)
        return -1;
    s = yb_admin_made(tx, &yb_admin_account_kind, n.local, n.domain, err);
    if (s == NULL || yb_admin_set(tx, s, &v->values, err) < 0 || yb_admin_words(tx, s, err) < 0 ||
        set_password(tx, s, v->verifier, err) < 0)
        return -1;
    return yb_admin_done(tx, s, "account.add", out, err);
}

/* Without a copy, forwards may be all there is. */
static bool
sets_keep_copy(const struct yb_admin_values *v)
{
    for (size_t i = 0; i < yb_admin_account_fields.n; i++) {
        if (strcmp(yb_admin_account_fields.v[i].name, "keep_copy") == 0)
            return v->v[i].n > 0;
    }
    return false;
}

int
yb_admin_account_set(struct yb_admin_tx *tx, struct yb_str address,
                     const struct yb_admin_account *v, json_t **out, struct yb_err *err)
{
    struct yb_admin_subject *s = find(tx, address, err);
    bool password_only = v->verifier.p != NULL;

    *out = NULL;
    if (s == NULL || yb_admin_set(tx, s, &v->values, err) < 0 || yb_admin_words(tx, s, err) < 0 ||
        set_password(tx, s, v->verifier, err) < 0)
        return -1;
    for (size_t i = 0; i < yb_admin_account_fields.n; i++)
        password_only = password_only && v->values.v[i].p == NULL;
    if (yb_admin_done(tx, s, password_only ? "account.password" : "account.set", out, err) < 0)
        return -1;
    return sets_keep_copy(&v->values) ? look_at(tx, address, "keep_copy", out, err) : 0;
}

int
yb_admin_account_suspend(struct yb_admin_tx *tx, struct yb_str address, struct yb_str reason,
                         json_t **out, struct yb_err *err)
{
    *out = NULL;
    if (yb_admin_text(tx, reason, "reason", err) < 0)
        return -1;
    return change(tx, address, &suspend, &reason, 1, "account",
                  reason.n > 0 ? "account.suspend" : "account.resume", out, err);
}

int
yb_admin_account_show(struct yb_admin_tx *tx, struct yb_str address, json_t **out,
                      struct yb_err *err)
{
    struct yb_db_params q = { 0 }, also = { 0 };
    struct yb_admin_name n;
    json_t *warnings = NULL;

    *out = NULL;
    if (yb_admin_take_name(tx, address, "address", &n, err) < 0)
        return -1;
    yb_db_add_text(&q, n.local);
    yb_db_add_text(&q, n.domain);
    if (yb_admin_ask(tx, &card, &q, "account", out, err) < 0)
        return -1;
    yb_db_add_text(&also, n.local);
    yb_db_add_text(&also, n.domain);
    if (yb_admin_ask(tx, &above, &also, "account", &warnings, err) < 0)
        return -1;
    if (json_array_size(warnings) > 0)
        json_object_set(*out, "warnings", warnings);
    json_decref(warnings);
    return 0;
}

int
yb_admin_account_list(struct yb_admin_tx *tx, struct yb_str domain, struct yb_admin_page *page,
                      json_t **out, struct yb_err *err)
{
    return yb_admin_list_addresses(tx, YB_ADMIN_ACCOUNTS, domain, page, out, err);
}

int
yb_admin_account_delete(struct yb_admin_tx *tx, struct yb_str address, json_t **out,
                        struct yb_err *err)
{
    struct yb_admin_subject *s;
    struct yb_admin_name n;

    *out = NULL;
    if (yb_admin_take_name(tx, address, "address", &n, err) < 0)
        return -1;
    s = yb_admin_find_last(tx, &yb_admin_account_kind, n.local, n.domain, err);
    if (s == NULL || yb_admin_run(tx, s, &remove_one, NULL, 0, "account", err) < 0)
        return -1;
    yb_admin_gone(s, "account.delete");
    *out = json_pack("{s:O, s:O}", "address", json_object_get(s->before, "address"), "account_id",
                     json_object_get(s->before, "account_id"));
    return yb_admin_led(tx, s, out, err);
}

int
yb_admin_account_lives(struct yb_admin_tx *tx, struct yb_account_id id, bool *lives,
                       struct yb_err *err)
{
    struct yb_db_params q = { 0 };
    json_t *answer = NULL;

    yb_db_add_bytes(&q, id.v, sizeof(id.v));
    if (yb_admin_ask(tx, &lives_one, &q, "account", &answer, err) < 0)
        return -1;
    *lives = json_is_true(answer);
    json_decref(answer);
    return 0;
}

int
yb_admin_account_app_password(struct yb_admin_tx *tx, struct yb_str address, struct yb_str label,
                              json_t **out, struct yb_err *err)
{
    char text[YB_CRED_APP_TEXT], hash[YB_CRED_APP_HASH];
    int rc;

    *out = NULL;
    if (yb_admin_text(tx, label, "label", err) < 0)
        return -1;
    yb_cred_app_make(text, hash);
    rc = change(tx, address, &app_add, (struct yb_str[]){ yb_str_from(hash), label }, 2, NULL,
                "account.app-password", out, err);
    if (rc == 0)
        json_object_set_new(*out, "app_password", json_string(text));
    explicit_bzero(text, sizeof(text));
    return rc;
}

int
yb_admin_account_app_revoke(struct yb_admin_tx *tx, struct yb_str address, struct yb_str label,
                            json_t **out, struct yb_err *err)
{
    return change(tx, address, &app_revoke, &label, 1, "app password", "account.app-revoke", out,
                  err);
}

int
yb_admin_account_forward(struct yb_admin_tx *tx, struct yb_str address, struct yb_str target,
                         bool add_it, json_t **out, struct yb_err *err)
{
    struct yb_str written, key;

    *out = NULL;
    if (yb_admin_target(tx, target, "target", &written, &key, err) < 0)
        return -1;
    if (!add_it)
        return change(tx, address, &forward_remove, &key, 1, "forward", "account.unforward", out,
                      err);
    if (change(tx, address, &forward_add, (struct yb_str[]){ written, key }, 2, NULL,
               "account.forward", out, err) < 0)
        return -1;
    return look_at(tx, address, "target", out, err);
}

int
yb_admin_account_may_send(struct yb_admin_tx *tx, struct yb_str address, struct yb_str as,
                          bool add_it, json_t **out, struct yb_err *err)
{
    bool whole = as.n > 0 && as.p[0] == '@';
    struct yb_admin_name n;

    *out = NULL;
    if (whole) {
        n.local = YB_STR("");
        if (yb_admin_domain(tx, yb_str_skip(as, 1), "as", &n.domain, err) < 0)
            return -1;
    } else if (yb_admin_take_name(tx, as, "as", &n, err) < 0) {
        return -1;
    }
    return change(tx, address, add_it ? &right_add : &right_remove,
                  (struct yb_str[]){ n.local, n.domain }, 2,
                  add_it ? "domain of its tenant (or it has this right)" : "sender right",
                  add_it ? "account.allow-sender" : "account.deny-sender", out, err);
}
