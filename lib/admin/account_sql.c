/* Accounts, their credentials, forwards and sender rights: their SQL, and the verbs over it. */
#include "lib/admin/ask.h"

#include "lib/cred/cred.h"

/* clang-format off */
static const struct yb_db_statement add = { "account_add",
    "INSERT INTO accounts (tenant_id, domain_id, local, written, display_name, home_node, "
    "                      quota_bytes, keep_copy, imap, pop3, submission) "
    "SELECT tenant_id, domain_id, $1::text, $2::text, coalesce($4::text, ''), "
    "       decode($5::text, 'hex'), coalesce(nullif($6::text, '')::bigint, 0), "
    "       coalesce(nullif($7::text, '')::boolean, true), coalesce(nullif($8::text, '')::boolean, true), "
    "       coalesce(nullif($9::text, '')::boolean, true), coalesce(nullif($10::text, '')::boolean, true) "
    "  FROM domains WHERE name = $3::text" };
static const struct yb_db_statement set = { "account_set",
    "UPDATE accounts a SET display_name = coalesce($3::text, display_name), "
    "  home_node = CASE WHEN $4::text IS NULL THEN home_node ELSE decode($4, 'hex') END, "
    "  quota_bytes = CASE WHEN $5::text IS NULL THEN quota_bytes ELSE coalesce(nullif($5, '')::bigint, 0) END, "
    "  keep_copy = coalesce(nullif($6::text, '')::boolean, keep_copy), "
    "  imap = coalesce(nullif($7::text, '')::boolean, imap), "
    "  pop3 = coalesce(nullif($8::text, '')::boolean, pop3), "
    "  submission = coalesce(nullif($9::text, '')::boolean, submission) "
    "FROM domains d WHERE d.domain_id = a.domain_id AND a.local = $1::text AND d.name = $2::text" };
static const struct yb_db_statement password = { "account_password",
    "INSERT INTO credentials (tenant_id, account_id, kind, verifier) "
    "SELECT a.tenant_id, a.account_id, 'primary', $3::text "
    "  FROM accounts a JOIN domains d USING (domain_id) WHERE a.local = $1::text AND d.name = $2::text "
    "ON CONFLICT (account_id) WHERE kind = 'primary' "
    "DO UPDATE SET verifier = excluded.verifier, changed_at = now()" };
static const struct yb_db_statement no_password = { "account_no_password",
    "DELETE FROM credentials c USING accounts a, domains d WHERE c.account_id = a.account_id "
    "   AND d.domain_id = a.domain_id AND c.kind = 'primary' AND a.local = $1::text AND d.name = $2::text" };
static const struct yb_db_statement suspend = { "account_suspend",
    "UPDATE accounts a SET suspended_at = CASE WHEN $3::text = '' THEN NULL ELSE now() END, "
    "  suspended_reason = nullif($3, '') FROM domains d "
    " WHERE d.domain_id = a.domain_id AND a.local = $1::text AND d.name = $2::text" };
static const struct yb_db_statement show = { "account_show",
    "SELECT to_json(c) FROM account_cards c "
    " WHERE c.local_key = $1::text AND c.domain = $2::text" };
/* Its card tells what was done to the account alone. */
static const struct yb_db_statement above = { "account_above",
    "SELECT coalesce(json_agg(w), '[]') FROM accounts a JOIN domains d USING (domain_id) "
    "  JOIN tenants t ON t.tenant_id = a.tenant_id, "
    "  LATERAL (VALUES ('its tenant is suspended: ' || t.suspended_reason), "
    "                  ('its domain is suspended: ' || d.suspended_reason), "
    "                  ((SELECT 'the address is retired: see `yubin account retired`' "
    "                      FROM retirements r WHERE r.domain_id = a.domain_id "
    "                       AND r.local = a.local "
    "                       AND coalesce(r.expires_at > now(), true)))) v (w) "
    " WHERE w IS NOT NULL AND a.local = $1::text AND d.name = $2::text" };
static const struct yb_db_statement list = { "account_list",
    "SELECT coalesce(json_agg(c ORDER BY c.domain, c.local_key), '[]') "
    "  FROM (SELECT * FROM account_cards WHERE ($4::text = '' OR domain = $4) "
    "           AND (domain, local_key) > ($2::text, $1::text) "
    "         ORDER BY domain, local_key LIMIT $3::integer) c" };
static const struct yb_db_statement id_of = { "account_id",
    "SELECT json_build_object('address', address, 'account_id', account_id) FROM account_cards "
    " WHERE local_key = $1::text AND domain = $2::text" };
