/*
 * The lists: all their SQL. Each statement walks one index from where the last page ended, and makes a
 * card of what it meets; nothing is counted, skipped or sorted. tests/unit/admin/test_lists looks at the
 * plan of every row of the table.
 */
#include "lib/admin/list.h"

/* clang-format off */

/* A card by the keys that are in the row: an index each, whatever the planner thinks of the rest. */
#define CARD(cards) \
    "(SELECT to_json(c)::text FROM " cards " c WHERE c.address_key = a.address_key)"
/* What else was looked for begins a word, or the local part. */
#define OTHERS(words, n) \
    "NOT EXISTS (SELECT FROM unnest($" n "::text[]) AS o (w) WHERE NOT EXISTS (SELECT FROM " \
    "  unnest(" words "a.local::text) AS x (w) WHERE starts_with(x.w, o.w)))"
#define DOMAIN_ID(n) "(SELECT d.domain_id FROM domains d WHERE d.name = $" n "::text)"

/* By addresses: all; of a domain, by local parts. */
#define ALL(table, cards) \
    "SELECT a.address_key, '', " CARD(cards) " FROM " table " a WHERE a.address_key > $1::text " \
    " ORDER BY a.address_key LIMIT $2::integer"
#define OF(table, cards) \
    "SELECT a.local::text, '', " CARD(cards) " FROM " table " a " \
    " WHERE a.domain_id = " DOMAIN_ID("3") " AND a.local > $1::text ORDER BY a.local LIMIT $2::integer"
/* Those that begin so. */
#define ALL_BEGIN(table, cards, words) \
    "SELECT a.address_key, '', CASE WHEN " OTHERS(words, "5") " THEN " CARD(cards) " END FROM " table " a " \
    " WHERE a.address_key > $1::text AND a.address_key >= $3::text AND a.address_key < $4::text " \
    " ORDER BY a.address_key LIMIT $2::integer"
#define OF_BEGIN(table, cards, words) \
    "SELECT a.local::text, '', CASE WHEN " OTHERS(words, "6") " THEN " CARD(cards) " END FROM " table " a " \
    " WHERE a.domain_id = " DOMAIN_ID("5") " AND a.local > $1::text AND a.local >= $3::text AND a.local < $4::text " \
    " ORDER BY a.local LIMIT $2::integer"
/* By words: an object at the least word of its own that fits, if its address was not found already. */
#define WORD_CARD(table, cards, id, key, lo, hi, others) \
    "(SELECT CASE WHEN w.word = (SELECT min(x.w) FROM unnest(a.words) AS x (w) WHERE x.w >= $3::text AND x.w < $4::text) " \
    "              AND NOT (" key " >= $" lo "::text AND " key " < $" hi "::text) AND " OTHERS("a.words || ", others) \
    "             THEN " CARD(cards) " END FROM " table " a WHERE a." id " = w.object_id)"
#define ALL_WORDS(table, cards, id) \
    "SELECT w.word, w.address_key, " WORD_CARD(table, cards, id, "a.address_key", "6", "7", "8") " FROM search_words w " \
    " WHERE w.word >= $3::text AND w.word < $4::text AND (w.word, w.address_key) > ($1::text, $5::text) " \
    " ORDER BY w.word, w.address_key LIMIT $2::integer"
#define OF_WORDS(table, cards, id) \
    "SELECT w.word, w.address_key, " WORD_CARD(table, cards, id, "a.local", "6", "7", "8") " FROM search_words w " \
    " WHERE w.domain_id = " DOMAIN_ID("9") " AND w.word >= $3::text AND w.word < $4::text " \
    "   AND (w.word, w.address_key) > ($1::text, $5::text) " \
    " ORDER BY w.word, w.address_key LIMIT $2::integer"

