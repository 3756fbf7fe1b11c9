/* Settings: of the platform, a tenant, a domain, an account. Which there are is lib/settings'. */
#include "lib/admin/verb.h"

#include "lib/settings/registry.h"

#include <stdlib.h>

#define KEYS_MOST 100 /* in one call */

/* clang-format off */
/* Who is found to be changed is locked, so that two who set one thing do so behind each other; of the platform,
 * which is no row, what is set already. Who only looks waits for nobody. */
#define PLATFORM(lock) \
    "SELECT NULL::uuid, NULL::uuid, NULL::uuid, 'platform' FROM (SELECT count(*) FROM (SELECT FROM settings " \
    " WHERE tenant_id IS NULL AND node_id IS NULL " lock ") y) x WHERE $1::text = '' AND $2::text = ''"
#define TENANT(lock) \
    "SELECT tenant_id, NULL::uuid, NULL::uuid, name FROM tenants WHERE name = $1::text AND $2::text = '' " lock
#define DOMAIN(lock) \
    "SELECT tenant_id, domain_id, NULL::uuid, name::text FROM domains WHERE name = $1::text AND $2::text = '' " lock
#define ACCOUNT(lock) \
    "SELECT a.tenant_id, a.domain_id, a.account_id, a.written || '@' || d.name " \
    "  FROM accounts a JOIN domains d USING (domain_id) WHERE a.local = $1::text AND d.name = $2::text " lock
static const struct yb_db_statement platform_ids = { "setting_platform", PLATFORM("FOR NO KEY UPDATE") };
static const struct yb_db_statement tenant_ids = { "setting_tenant", TENANT("FOR NO KEY UPDATE") };
static const struct yb_db_statement domain_ids = { "setting_domain", DOMAIN("FOR NO KEY UPDATE") };
static const struct yb_db_statement account_ids = { "setting_account", ACCOUNT("FOR NO KEY UPDATE OF a") };
static const struct yb_db_statement seen[YB_LEVELS] = {
    [YB_LEVEL_PLATFORM] = { "setting_platform_seen", PLATFORM("") },
    [YB_LEVEL_TENANT] = { "setting_tenant_seen", TENANT("") },
    [YB_LEVEL_DOMAIN] = { "setting_domain_seen", DOMAIN("") },
    [YB_LEVEL_ACCOUNT] = { "setting_account_seen", ACCOUNT("") },
};

/* What is set there itself, for the audit: {key: {value, locked}}; columns as what they are. */
#define CARD "SELECT coalesce(jsonb_object_agg(s.key, jsonb_build_object('value', s.value, 'locked', s.locked)), '{}') "
static const struct yb_db_statement platform_card = { "setting_platform_card",
    CARD "FROM settings s WHERE s.tenant_id IS NULL AND s.node_id IS NULL AND $1::text = '' AND $2::text = ''" };
static const struct yb_db_statement tenant_card = { "setting_tenant_card",
    CARD "FROM tenants t JOIN settings s ON s.tenant_id = t.tenant_id AND s.domain_id IS NULL "
    "  AND s.account_id IS NULL WHERE t.name = $1::text AND $2::text = ''" };
static const struct yb_db_statement domain_card = { "setting_domain_card",
    CARD "FROM domains d JOIN settings s ON s.tenant_id = d.tenant_id AND s.domain_id = d.domain_id "
    "  AND s.account_id IS NULL WHERE d.name = $1::text AND $2::text = ''" };
static const struct yb_db_statement account_card = { "setting_account_card",
    CARD "FROM domains d JOIN accounts a USING (domain_id), LATERAL ("
    "  SELECT x.key, x.value, x.locked FROM settings x WHERE x.tenant_id = a.tenant_id "
    "     AND x.domain_id = a.domain_id AND x.account_id = a.account_id "
    "  UNION ALL SELECT k.key, to_jsonb(a) -> k.key, false FROM setting_keys k WHERE k.is_column) s "
    " WHERE a.local = $1::text AND d.name = $2::text" };

#define COUNTS "SELECT yb_settings_of(CASE WHEN $2::uuid IS NULL AND $3::uuid IS NULL THEN $1::uuid END, "           \
               "CASE WHEN $3::uuid IS NULL THEN $2::uuid END, $3::uuid) AS counts"