static const struct yb_db_statement remove_one = { "account_delete",
    "DELETE FROM accounts a USING domains d WHERE d.domain_id = a.domain_id "
    "   AND a.local = $1::text AND d.name = $2::text" };
static const struct yb_db_statement lives_one = { "account_lives",
    "SELECT to_json(EXISTS (SELECT FROM accounts WHERE account_id = $1::uuid))" };
static const struct yb_db_statement app_add = { "account_app_add",
    "INSERT INTO credentials (tenant_id, account_id, kind, verifier, label) "
    "SELECT a.tenant_id, a.account_id, 'app', $3::text, $4::text "
    "  FROM accounts a JOIN domains d USING (domain_id) WHERE a.local = $1::text AND d.name = $2::text" };
static const struct yb_db_statement app_revoke = { "account_app_revoke",
    "DELETE FROM credentials c USING accounts a, domains d WHERE c.account_id = a.account_id "
    "   AND d.domain_id = a.domain_id AND c.kind = 'app' AND a.local = $1::text AND d.name = $2::text "
    "   AND ($3::text = '' OR c.label = $3)" };
static const struct yb_db_statement forward_add = { "account_forward_add",
    "INSERT INTO forwards (tenant_id, account_id, target, target_key) "
    "SELECT a.tenant_id, a.account_id, $3::text, $4::text "
    "  FROM accounts a JOIN domains d USING (domain_id) WHERE a.local = $1::text AND d.name = $2::text "
    "ON CONFLICT DO NOTHING" };
static const struct yb_db_statement forward_remove = { "account_forward_remove",
    "DELETE FROM forwards f USING accounts a, domains d WHERE f.account_id = a.account_id "
    "   AND d.domain_id = a.domain_id AND a.local = $1::text AND d.name = $2::text "
    "   AND f.target_key = $4::text AND $3::text IS NOT NULL" };
static const struct yb_db_statement right_add = { "account_right_add",
    "INSERT INTO sender_rights (tenant_id, account_id, domain_id, local) "
    "SELECT a.tenant_id, a.account_id, x.domain_id, $3::text "
    "  FROM accounts a JOIN domains d USING (domain_id) JOIN domains x ON x.tenant_id = a.tenant_id "
    " WHERE a.local = $1::text AND d.name = $2::text AND x.name = $4::text ON CONFLICT DO NOTHING" };
static const struct yb_db_statement right_remove = { "account_right_remove",
    "DELETE FROM sender_rights r USING accounts a, domains d, domains x "
    " WHERE r.account_id = a.account_id AND d.domain_id = a.domain_id AND x.domain_id = r.domain_id "
    "   AND a.local = $1::text AND d.name = $2::text AND r.local = $3::text AND x.name = $4::text" };
/* clang-format on */

/* The parameters that name an account: key form of the local part, then the domain. */
static int
named(struct yb_str address, struct yb_arena *arena, struct yb_db_params *p, struct yb_err *err)
{
    struct yb_admin_name n;

    if (yb_admin_name_parse(address, arena, &n, err) < 0)
        return -1;
    yb_db_add_text(p, n.local);
    yb_db_add_text(p, n.domain);
    return 0;
}

/* One change of one account, then its card. */
struct change {
    const struct yb_db_statement *st;
    struct yb_str values[4];
    size_t n;
    const char *what; /* is not there when no row was touched; NULL: that is fine */
};

static int
run_change(struct yb_db_conn *c, struct yb_str address, const struct change *ch,
           struct yb_arena *arena, struct yb_err *err)
{
    struct yb_db_params p = { 0 };

    if (named(address, arena, &p, err) < 0)
        return -1;
    for (size_t i = 0; i < ch->n; i++)
        yb_admin_add(&p, ch->values[i]);
    return yb_admin_change(c, ch->st, &p, ch->what, err);
}

static int
run_card(struct yb_db_conn *c, const struct yb_db_statement *st, struct yb_str address,
         struct yb_arena *arena, json_t **out, struct yb_err *err)
{
    struct yb_db_params q = { 0 };

    if (named(address, arena, &q, err) < 0)
        return -1;
    return yb_admin_card(c, st, &q, "account", out, err);
}

/* Where it leads now: what it keeps itself counts as well. */
static int
look_at(struct yb_db_conn *c, struct yb_str address, struct yb_arena *arena, json_t **out,
        struct yb_err *err)
{
    struct yb_str written, key;