static const struct yb_db_statement account_all = { "account_list", ALL("accounts", "account_cards") };
static const struct yb_db_statement account_of = { "account_list_of", OF("accounts", "account_cards") };
static const struct yb_db_statement account_begin = { "account_search", ALL_BEGIN("accounts", "account_cards", "a.words || ") };
static const struct yb_db_statement account_of_begin = { "account_search_of", OF_BEGIN("accounts", "account_cards", "a.words || ") };
static const struct yb_db_statement account_words = { "account_list_words", ALL_WORDS("accounts", "account_cards", "account_id") };
static const struct yb_db_statement account_of_words = { "account_list_words_of", OF_WORDS("accounts", "account_cards", "account_id") };
static const struct yb_db_statement alias_all = { "alias_list", ALL("aliases", "alias_cards") };
static const struct yb_db_statement alias_of = { "alias_list_of", OF("aliases", "alias_cards") };
static const struct yb_db_statement alias_begin = { "alias_search", ALL_BEGIN("aliases", "alias_cards", "a.words || ") };
static const struct yb_db_statement alias_of_begin = { "alias_search_of", OF_BEGIN("aliases", "alias_cards", "a.words || ") };
static const struct yb_db_statement alias_words = { "alias_list_words", ALL_WORDS("aliases", "alias_cards", "alias_id") };
static const struct yb_db_statement alias_of_words = { "alias_list_words_of", OF_WORDS("aliases", "alias_cards", "alias_id") };
static const struct yb_db_statement retired_all = { "retired_list", ALL("retirements", "retirement_cards") };
static const struct yb_db_statement retired_of = { "retired_list_of", OF("retirements", "retirement_cards") };
static const struct yb_db_statement retired_begin = { "retired_search", ALL_BEGIN("retirements", "retirement_cards", "'{}'::text[] || ") };
static const struct yb_db_statement retired_of_begin = { "retired_search_of", OF_BEGIN("retirements", "retirement_cards", "'{}'::text[] || ") };

/* Few enough to be looked through, and of names one remembers the middle. */
#define TENANTS(which) \
    "SELECT t.name, '', (SELECT to_json(c)::text FROM tenant_cards c WHERE c.name = t.name) FROM tenants t " \
    " WHERE t.name > $1::text " which " ORDER BY t.name LIMIT $2::integer"
#define DOMAINS(which) \
    "SELECT d.name::text, '', (SELECT to_json(c)::text FROM domain_cards c WHERE c.name = d.name) FROM domains d " \
    " WHERE d.name > $1::text " which " ORDER BY d.name LIMIT $2::integer"
#define OF_TENANT "AND d.tenant_id = (SELECT t.tenant_id FROM tenants t WHERE t.name = $3::text) "
#define IN_NAME(n) "AND (strpos(d.name, $" n "::text) > 0 OR strpos(lower(d.written), $" n "::text) > 0) "
static const struct yb_db_statement tenant_all = { "tenant_list", TENANTS("") };
static const struct yb_db_statement tenant_with = { "tenant_search", TENANTS("AND strpos(lower(t.name), $3::text) > 0") };
static const struct yb_db_statement domain_all = { "domain_list", DOMAINS("") };
static const struct yb_db_statement domain_of = { "domain_list_of", DOMAINS(OF_TENANT) };
static const struct yb_db_statement domain_with = { "domain_search", DOMAINS(IN_NAME("3")) };
static const struct yb_db_statement domain_of_with = { "domain_search_of", DOMAINS(OF_TENANT IN_NAME("4")) };
static const struct yb_db_statement node_all = { "node_list",
    "SELECT n.name, '', (SELECT to_json(c)::text FROM node_cards c WHERE c.name = n.name) FROM nodes n "
    " WHERE n.name > $1::text ORDER BY n.name LIMIT $2::integer" };

/*
 * The audit, backwards from the latest. The first filter that is given leads an index, the others are
 * looked at row by row. An object goes by the name that was said and by its normal form; a tenant by its
 * name, also those that had it before. A key is two numbers, microseconds of 1970 and the row's own.
 */
#define AUDIT_ROW(fits) \
    "SELECT (extract(epoch FROM a.at) * 1000000)::bigint::text, a.id::text, CASE WHEN " fits " THEN (SELECT to_json(r)::text FROM ("\
    " SELECT a.at, a.actor_name AS by, a.via, host(a.client) AS client, a.action, a.kind, a.object, " \
    "        (SELECT t.name FROM tenants t WHERE t.tenant_id = a.tenant_id) AS tenant, a.before, a.after, a.request_id) r) END "
/* In SELECTs of their own: the planner takes coalesce() for one that might tell what is in a row. */
#define AUDIT_TIME(a) \
    a "at >= (SELECT coalesce($4::text::timestamptz, '-infinity')) AND " \
    a "at < (SELECT coalesce($5::text::timestamptz, 'infinity')) AND (" a "at, " a "id) < " \
    "((SELECT coalesce('1970-01-01 00:00+00'::timestamptz + nullif($1::text, '')::bigint * interval '1 microsecond', $5::text::timestamptz, 'infinity')), (SELECT coalesce(nullif($3::text, '')::bigint, 0))) "