static const struct yb_db_statement set = { "setting_set",
    "INSERT INTO settings AS s (tenant_id, domain_id, account_id, key, value, locked) "
    "VALUES ($1::uuid, $2::uuid, $3::uuid, $4::text, $5::text::jsonb, coalesce($6::boolean, false)) "
    "ON CONFLICT (tenant_id, domain_id, account_id, node_id, key) DO UPDATE "
    "   SET value = excluded.value, locked = coalesce($6, s.locked) "
    " WHERE s.value <> excluded.value OR s.locked <> coalesce($6, s.locked)" };
static const struct yb_db_statement unset = { "setting_unset",
    "DELETE FROM settings WHERE tenant_id IS NOT DISTINCT FROM $1::uuid AND domain_id IS NOT DISTINCT FROM $2::uuid "
    "   AND account_id IS NOT DISTINCT FROM $3::uuid AND node_id IS NULL AND key = $4::text" };
/* Rows that are there, and whether they count. */
static const struct yb_db_statement own = { "setting_own",
    "SELECT coalesce(jsonb_agg(jsonb_build_object('key', s.key, 'value', s.value, 'from', $4::text, 'locked', s.locked, "
    "       'counts', coalesce(c.counts -> s.key ->> 'from' = $4, false)) ORDER BY s.key), '[]') "
    "  FROM settings s, (" COUNTS ") AS c WHERE s.tenant_id IS NOT DISTINCT FROM $1 "
    "   AND s.domain_id IS NOT DISTINCT FROM $2 AND s.account_id IS NOT DISTINCT FROM $3 AND s.node_id IS NULL" };
static const struct yb_db_statement effective = { "setting_effective",
    "SELECT coalesce(jsonb_agg(jsonb_build_object('key', e.key, 'counts', true) || e.value ORDER BY e.key), '[]') "
    "  FROM (" COUNTS ") AS c, jsonb_each(c.counts) AS e WHERE $4::text[] IS NULL OR e.key = ANY ($4)" };
/* One key at each level from above, the default first. */
static const struct yb_db_statement explain = { "setting_explain",
    "SELECT jsonb_agg(jsonb_build_object('level', l.level, 'of', l.of, 'value', l.value, 'locked', l.locked, "
    "       'counts', l.level = c.counts -> $2::text ->> 'from') ORDER BY l.n) "
    "  FROM accounts a JOIN domains d USING (domain_id) JOIN tenants t ON t.tenant_id = a.tenant_id "
    "  JOIN setting_keys k ON k.key = $2, LATERAL (SELECT yb_settings_of(NULL, NULL, a.account_id) AS counts) AS c, "
    "LATERAL (SELECT 0 AS n, 'default' AS level, NULL AS of, k.standard AS value, false AS locked "
    "  UNION ALL SELECT x.n, x.level, x.of, s.value, s.locked "
    "    FROM (VALUES (1, 'platform', NULL, NULL::uuid, NULL::uuid, NULL::uuid), "
    "                 (2, 'tenant', t.name, a.tenant_id, NULL, NULL), "
    "                 (3, 'domain', d.name, a.tenant_id, a.domain_id, NULL), "
    "                 (4, 'account', a.written || '@' || d.name, a.tenant_id, a.domain_id, a.account_id)) "
    "      AS x (n, level, of, tenant_id, domain_id, account_id) "
    "    LEFT JOIN settings s ON s.key = k.key AND s.node_id IS NULL "
    "      AND s.tenant_id IS NOT DISTINCT FROM x.tenant_id AND s.domain_id IS NOT DISTINCT FROM x.domain_id "
    "      AND s.account_id IS NOT DISTINCT FROM x.account_id "
    "   WHERE k.may[x.n] IS NOT NULL AND NOT k.is_column "
    "  UNION ALL SELECT 4, 'account', a.written || '@' || d.name, to_jsonb(a) -> k.key, false WHERE k.is_column) AS l "
    " WHERE a.account_id = $1::uuid HAVING count(*) > 0" };
/* clang-format on */

/* By level. `what` and the table are those of the thing that is found; only an account has columns. */
static const struct yb_admin_kind kinds[YB_LEVELS] = {
    [YB_LEVEL_PLATFORM] = { .what = "platform", .ids = &platform_ids, .card = &platform_card },
    [YB_LEVEL_TENANT] = { .what = "tenant", .ids = &tenant_ids, .card = &tenant_card },
    [YB_LEVEL_DOMAIN] = { .what = "domain", .ids = &domain_ids, .card = &domain_card },
    [YB_LEVEL_ACCOUNT] = { .what = "account",
                           .ids = &account_ids,
                           .card = &account_card,
                           .fields = &yb_admin_account_fields,
                           .table = "accounts",
                           .key = "account_id",
                           .account = true },
};