    if (yb_admin_target(address, arena, &written, &key, err) < 0)
        return -1;
    return yb_admin_look(c, yb_str(NULL, 0), &key, 1, out, err);
}

static int
change_one(struct yb_admin *a, struct yb_str address, const struct change *ch, json_t **out,
           struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_db_conn *c = NULL;
    json_t *warnings = NULL;
    int rc = yb_admin_begin(a, &c, err);

    *out = NULL;
    if (rc == 0 && ch != NULL)
        rc = run_change(c, address, ch, arena, err);
    if (rc == 0)
        rc = run_card(c, &show, address, arena, out, err);
    if (rc == 0 && ch != NULL && ch->st == &forward_add)
        rc = look_at(c, address, arena, out, err);
    if (rc == 0 && ch == NULL)
        rc = run_card(c, &above, address, arena, &warnings, err);
    if (rc == 0 && json_array_size(warnings) > 0)
        json_object_set(*out, "warnings", warnings);
    json_decref(warnings);
    rc = yb_admin_end(&c, rc, out, err);
    yb_arena_free(&arena);
    return rc;
}

/* Sets the verifier, where one is given; an empty one takes the password away. */
static int
set_password(struct yb_db_conn *c, struct yb_str address, struct yb_str verifier,
             struct yb_arena *arena, struct yb_err *err)
{
    const struct change set_it = { &password, { verifier }, 1, "account" };
    const struct change drop_it = { &no_password, { { NULL, 0 } }, 0, NULL };

    if (verifier.p == NULL)
        return 0;
    if (verifier.n > 0 && yb_cred_check(verifier, err) < 0)
        return -1;
    return run_change(c, address, verifier.n > 0 ? &set_it : &drop_it, arena, err);
}

static int
add_row(struct yb_admin *a, struct yb_db_conn *c, struct yb_str address,
        const struct yb_admin_account *v, struct yb_arena *arena, struct yb_err *err)
{
    struct yb_db_params p = { 0 };
    struct yb_admin_name n;
    struct yb_str home = v->home_node;

    if (yb_admin_name_parse(address, arena, &n, err) < 0)
        return -1;
    if (home.n == 0 && yb_admin_home(a, c, arena, &home, err) < 0)
        return -1;
    yb_db_add_text(&p, n.local);
    yb_db_add_text(&p, n.written);
    yb_db_add_text(&p, n.domain);
    yb_admin_add(&p, v->name);
    yb_db_add_text(&p, home);
    yb_admin_add(&p, v->quota_bytes);
    yb_admin_add(&p, v->keep_copy);
    yb_admin_add(&p, v->imap);
    yb_admin_add(&p, v->pop3);
    yb_admin_add(&p, v->submission);
    return yb_admin_change(c, &add, &p, "domain", err);
}

int
yb_admin_account_add(struct yb_admin *a, struct yb_str address, const struct yb_admin_account *v,
                     json_t **out, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_db_conn *c = NULL;
    int rc = yb_admin_begin(a, &c, err);

    *out = NULL;
    if (rc == 0)
        rc = add_row(a, c, address, v, arena, err);
    if (rc == 0)
        rc = set_password(c, address, v->verifier, arena, err);
    if (rc == 0)
        rc = run_card(c, &show, address, arena, out, err);
    rc = yb_admin_end(&c, rc, out, err);
    yb_arena_free(&arena);
    return rc;
}

int
yb_admin_account_set(struct yb_admin *a, struct yb_str address, const struct yb_admin_account *v,
                     json_t **out, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_db_params p = { 0 };
    struct yb_db_conn *c = NULL;
    int rc = yb_admin_begin(a, &c, err);

    *out = NULL;
    if (rc == 0)
        rc = named(address, arena, &p, err);
    if (rc == 0) {
        yb_admin_add(&p, v->name);
        yb_admin_add(&p, v->home_node);
        yb_admin_add(&p, v->quota_bytes);
        yb_admin_add(&p, v->keep_copy);
        yb_admin_add(&p, v->imap);
        yb_admin_add(&p, v->pop3);
        yb_admin_add(&p, v->submission);
        rc = yb_admin_change(c, &set, &p, "account", err);
    }
    if (rc == 0)
        rc = set_password(c, address, v->verifier, arena, err);
    if (rc == 0)
        rc = run_card(c, &show, address, arena, out, err);
    if (rc == 0 && v->keep_copy.n > 0) /* without a copy, forwards may be all there is */
        rc = look_at(c, address, arena, out, err);
    rc = yb_admin_end(&c, rc, out, err);
    yb_arena_free(&arena);
    return rc;
}