#define AUDIT_ORDER(a) " ORDER BY " a "at DESC, " a "id DESC LIMIT $2::integer"
#define TENANT_IDS(n) \
    "ARRAY(SELECT t.tenant_id FROM tenants t WHERE t.name = $" n "::text UNION SELECT d.tenant_id FROM audit d " \
    "       WHERE lower(d.object) = lower($" n "::text) AND d.action = 'tenant.delete')"
static const struct yb_db_statement audit_all = { "audit_list",
    AUDIT_ROW("true") " FROM audit a WHERE " AUDIT_TIME("a.") AUDIT_ORDER("a.") };
static const struct yb_db_statement audit_actor = { "audit_list_by",
    AUDIT_ROW("true") " FROM audit a WHERE a.actor_name = $6::text AND " AUDIT_TIME("a.") AUDIT_ORDER("a.") };
static const struct yb_db_statement audit_tenant = { "audit_list_of",
    AUDIT_ROW("($6::text IS NULL OR a.actor_name = $6)")
    " FROM unnest(" TENANT_IDS("7") ") AS i (id), LATERAL (SELECT x.* FROM audit x WHERE x.tenant_id = i.id AND " AUDIT_TIME("x.")
    AUDIT_ORDER("x.") ") a" AUDIT_ORDER("a.") };
static const struct yb_db_statement audit_object = { "audit_list_object",
    AUDIT_ROW("($6::text IS NULL OR a.actor_name = $6) AND ($7::text IS NULL OR a.tenant_id = ANY (" TENANT_IDS("7") "))")
    " FROM (SELECT x.* FROM audit x WHERE lower(x.object) = lower($8::text) AND " AUDIT_TIME("x.")
    "       UNION ALL SELECT x.* FROM audit x WHERE lower(x.object) = lower($9::text) AND lower($9) <> lower($8) AND "
    AUDIT_TIME("x.") ") a" AUDIT_ORDER("a.") };

static const struct yb_db_statement tenant_there = { "tenant_there",
    "SELECT to_json(EXISTS (SELECT FROM tenants t WHERE t.name = $1::text))" };
static const struct yb_db_statement domain_there = { "domain_there",
    "SELECT to_json(EXISTS (SELECT FROM domains d WHERE d.name = $1::text))" };
#define OF_TENANTS .there = &tenant_there, .whose = "tenant"
#define OF_DOMAINS .there = &domain_there, .whose = "domain"

/* `takes`: list.h. */
const struct yb_admin_listing yb_admin_listings[YB_ADMIN_LISTINGS] = {
    [YB_ADMIN_TENANTS] = { .name = "tenant", .steps = {
        { { &tenant_all, "an" }, { &tenant_with, "ant" } } } },
    [YB_ADMIN_DOMAINS] = { .name = "domain", OF_TENANTS, .steps = {
        { { &domain_all, "an" }, { &domain_with, "ant" } },
        { { &domain_of, "anf" }, { &domain_of_with, "anft" } } } },
    [YB_ADMIN_ACCOUNTS] = { .name = "account", OF_DOMAINS, .steps = {
        { { &account_all, "an" }, { &account_begin, "anlho" }, { &account_words, "anwxblho" } },
        { { &account_of, "anf" }, { &account_of_begin, "anlhfo" }, { &account_of_words, "anwxblhof" } } } },
    [YB_ADMIN_ALIASES] = { .name = "alias", OF_DOMAINS, .steps = {
        { { &alias_all, "an" }, { &alias_begin, "anlho" }, { &alias_words, "anwxblho" } },
        { { &alias_of, "anf" }, { &alias_of_begin, "anlhfo" }, { &alias_of_words, "anwxblhof" } } } },
    [YB_ADMIN_RETIRED] = { .name = "retired", OF_DOMAINS, .steps = {
        { { &retired_all, "an" }, { &retired_begin, "anlho" } },
        { { &retired_of, "anf" }, { &retired_of_begin, "anlhfo" } } } },
    [YB_ADMIN_NODES] = { .name = "node", .steps = { { { &node_all, "an" } } } },
    [YB_ADMIN_AUDIT] = { .name = "audit", .numbers = true, .steps = { { { &audit_all, "anbSU" } } } },
    [YB_ADMIN_AUDIT_BY] = { .name = "audit_by", .numbers = true, .steps = { { { &audit_actor, "anbSUA" } } } },
    [YB_ADMIN_AUDIT_OF] = { .name = "audit_of", .numbers = true, .steps = { { { &audit_tenant, "anbSUAT" } } }, .command_line_only = true },
    [YB_ADMIN_AUDIT_OBJECT] = { .name = "audit_object", .numbers = true, .steps = { { { &audit_object, "anbSUATOP" } } }, .command_line_only = true },
};
/* clang-format on */