static enum yb_setting_level
level_of(const struct yb_admin_subject *s)
{
    return (enum yb_setting_level)(s->kind - kinds);
}

/* Whose settings: in which level, and by which name it is found. */
static int
whose(struct yb_admin_tx *tx, const struct yb_admin_settings_of *of, enum yb_setting_level *level,
      struct yb_str key[2], struct yb_err *err)
{
    struct yb_admin_name n;

    key[0] = key[1] = YB_STR("");
    if ((of->tenant.p != NULL) + (of->domain.p != NULL) + (of->account.p != NULL) > 1)
        return yb_admin_refuse(tx, YB_ERR_SYNTAX, NULL, err,
                               "Settings are those of one tenant, one domain or one account");
    *level = YB_LEVEL_PLATFORM;
    if (of->account.p != NULL) {
        *level = YB_LEVEL_ACCOUNT;
        if (yb_admin_take_name(tx, of->account, "account", &n, err) < 0)
            return -1;
        key[0] = n.local;
        key[1] = n.domain;
    } else if (of->domain.p != NULL) {
        *level = YB_LEVEL_DOMAIN;
        return yb_admin_domain(tx, of->domain, "domain", &key[0], err);
    } else if (of->tenant.p != NULL) {
        *level = YB_LEVEL_TENANT;
        key[0] = of->tenant;
    }
    return 0;
}

/* To be changed. */
static struct yb_admin_subject *
find(struct yb_admin_tx *tx, const struct yb_admin_settings_of *of, struct yb_err *err)
{
    enum yb_setting_level level;
    struct yb_str key[2];

    if (whose(tx, of, &level, key, err) < 0)
        return NULL;
    return yb_admin_find(tx, &kinds[level], key[0], key[1], err);
}

/* To be looked at. */
static const struct yb_admin_subject *
see(struct yb_admin_tx *tx, const struct yb_admin_settings_of *of, struct yb_err *err)
{
    enum yb_setting_level level;
    struct yb_str key[2];

    if (whose(tx, of, &level, key, err) < 0)
        return NULL;
    return yb_admin_see(tx, &kinds[level], &seen[level], key[0], key[1], err);
}

static void
add_ids(struct yb_db_params *p, const struct yb_admin_subject *s)
{
    yb_admin_add_id(p, s->has_tenant, s->tenant);
    yb_admin_add_id(p, s->has_domain, s->domain);
    yb_admin_add_id(p, s->has_id, s->id);
}

/* --- what is wrong with it --- */

/* "the platform, a tenant": where it is set. */
static struct yb_str
levels_of(const struct yb_setting *s, struct yb_arena *arena)
{
    static const char *const names[] = { "the platform", "a tenant", "a domain", "an account" };
    struct yb_str text = YB_STR("");

    for (size_t i = 0; i < YB_LEVELS; i++) {
        if (s->may[i] != 0)
            text = yb_arena_printf(arena, "%.*s%s%s", YB_STR_ARG(text), text.n == 0 ? "" : ", ",
                                   names[i]);
    }
    return text;
}

/* NULL: it was refused. */
static const struct yb_setting *
take_key(struct yb_admin_tx *tx, struct yb_str key, enum yb_setting_level level, struct yb_err *err)
{
    const struct yb_setting *s = yb_setting_find(key);
    struct yb_str levels;

    if (s == NULL) {
        yb_admin_refuse(tx, YB_ERR_NOT_FOUND, yb_arena_dup(tx->arena, key).p, err,
                        "There is no setting %.*s", YB_STR_ARG(key));
        return NULL;
    }
    if (s->may[level] != 0)
        return s;
    levels = levels_of(s, tx->arena);
    yb_admin_refuse(tx, YB_ERR_VALUE, s->key, err, "%s can be set for %.*s only", s->key,
                    YB_STR_ARG(levels));
    return NULL;
}