int
yb_admin_account_suspend(struct yb_admin *a, struct yb_str address, struct yb_str reason,
                         json_t **out, struct yb_err *err)
{
    return change_one(a, address, &(struct change){ &suspend, { reason }, 1, "account" }, out, err);
}

int
yb_admin_account_show(struct yb_admin *a, struct yb_str address, json_t **out, struct yb_err *err)
{
    return change_one(a, address, NULL, out, err);
}

int
yb_admin_account_list(struct yb_admin *a, struct yb_str domain, const struct yb_admin_page *page,
                      json_t **out, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_db_params q = { 0 };
    int rc = yb_admin_page_params(page, domain, arena, &q, err);

    if (rc == 0)
        rc = yb_admin_ask(a, NULL, NULL, &list, &q, "account", out, err);
    yb_arena_free(&arena);
    return rc;
}

int
yb_admin_account_delete(struct yb_admin *a, struct yb_str address, json_t **out, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_admin_name n;
    struct yb_db_conn *c = NULL;
    int rc = yb_admin_begin(a, &c, err);

    *out = NULL;
    if (rc == 0)
        rc = run_card(c, &id_of, address, arena, out, err);
    if (rc == 0)
        rc = run_change(c, address, &(struct change){ &remove_one, { { NULL, 0 } }, 0, "account" },
                        arena, err);
    if (rc == 0)
        rc = yb_admin_name_parse(address, arena, &n, err);
    if (rc == 0)
        rc = yb_admin_led(c, &n, out, err);
    rc = yb_admin_end(&c, rc, out, err);
    yb_arena_free(&arena);
    return rc;
}

int
yb_admin_account_lives(struct yb_admin *a, struct yb_account_id id, bool *lives, struct yb_err *err)
{
    struct yb_db_params q = { 0 };
    json_t *answer = NULL;
    int rc;

    yb_db_add_bytes(&q, id.v, sizeof(id.v));
    rc = yb_admin_ask(a, NULL, NULL, &lives_one, &q, "account", &answer, err);
    if (rc == 0)
        *lives = json_is_true(answer);
    json_decref(answer);
    return rc;
}

int
yb_admin_account_app_password(struct yb_admin *a, struct yb_str address, struct yb_str label,
                              json_t **out, struct yb_err *err)
{
    char text[YB_CRED_APP_TEXT], hash[YB_CRED_APP_HASH];
    int rc;

    yb_cred_app_make(text, hash);
    rc = change_one(a, address,
                    &(struct change){ &app_add, { yb_str_from(hash), label }, 2, "account" }, out,
                    err);
    if (rc == 0)
        json_object_set_new(*out, "app_password", json_string(text));
    explicit_bzero(text, sizeof(text));
    return rc;
}

int
yb_admin_account_app_revoke(struct yb_admin *a, struct yb_str address, struct yb_str label,
                            json_t **out, struct yb_err *err)
{
    return change_one(a, address, &(struct change){ &app_revoke, { label }, 1, "app password" },
                      out, err);
}

int
yb_admin_account_forward(struct yb_admin *a, struct yb_str address, struct yb_str target,
                         bool add_it, json_t **out, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    struct yb_str written, key;
    int rc = yb_admin_target(target, arena, &written, &key, err);

    if (rc == 0)
        rc = change_one(a, address,
                        &(struct change){ add_it ? &forward_add : &forward_remove,
                                          { written, key },
                                          2,
                                          add_it ? NULL : "forward" },
                        out, err);
    yb_arena_free(&arena);
    return rc;
}

int
yb_admin_account_may_send(struct yb_admin *a, struct yb_str address, struct yb_str as, bool add_it,
                          json_t **out, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(1024);
    bool whole = as.n > 0 && as.p[0] == '@';
    struct yb_str any = yb_arena_printf(arena, "any%.*s", YB_STR_ARG(as));
    struct yb_admin_name n;
    int rc = yb_admin_name_parse(whole ? any : as, arena, &n, err);

    if (rc == 0)
        rc = change_one(
            a, address,
            &(struct change){ add_it ? &right_add : &right_remove,
                              { whole ? YB_STR("") : n.local, n.domain },
                              2,
                              add_it ? "account, or domain of its tenant (or it has this right)"
                                     : "sender right" },
            out, err);
    yb_arena_free(&arena);
    return rc;
}