static bool
lock_fits(struct yb_admin_tx *tx, const struct yb_setting *s, enum yb_setting_level level,
          struct yb_err *err)
{
    if (s->lockable && level != YB_LEVEL_ACCOUNT)
        return true;
    yb_admin_refuse(tx, YB_ERR_VALUE, s->key, err, "%s cannot be locked%s", s->key,
                    s->lockable ? " by an account: nothing is below it" : "");
    return false;
}

/* Which of two values would count is nobody's guess. */
static bool
is_repeated(struct yb_admin_tx *tx, const struct yb_str *keys, size_t i, struct yb_err *err)
{
    for (size_t k = 0; k < i; k++) {
        if (!yb_str_eq(keys[k], keys[i]))
            continue;
        yb_admin_refuse(tx, YB_ERR_VALUE, yb_arena_dup(tx->arena, keys[i]).p, err,
                        "%.*s is there twice", YB_STR_ARG(keys[i]));
        return true;
    }
    return false;
}

/* All keys and values at once. *rows, *keys and *texts (JSON) in the order of v. */
static int
take_all(struct yb_admin_tx *tx, const struct yb_admin_subject *of,
         const struct yb_admin_setting *v, size_t n, const bool *lock,
         const struct yb_setting **rows, struct yb_str *keys, struct yb_str *texts,
         struct yb_err *err)
{
    bool bad = false;

    for (size_t i = 0; i < n; i++) {
        struct yb_err why = { 0 };
        json_t *value = NULL;
        char *text;

        keys[i] = v[i].key;
        bad = is_repeated(tx, keys, i, err) || bad;
        rows[i] = take_key(tx, v[i].key, level_of(of), err);
        if (rows[i] != NULL && lock != NULL && *lock && !lock_fits(tx, rows[i], level_of(of), err))
            bad = true;
        if (rows[i] == NULL || yb_setting_parse(rows[i], v[i].value, &value, &why) < 0) {
            if (rows[i] != NULL)
                yb_admin_refuse(tx, YB_ERR_SYNTAX, rows[i]->key, err, "%s: %s", rows[i]->key,
                                yb_err_public(&why));
            bad = true;
            continue;
        }
        text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        texts[i] = yb_arena_dup(tx->arena, yb_str_from(text));
        free(text); /* Jansson's own */
        json_decref(value);
    }
    return bad ? -1 : 0;
}

/* --- the verbs --- */

/* What counts now of these keys (n 0: of all), whichever level it is from. */
static int
tell(struct yb_admin_tx *tx, const struct yb_admin_subject *s, const struct yb_str *keys, size_t n,
     json_t **out, struct yb_err *err)
{
    struct yb_db_params p = { 0 };

    add_ids(&p, s);
    if (n > 0)
        yb_db_add_texts(&p, keys, n);
    else
        yb_db_add_null(&p);
    return yb_admin_ask(tx, &effective, &p, s->kind->what, out, err);
}

/* Columns are set as the account's other fields are. */
static int
set_columns(struct yb_admin_tx *tx, const struct yb_admin_subject *of,
            const struct yb_setting **rows, const struct yb_admin_setting *v, size_t n,
            struct yb_err *err)
{
    const struct yb_admin_fields *f = &yb_admin_account_fields;
    struct yb_admin_values values = { { { NULL, 0 } } };
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < f->n && rows[i]->column; k++) {
            if (strcmp(f->v[k].name, rows[i]->key) == 0) {
                values.v[k] = v[i].value;
                any = true;
            }
        }
    }
    return any ? yb_admin_set(tx, of, &values, err) : 0;
}

static int
too_many(struct yb_admin_tx *tx, struct yb_err *err)
{
    return yb_admin_refuse(tx, YB_ERR_LIMIT, NULL, err, "At most %d settings at once", KEYS_MOST);
}

int
yb_admin_setting_set(struct yb_admin_tx *tx, const struct yb_admin_settings_of *of,
                     const struct yb_admin_setting *v, size_t n, const bool *lock, json_t **out,
                     struct yb_err *err)
{
    const struct yb_setting *rows[KEYS_MOST];
    struct yb_str texts[KEYS_MOST], keys[KEYS_MOST];
    struct yb_admin_subject *s;

    *out = NULL;
    if (n > KEYS_MOST)
        return too_many(tx, err);
    s = find(tx, of, err);
    if (s == NULL || take_all(tx, s, v, n, lock, rows, keys, texts, err) < 0 ||
        set_columns(tx, s, rows, v, n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct yb_db_params p = { 0 };

        if (rows[i]->column)
            continue;
        add_ids(&p, s);
        yb_db_add_text(&p, v[i].key);
        yb_db_add_text(&p, texts[i]);
        if (lock == NULL)
            yb_db_add_null(&p);
        else
            yb_db_add_bool(&p, *lock);
        if (yb_admin_change(tx, &set, &p, NULL, err) < 0)
            return -1;
    }
    if (yb_admin_done(tx, s, "setting.set", NULL, err) < 0)
        return -1;
    return tell(tx, s, keys, n, out, err);
}

int
yb_admin_setting_unset(struct yb_admin_tx *tx, const struct yb_admin_settings_of *of,
                       const struct yb_str *keys, size_t n, json_t **out, struct yb_err *err)
{
    struct yb_admin_subject *s;
    bool bad = false;

    *out = NULL;
    if (n > KEYS_MOST)
        return too_many(tx, err);
    s = find(tx, of, err);
    if (s == NULL)
        return -1;
    for (size_t i = 0; i < n; i++) {
        const struct yb_setting *row = yb_setting_find(keys[i]);

        bad = is_repeated(tx, keys, i, err) || bad;
        /* A row that an earlier version, or another, left may go: it needs no key. */
        if (row == NULL || !row->column)
            continue;
        bad = true;
        yb_admin_refuse(tx, YB_ERR_VALUE, row->key, err,
                        "%s is always set: say `set %s %s`, which is the default", row->key,
                        row->key, row->standard);
    }
    for (size_t i = 0; i < n && !bad; i++) {
        struct yb_db_params p = { 0 };

        add_ids(&p, s);
        yb_db_add_text(&p, keys[i]);
        if (yb_admin_change(tx, &unset, &p, "setting there", err) < 0)
            return -1;
    }
    if (bad || yb_admin_done(tx, s, "setting.unset", NULL, err) < 0)
        return -1;
    return tell(tx, s, keys, n, out, err);
}

int
yb_admin_setting_list(struct yb_admin_tx *tx, const struct yb_admin_settings_of *of, bool all,
                      json_t **out, struct yb_err *err)
{
    const struct yb_admin_subject *s = see(tx, of, err);
    struct yb_db_params p = { 0 };

    *out = NULL;
    if (s == NULL)
        return -1;
    if (all)
        return tell(tx, s, NULL, 0, out, err);
    add_ids(&p, s);
    yb_db_add_text(&p, yb_str_from(yb_level_name(level_of(s))));
    return yb_admin_ask(tx, &own, &p, s->kind->what, out, err);
}

/* Why a level does not count, for people. */
static const char *
why_of(const json_t *levels, size_t at)
{
    const json_t *row = json_array_get(levels, at);
    size_t winner = 0;

    while (winner < json_array_size(levels) &&
           !json_is_true(json_object_get(json_array_get(levels, winner), "counts")))
        winner++;
    if (at == winner)
        return json_is_true(json_object_get(row, "locked")) ? "counts: locked, before all below"
               : at == 0                                    ? "counts: nobody set it"
                                                            : "counts: the lowest that is set";
    if (json_is_null(json_object_get(row, "value")))
        return "not set";
    if (at < winner)
        return "a lower level counts";
    return json_is_true(json_object_get(json_array_get(levels, winner), "locked"))
               ? "ignored: a higher level locked it"
               : "is the default";
}

int
yb_admin_setting_explain(struct yb_admin_tx *tx, struct yb_str key, struct yb_str account,
                         json_t **out, struct yb_err *err)
{
    const struct yb_admin_settings_of of = { .account = account };
    const struct yb_admin_subject *s = see(tx, &of, err);
    struct yb_db_params p = { 0 };
    json_t *row;
    size_t i;

    *out = NULL;
    if (s == NULL)
        return -1;
    yb_admin_add_id(&p, true, s->id);
    yb_db_add_text(&p, key);
    if (yb_admin_ask(tx, &explain, &p, "setting", out, err) < 0)
        return -1;
    json_array_foreach(*out, i, row)
    {
        if (json_is_null(json_object_get(row, "locked")))
            json_object_set_new(row, "locked", json_false());
    }
    json_array_foreach(*out, i, row) json_object_set_new(row, "why", json_string(why_of(*out, i)));
    return 0;
}
