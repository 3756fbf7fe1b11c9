/* The walls in the database: who may see and do what, as every role. */
#include "lib/cred/cred.h"
#include "lib/daemon/roles.h"
#include "tests/unit/db/cluster.h"

#include <check.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cluster *c;

/* Who logs in; then those that yubin_api becomes. */
static const char *const roles[] = {
    "yubin_smtpd", "yubin_submitd",      "yubin_relayd",       "yubin_lmtpd",
    "yubin_imapd", "yubin_pop3d",        "yubin_managesieved", "yubin_logd",
    "yubin_syncd", "yubin_api",          "yubin_operator",     "yubin_admin",
    "yubin_user",  "yubin_domain_admin", "yubin_api_operator"
};
#define N_LOGINS 11
#define API 9 /* among them */
static const char *const tables[] = {
    "nodes",         "tenants",       "domains",      "domain_aliases",
    "accounts",      "credentials",   "aliases",      "alias_targets",
    "forwards",      "retirements",   "usage",        "domain_usage",
    "tenant_usage",  "sender_rights", "settings",     "schema_migrations",
    "notice_keys",   "scope_key",     "audit",        "tenant_counts",
    "domain_counts", "hosted_names",  "setting_keys", "search_words",
    "stores",        "copies"
};
#define DENIED "42501"

/* SQL as any of the roles, as cluster_ask() has it, but on one connection that is kept. */
static const char *
ask_as(size_t role, const char *sql)
{
    static PGconn *kept[N_LOGINS];
    static char answer[100];
    PGconn **pg = &kept[role < N_LOGINS ? role : API];
    char full[1024];
    PGresult *r;

    if (*pg == NULL)
        *pg = PQconnectdb(cluster_conninfo(c, roles[role < N_LOGINS ? role : API]));
    ck_assert_msg(PQstatus(*pg) == CONNECTION_OK, "%s", PQerrorMessage(*pg));
    snprintf(full, sizeof(full), "SET ROLE %s; %s", roles[role], sql);
    r = PQexec(*pg, role < N_LOGINS ? sql : full);
    snprintf(answer, sizeof(answer), "%s",
             PQresultStatus(r) == PGRES_FATAL_ERROR ? PQresultErrorField(r, PG_DIAG_SQLSTATE)
             : PQntuples(r) > 0                     ? PQgetvalue(r, 0, 0)
                                                    : "");
    PQclear(r);
    if (PQtransactionStatus(*pg) != PQTRANS_IDLE)
        PQclear(PQexec(*pg, "ROLLBACK"));
    PQclear(PQexec(*pg, "DISCARD ALL"));
    return answer;
}

/* Which of the roles it is. */
static bool
is(size_t role, const char *name)
{
    return strcmp(roles[role], name) == 0;
}

/* Is this one of the words? */
static bool
named(const char *words, const char *name)
{
    size_t n = strlen(name);

    for (const char *at = words; (at = strstr(at, name)) != NULL; at += n) {
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    }
    return false;
}

/* SQL as the administrator of a tenant. */
static const char *
as_tenant(const char *tenant, const char *sql)
{
    char scope[200], id[40];

    snprintf(id, sizeof(id), "%s",
             cluster_sql(c, "SELECT tenant_id FROM tenants WHERE name = '%s'", tenant));
    snprintf(scope, sizeof(scope),
             "'T', '%s', NULL, NULL, 'account', '%s', 'session', NULL, NULL, 'r', '60 s'", id,
             id); /* whoever he is */
    return cluster_scoped(c, "yubin_admin", scope, sql);
}

START_TEST(test_every_table_forces_row_security)
{
    ck_assert_str_eq(cluster_sql(c, "SELECT coalesce(string_agg(relname, ' '), '') FROM pg_class"
                                    " WHERE relnamespace = 'yubin'::regnamespace"
                                    " AND relkind IN ('r', 'p')"
                                    " AND NOT (relrowsecurity AND relforcerowsecurity)"),
                     "");
    /* The list above is the whole list. */
    ck_assert_int_eq(
        (int)strtol(cluster_sql(c, "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p')"
                                   " AND relnamespace = 'yubin'::regnamespace"
                                   " AND NOT relispartition"),
                    NULL, 10),
        YB_COUNT(tables));
    /* No copies, and no sequences (ids are random) but the order of the audit; a view is looked
     * through by whoever asks. */
    ck_assert_str_eq(cluster_sql(c,
                                 "SELECT coalesce(string_agg(relname, ' '), '') FROM pg_class"
                                 " WHERE relnamespace = 'yubin'::regnamespace"
                                 " AND relname <> 'audit_id_seq' AND (relkind IN ('m', 'S', 'f') "
                                 "OR relkind = 'v' AND NOT"
                                 " coalesce('security_invoker=true' = ANY (reloptions), false))"),
                     "");
    ck_assert_str_eq(
        cluster_sql(c,
                    "SELECT coalesce(string_agg(relname, ' '), '') FROM pg_class t"
                    " WHERE relnamespace = 'yubin'::regnamespace AND relkind = 'r'"
                    " AND relname NOT IN ('nodes', 'schema_migrations', 'notice_keys', 'scope_key',"
                    " 'setting_keys', 'stores', 'copies')"
                    " AND NOT EXISTS"
                    " (SELECT FROM pg_attribute WHERE attrelid = t.oid AND attname = 'tenant_id')"),
        "");
    ck_assert_str_eq(cluster_sql(c, "SELECT coalesce(string_agg(relname, ' '), '') FROM pg_class"
                                    " WHERE relnamespace = 'yubin'::regnamespace AND relkind <> 'i'"
                                    " AND relowner <> 'yubin_owner'::regrole"),
                     "");
}
END_TEST

START_TEST(test_every_function_is_closed)
{
    ck_assert_str_eq(cluster_sql(c, "SELECT coalesce(string_agg(proname, ' '), '') FROM pg_proc"
                                    " WHERE pronamespace = 'yubin'::regnamespace AND NOT coalesce("
                                    "'search_path=yubin, pg_temp' = ANY (proconfig), false)"),
                     "");
    ck_assert_str_eq(cluster_sql(c, "SELECT coalesce(string_agg(proname, ' '), '') FROM pg_proc"
                                    " WHERE pronamespace = 'yubin'::regnamespace"
                                    " AND (proowner <> 'yubin_functions'::regrole"
                                    " OR has_function_privilege('public', oid, 'EXECUTE'))"),
                     "");
    ck_assert_str_eq(cluster_sql(c, "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles"
                                    " WHERE rolname LIKE 'yubin%%' AND rolbypassrls"),
                     "yubin_functions");
    ck_assert_str_eq(cluster_sql(c, "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles"
                                    " WHERE rolname LIKE 'yubin%%' AND NOT rolcanlogin"),
                     "yubin_admin yubin_api_operator yubin_domain_admin yubin_functions"
                     " yubin_owner yubin_user yubin_watch");
    /* Who is who else: the owner gives functions away, the interface is one of its four. */
    ck_assert_str_eq(
        cluster_sql(c, "SELECT string_agg(m.rolname || '>' || r.rolname, ' ' ORDER BY r.rolname)"
                       " FROM pg_auth_members x JOIN pg_roles m ON m.oid = x.member"
                       " JOIN pg_roles r ON r.oid = x.roleid WHERE m.rolname LIKE 'yubin%%'"),
        "yubin_api>yubin_admin yubin_api>yubin_api_operator yubin_api>yubin_domain_admin"
        " yubin_owner>yubin_functions yubin_api>yubin_user");
    ck_assert_str_eq(cluster_sql(c, "SELECT string_agg(rolname, ' ') FROM pg_roles"
                                    " WHERE rolname LIKE 'yubin%%' AND NOT rolinherit"),
                     "yubin_api");
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'yubin%%'"
                                    " AND (rolsuper OR rolcreaterole OR rolcreatedb)"),
                     "0");
}
END_TEST

/* Every daemon that exists logs in as a role of its own; who else does is not a daemon, or a part
 * that is still to come. */
START_TEST(test_daemons_log_in)
{
    char sql[600] = "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles"
                    " WHERE rolname LIKE 'yubin%' AND rolcanlogin AND rolname NOT IN (''";
    size_t n = strlen(sql);

    for (size_t i = 0; i < YB_ROLES; i++) {
        ck_assert_msg(strcmp(cluster_sql(c,
                                         "SELECT count(*) FROM pg_roles WHERE rolname = '%s'"
                                         " AND rolcanlogin",
                                         yb_roles[i].database),
                             "1") == 0,
                      "%s does not log in", yb_roles[i].database);
        n += (size_t)snprintf(sql + n, sizeof(sql) - n, ", '%s'", yb_roles[i].database);
    }
    (void)snprintf(sql + n, sizeof(sql) - n, ")");
    ck_assert_str_eq(cluster_sql(c, "%s", sql),
                     "yubin_api yubin_logd yubin_managesieved yubin_operator yubin_syncd");
}
END_TEST

/* Daemons: nothing, on every table, by every verb. */
START_TEST(test_daemons_reach_no_table)
{
    static const char *const verbs[] = { "SELECT 1 FROM yubin.%s", "DELETE FROM yubin.%s",
                                         "INSERT INTO yubin.%s DEFAULT VALUES", "TRUNCATE yubin.%s",
                                         "COPY yubin.%s TO STDOUT" };

    for (size_t r = 0; r < N_LOGINS; r++) {
        for (size_t t = 0; t < YB_COUNT(tables) && !is(r, "yubin_operator"); t++) {
            for (size_t v = 0; v < YB_COUNT(verbs); v++) {
                char sql[200];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                snprintf(sql, sizeof(sql), verbs[v], tables[t]);
#pragma GCC diagnostic pop
                ck_assert_msg(strcmp(ask_as(r, sql), DENIED) == 0, "%s: %s: %s", roles[r], sql,
                              ask_as(r, sql));
            }
        }
    }
}
END_TEST

/* What PostgreSQL lets everybody do unless it is told otherwise: no role of ours makes a thing of
 * any kind, fills a disk, or takes a lock that others wait for. What cannot be taken away: NOTIFY,
 * its own settings and password, time and memory of its own sessions (schema/README.md). */
START_TEST(test_roles_make_nothing)
{
    static const struct {
        const char *sql;
        bool operator_may;
    } denied[] = {
        { "CREATE TABLE yubin.mine (n integer)", false },
        { "CREATE TABLE public.mine (n integer)", false },
        { "CREATE TEMPORARY TABLE mine (n integer)", true },
        { "SELECT 1 INTO TEMPORARY mine", true },
        { "CREATE TEMPORARY SEQUENCE mine", true },
        { "CREATE SCHEMA mine", false },
        { "CREATE VIEW yubin.mine AS SELECT 1", false },
        { "CREATE FUNCTION yubin.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'", false },
        { "CREATE FUNCTION public.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'", false },
        { "CREATE TYPE public.mine AS (n integer)", false },
        { "CREATE PUBLICATION mine", false },
        { "CREATE ROLE mine", false },
        { "ALTER ROLE yubin_owner LOGIN", false },
        { "SET ROLE yubin_functions", false },
        { "SET ROLE yubin_owner", false },
        { "SET ROLE postgres", false },
        { "SELECT lo_create(0)", false },
        { "SELECT lo_creat(-1)", false },
        { "SELECT lo_from_bytea(0, 'x')", false },
        { "SELECT lo_open(1, 131072)", false },
        { "SELECT lo_put(1, 0, 'x')", false },
        { "SELECT lo_get(1)", false },
        { "SELECT lowrite(0, 'x')", false },
        { "SELECT lo_truncate64(0, 1)", false },
        { "SELECT lo_unlink(1)", false },
        { "SELECT lo_import('/etc/hostname')", false },
        { "SELECT pg_advisory_lock(1)", false },
        { "SELECT pg_advisory_xact_lock_shared(1, 2)", false },
        { "SELECT pg_try_advisory_lock(98246)", false },
        { "SELECT pg_try_advisory_xact_lock(1)", false },
        { "SELECT pg_logical_emit_message(false, 'x', 'y')", false },
        { "BEGIN; LOCK TABLE yubin.schema_migrations IN SHARE MODE", false },
        { "BEGIN; LOCK TABLE yubin.schema_migrations IN ACCESS SHARE MODE", true },
        { "COPY (SELECT 1) TO PROGRAM 'true'", false },
        { "COPY (SELECT 1) TO '/tmp/yubin-mine'", false },
        { "DO $$BEGIN END$$", false },
        { "DO LANGUAGE plpgsql $$BEGIN END$$", false },
        { "SELECT 1 FROM pg_stat_activity", true },
        { "SELECT 1 FROM pg_stat_get_activity(NULL)", true },
        { "SELECT pg_stat_get_backend_pid(1)", true },
        { "SELECT 1 FROM pg_stat_replication", true },
        { "SELECT 1 FROM pg_stat_ssl", true },
        { "SELECT 1 FROM pg_stat_progress_vacuum", true },
        { "SELECT 1 FROM pg_locks", true },
        { "SELECT 1 FROM pg_prepared_xacts", true },
        { "SELECT n_live_tup FROM pg_stat_user_tables", true },
        { "SELECT idx_scan FROM pg_stat_all_indexes", true },
        { "SELECT heap_blks_read FROM pg_statio_user_tables", true },
        { "SELECT pg_relation_size('pg_class')", true },
        { "SELECT pg_database_size(current_database())", true },
        { "SELECT pg_read_file('PG_VERSION')", false },
        { "SELECT pg_switch_wal()", false },
        { "SET session_replication_role = replica", false },
        { "SET log_min_messages = panic", false },
        { "SET temp_file_limit = -1", false },
    };

    for (size_t r = 0; r < YB_COUNT(roles); r++) {
        for (size_t i = 0; i < YB_COUNT(denied); i++) {
            if (denied[i].operator_may && (is(r, "yubin_operator")))
                continue;
            ck_assert_msg(strcmp(ask_as(r, denied[i].sql), DENIED) == 0, "%s: %s: %s", roles[r],
                          denied[i].sql, ask_as(r, denied[i].sql));
        }
    }
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM pg_largeobject_metadata"), "0");
}
END_TEST

/* The same by the catalog, which knows what the list above forgot. */
START_TEST(test_public_has_nothing)
{
    static const struct {
        const char *what, *sql, *want;
    } checks[] = {
        { "databases",
          "SELECT coalesce(string_agg(x, ' '), '') FROM unnest(ARRAY['CONNECT', 'TEMP', 'CREATE'])"
          " x WHERE has_database_privilege('public', current_database(), x)",
          "" },
        { "TEMP and CREATE",
          "SELECT string_agg(rolname, ' ') FROM pg_roles WHERE NOT rolsuper AND"
          " has_database_privilege(oid, current_database(), 'TEMP, CREATE')",
          "yubin_operator" },
        { "CONNECT",
          "SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolcanlogin AND"
          " rolname LIKE 'yubin%' AND NOT has_database_privilege(oid, current_database(), "
          "'CONNECT')",
          "" },
        { "schemas",
          "SELECT coalesce(string_agg(nspname || ':' || rolname, ' '), '') FROM pg_namespace n,"
          " pg_roles r WHERE NOT rolsuper AND rolname NOT LIKE 'pg@_%' ESCAPE '@' AND rolname NOT "
          "IN"
          " ('yubin_owner', 'yubin_functions') AND has_schema_privilege(r.oid, n.oid, 'CREATE')",
          "" },
        { "USAGE",
          "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles"
          " WHERE rolname LIKE 'yubin%' AND has_schema_privilege(oid, 'yubin', 'USAGE')",
          "yubin_admin yubin_api_operator yubin_domain_admin yubin_functions yubin_imapd "
          "yubin_lmtpd"
          " yubin_logd yubin_operator yubin_owner yubin_pop3d yubin_relayd yubin_smtpd "
          "yubin_submitd"
          " yubin_user" },
        { "relations",
          "SELECT coalesce(string_agg(relname, ' '), '') FROM pg_class WHERE relnamespace ="
          " 'yubin'::regnamespace AND relkind IN ('r', 'v', 'p') AND has_table_privilege('public',"
          " oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')",
          "" },
        { "languages",
          "SELECT coalesce(string_agg(r.rolname || ':' || l.lanname, ' ' ORDER BY l.lanname), '')"
          " FROM pg_language l, pg_roles r WHERE NOT r.rolsuper AND r.rolname NOT LIKE"
          " 'pg@_%' ESCAPE '@' AND l.lanpltrusted AND has_language_privilege(r.oid, l.oid, "
          "'USAGE')",
          "yubin_owner:plpgsql yubin_owner:sql" },
        { "functions that show others",
          "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE NOT rolsuper AND"
          " (has_function_privilege(oid, 'pg_stat_get_activity(integer)', 'EXECUTE') OR"
          " has_function_privilege(oid, 'pg_lock_status()', 'EXECUTE') OR"
          " has_function_privilege(oid, 'pg_stat_get_live_tuples(oid)', 'EXECUTE'))",
          "pg_monitor yubin_operator yubin_owner yubin_watch" },
        { "functions that write",
          "SELECT coalesce(string_agg(proname, ' '), '') FROM pg_proc WHERE (proname ~"
          " '^lo(_|read$|write$)|advisory|logical_emit') AND has_function_privilege('public', oid,"
          " 'EXECUTE')",
          "" },
    };

    for (size_t i = 0; i < YB_COUNT(checks); i++) {
        char got[300];

        snprintf(got, sizeof(got), "%s", cluster_ask(c, "postgres", checks[i].sql));
        ck_assert_msg(strcmp(got, checks[i].want) == 0, "%s: %s", checks[i].what, got);
    }
}
END_TEST

/* Each function and who may call it. */
START_TEST(test_functions_by_name)
{
    static const struct {
        const char *call, *who;
    } calls[] = {
        { "SELECT kind FROM yubin.yb_resolve('u', 'a.test')",
          "yubin_smtpd yubin_submitd yubin_relayd yubin_operator" },
        { "SELECT local FROM yubin.yb_login('u', 'a.test')",
          "yubin_submitd yubin_imapd yubin_pop3d yubin_operator" },
        { "SELECT local FROM yubin.yb_sender(gen_random_uuid())", "yubin_submitd yubin_operator" },
        { "SELECT yubin.yb_report_usage('\\x00', '{}', '{}', '{}')",
          "yubin_lmtpd yubin_imapd yubin_pop3d" },
        { "SELECT yubin.yb_at_home('\\x00', '{}')", "yubin_lmtpd yubin_imapd yubin_pop3d" },
        { "SELECT yubin.yb_report_sizes('\\x00', '{}', '{}', '{}', '{}', '{}')",
          "yubin_lmtpd yubin_imapd yubin_pop3d yubin_operator" },
        { "SELECT kind FROM yubin.yb_resolve_step('u', 'a.test')",
          "yubin_smtpd yubin_submitd yubin_relayd yubin_operator" },
        { "SELECT kind FROM yubin.yb_resolve2('u', 'a.test')",
          "yubin_smtpd yubin_submitd yubin_relayd yubin_operator" },
        { "SELECT local FROM yubin.yb_login2('u', 'a.test')",
          "yubin_submitd yubin_imapd yubin_pop3d yubin_operator" },
        { "SELECT store_id FROM yubin.yb_account_now(gen_random_uuid())", "yubin_relayd" },
        { "SELECT yubin.yb_setting_keys_take('[]')", "" },
        { "SELECT yubin.yb_settings_rows(NULL, NULL, NULL)", "" },
        { "SELECT yubin.yb_more(NULL, NULL, NULL)", "" },
        { "SELECT yubin.yb_setting_fits(NULL, NULL)", "" },
        { "SELECT yubin.yb_password_upgrade(gen_random_uuid(), 'a', 'b')",
          "yubin_submitd yubin_imapd yubin_pop3d" },
        { "SELECT yubin.yb_notice_key()",
          "yubin_smtpd yubin_submitd yubin_relayd yubin_lmtpd yubin_imapd yubin_pop3d" },
        { "SELECT yubin.yb_notice('a', 'a.test u')", "" },
        { "SELECT kind FROM yubin.yb_look('u', 'a.test')",
          "yubin_operator yubin_api_operator yubin_admin" },
        { "SELECT trouble FROM yubin.yb_find_trouble(NULL, '{u@a.test}')",
          "yubin_operator yubin_api_operator yubin_admin" },
        { "SELECT how FROM yubin.yb_leads_here('u', 'a.test')",
          "yubin_operator yubin_api_operator yubin_admin" },
        { "SELECT yubin.yb_enter_cli('root', NULL, 'r')", "yubin_operator" },
        { "SELECT yubin.yb_scope_operator('O')", "yubin_api_operator" },
        { "SELECT yubin.yb_scope_tenant('T')", "yubin_admin yubin_domain_admin yubin_user" },
        { "SELECT yubin.yb_scope_domain('D')", "yubin_domain_admin yubin_user" },
        { "SELECT yubin.yb_scope_account('U')", "yubin_user" },
        { "SELECT yubin.yb_scope()", "" },
        { "SELECT yubin.yb_scope_sign('O', NULL, NULL, NULL, 'unix', 'x', 'cli', NULL, NULL, 'r', "
          "'1 s')",
          "" },
        { "SELECT yubin.yb_scope_rekey()", "" },
        { "SELECT yubin.yb_audit_quarters()", "" },
        { "SELECT yubin.yb_audit_retain(400)", "" },
        { "SELECT yubin.yb_audit_forget(now())", "" },
        { "SELECT name FROM yubin.yb_hosted('a.test')", "" },
        { "SELECT yubin.yb_tell('{}', '{}')", "" },
        { "SELECT yubin.yb_tell_tenant(gen_random_uuid())", "" },
        { "SELECT yubin.yb_tell_tenants('{}')", "" },
        { "SELECT yubin.yb_pool_add(gen_random_uuid(), gen_random_uuid(), 1, 1)", "" },
        { "SELECT yubin.yb_count_tenant(gen_random_uuid(), 1, 1)", "" },
        { "SELECT yubin.yb_count_domain(gen_random_uuid(), 1)", "" },
        { "SELECT yubin.yb_counts_lock(gen_random_uuid())", "yubin_operator" },
    };

    for (size_t i = 0; i < YB_COUNT(calls); i++) {
        for (size_t r = 0; r < YB_COUNT(roles); r++) {
            bool may = named(calls[i].who, roles[r]);
            bool denied = strcmp(ask_as(r, calls[i].call), DENIED) == 0;

            ck_assert_msg(may != denied, "%s: %s", roles[r], calls[i].call);
        }
    }
}
END_TEST

/* Of another tenant's addresses an administrator learns what he learns of any that is not hosted; the
 * operator sees them. */
START_TEST(test_looks_stay_inside)
{
    static const struct {
        const char *tenant, *sql, *want; /* tenant NULL: the operator */
    } looks[] = {
        { "t1", "SELECT kind FROM yubin.yb_look('u', 'a.test')", "account" },
        { "t1", "SELECT kind FROM yubin.yb_look('nobody', 'a.test')", "unknown" },
        { "t1", "SELECT kind FROM yubin.yb_look('u', 'b.test')", "elsewhere" },
        { "t1", "SELECT kind FROM yubin.yb_look('nobody', 'b.test')", "elsewhere" },
        { "t1", "SELECT kind FROM yubin.yb_look('u', 'nowhere.test')", "elsewhere" },
        { NULL, "SELECT kind FROM yubin.yb_look('u', 'b.test')", "account" },
        { NULL, "SELECT kind FROM yubin.yb_look('nobody', 'b.test')", "unknown" },
        { "t1", "SELECT trouble FROM yubin.yb_find_trouble(NULL, '{nobody@b.test}')", "elsewhere" },
        { NULL, "SELECT trouble FROM yubin.yb_find_trouble(NULL, '{nobody@b.test}')", "unknown" },
        { "t1", "SELECT address FROM yubin.yb_leads_here('u', 'b.test')", "" },
        { "t1", "SELECT string_agg(address, ' ') FROM yubin.yb_leads_here('u', 'a.test')",
          "all@a.test" },
        { "t2", "SELECT address FROM yubin.yb_leads_here('u', 'b.test')", "all@b.test" },
        { "t2", "SELECT string_agg(address, ' ') FROM yubin.yb_leads_here('u', 'a.test')", "" },
        { NULL, "SELECT string_agg(address, ' ') FROM yubin.yb_leads_here('u', 'a.test')",
          "all@a.test spy@b.test" },
    };

    cluster_sql(c, "SELECT fixtures.alias('spy@b.test', 'u@a.test')");
    for (size_t i = 0; i < YB_COUNT(looks); i++) {
        const char *got = looks[i].tenant == NULL ? cluster_ask(c, "yubin_operator", looks[i].sql)
                                                  : as_tenant(looks[i].tenant, looks[i].sql);

        ck_assert_msg(strcmp(got, looks[i].want) == 0, "%s: %s: %s",
                      looks[i].tenant == NULL ? "operator" : looks[i].tenant, looks[i].sql, got);
    }
    cluster_sql(c, "DELETE FROM aliases WHERE local = 'spy'");
}
END_TEST

/* A function that is given another tenant's id or a wrong node finds or changes nothing. */
START_TEST(test_functions_change_nothing_foreign)
{
    char id[40], sql[300];

    snprintf(id, sizeof(id), "%s", cluster_sql(c, "SELECT fixtures.id('u@a.test')"));
    snprintf(sql, sizeof(sql),
             "SELECT yubin.yb_report_usage('\\x0000000000000099', '{%s}', '{7}', '{7}')", id);
    ck_assert_str_eq(cluster_ask(c, "yubin_lmtpd", sql), "0");
    snprintf(sql, sizeof(sql),
             "SELECT yubin.yb_report_sizes('\\x0000000000000099', '{%s}', '{7}', '{7}', '{7}',"
             " '{true}')",
             id);
    ck_assert_str_eq(cluster_ask(c, "yubin_lmtpd", sql), "0");
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM usage WHERE bytes = 7 OR change = 7"),
                     "0");
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM yubin.yb_at_home('\\x0000000000000099', '{%s}')", id);
    ck_assert_str_eq(cluster_ask(c, "yubin_imapd", sql), "0");
}
END_TEST

/* Reports of one mailbox as they come, whichever daemon's they are: {change, bytes, full}, and what is
 * believed then: bytes, and whether it is full. Its quota is 100. Sums follow. */
START_TEST(test_usage_in_order)
{
    static const struct {
        int change, bytes;
        bool full;
        const char *want;
    } reports[] = {
        { 10, 50, false, "50 f" }, { 12, 0, false, "0 f" },
        { 11, 90, false, "0 f" }, /* late */
        { 12, 0, false, "0 f" },   { 13, 70, false, "70 f" },
        { 13, 70, true, "70 t" },  /* refused one of 40, at the same change */
        { 13, 70, false, "70 t" }, /* another daemon, at a login */
        { 12, 0, true, "70 t" },   { 14, 80, false, "80 f" }, /* something fitted */
        { 15, 80, true, "80 t" },  { 16, 100, false, "100 t" },
        { 17, 30, false, "30 f" },
    };
    char id[40], sql[300];

    cluster_sql(c, "SELECT fixtures.account('order@a.test')");
    snprintf(id, sizeof(id), "%s", cluster_sql(c, "SELECT fixtures.id('order@a.test')"));
    cluster_sql(c, "UPDATE accounts SET quota_bytes = 100 WHERE account_id = '%s'", id);
    for (size_t i = 0; i < YB_COUNT(reports); i++) {
        snprintf(sql, sizeof(sql),
                 "SELECT yubin.yb_report_sizes('\\x%s', '{%s}', '{%d}', '{1}', '{%d}', '{%d}')",
                 cluster_sql(c, "SELECT encode(home_node, 'hex') FROM accounts LIMIT 1"), id,
                 reports[i].bytes, reports[i].change, reports[i].full);
        ck_assert_str_eq(cluster_ask(c, i % 2 == 0 ? "yubin_lmtpd" : "yubin_pop3d", sql), "1");
        ck_assert_msg(
            strcmp(cluster_sql(c,
                               "SELECT bytes || ' ' || substr((full_since IS NOT NULL)::text, 1, 1)"
                               " FROM usage WHERE account_id = '%s'",
                               id),
                   reports[i].want) == 0,
            "report %zu", i);
    }
    ck_assert_str_eq(
        cluster_sql(c, "SELECT (SELECT sum(u.bytes) FROM usage u WHERE u.domain_id = d.domain_id) ="
                       " d.bytes FROM domain_usage d JOIN domains x USING (domain_id)"
                       " WHERE x.name = 'a.test'"),
        "t");
    /* Where quotas go up there is room, where they go down there is none the more. */
    snprintf(sql, sizeof(sql), "SELECT full_since IS NOT NULL FROM usage WHERE account_id = '%s'",
             id);
    cluster_sql(c, "UPDATE usage SET full_since = now() WHERE account_id = '%s'", id);
    cluster_sql(c, "UPDATE accounts SET quota_bytes = 90 WHERE account_id = '%s'", id);
    ck_assert_str_eq(cluster_sql(c, "%s", sql), "t");
    cluster_sql(c, "UPDATE accounts SET quota_bytes = 95 WHERE account_id = '%s'", id);
    ck_assert_str_eq(cluster_sql(c, "%s", sql), "f");
    cluster_sql(c, "UPDATE accounts SET quota_bytes = 20 WHERE account_id = '%s'", id);
    ck_assert_str_eq(cluster_sql(c, "%s", sql), "t");
    cluster_sql(c, "UPDATE accounts SET quota_bytes = 0 WHERE account_id = '%s'", id);
    ck_assert_str_eq(cluster_sql(c, "%s", sql), "f");
    cluster_sql(c, "DELETE FROM accounts WHERE account_id = '%s'", id);
}
END_TEST

#define SALT "AAECAwQFBgcICQoLDA0ODw=="
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define MADE "SCRAM-SHA-256$8192:" SALT "$" KEY ":" KEY

/* What a login may put in the place of what: the form of an import goes, the form that lib/cred makes
 * comes, everything else stays as it was. */
START_TEST(test_password_upgrade)
{
    static const struct {
        const char *old, *fresh;
        bool done;
    } cases[] = {
        { "{SHA512-CRYPT}$6$salt$hash", MADE, true },
        { "{sha256-crypt}$5$salt$hash", MADE, true },
        { "{BLF-CRYPT}$2y$05$hash", MADE, true },
        { "{CRYPT}$6$salt$hash", MADE, true },
        { "{SSHA512}aaaa", MADE, true },
        { "{SSHA256}aaaa", MADE, true },
        { "{SCRAM-SHA-256}SCRAM-SHA-256$4096:" SALT "$" KEY ":" KEY, MADE, true },
        { "$6$salt$hash", MADE, true },
        { "$5$salt$hash", MADE, true },
        { "$2a$05$hash", MADE, true },
        { "$2b$05$hash", MADE, true },
        /* what is used as it is */
        { MADE, MADE, false },
        { "SCRAM-SHA-256$4096:" SALT "$" KEY ":" KEY, MADE, false },
        { "SCRAM-SHA-256$100000:" SALT "$" KEY ":" KEY, MADE, false },
        /* what is no import of ours */
        { "secret", MADE, false },
        { "{PLAIN}secret", MADE, false },
        { "x{SSHA512}aaaa", MADE, false },
        { "$1$salt$hash", MADE, false },
        /* what lib/cred does not make */
        { "$6$salt$hash", "", false },
        { "$6$salt$hash", "secret", false },
        { "$6$salt$hash", "$6$salt$other", false },
        { "$6$salt$hash", "SCRAM-SHA-256$4096:" SALT "$" KEY ":" KEY, false },
        { "$6$salt$hash", "SCRAM-SHA-256$81920:" SALT "$" KEY ":" KEY, false },
        { "$6$salt$hash", "SCRAM-SHA-1$8192:" SALT "$" KEY ":" KEY, false },
        { "$6$salt$hash", "{SCRAM-SHA-256}" MADE, false },
        { "$6$salt$hash", " " MADE, false },
        { "$6$salt$hash", MADE " ", false },
        { "$6$salt$hash", MADE "\n", false },
        { "$6$salt$hash", MADE "\n" MADE, false },
        { "$6$salt$hash", MADE ":" KEY, false },
        { "$6$salt$hash", "SCRAM-SHA-256$8192:AAECAwQFBgc=$" KEY ":" KEY, false }, /* 8 octets */
        { "$6$salt$hash", "SCRAM-SHA-256$8192:AAECAwQFBgcICQoLDA0ODx==$" KEY ":" KEY, false },
        { "$6$salt$hash", "SCRAM-SHA-256$8192:" SALT "$" KEY ":" SALT, false },
        { "$6$salt$hash", "SCRAM-SHA-256$8192:" SALT "$" SALT ":" KEY, false },
        { "$6$salt$hash", "SCRAM-SHA-256$8192:" SALT "$" KEY, false },
        { "$6$salt$hash",
          "SCRAM-SHA-256$8192:" SALT "$" KEY ":AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",
          false },
    };
    char id[40], sql[600], made[YB_CRED_VERIFIER];
    struct yb_err err = { 0 };

    snprintf(id, sizeof(id), "%s", cluster_sql(c, "SELECT fixtures.id('u@a.test')"));
    for (size_t i = 0; i < YB_COUNT(cases); i++) {
        cluster_sql(c, "UPDATE credentials SET verifier = '%s' WHERE account_id = '%s'",
                    cases[i].old, id);
        snprintf(sql, sizeof(sql), "SELECT yubin.yb_password_upgrade('%s', '%s', '%s')", id,
                 cases[i].old, cases[i].fresh);
        ck_assert_msg(strcmp(cluster_ask(c, "yubin_imapd", sql), cases[i].done ? "t" : "f") == 0,
                      "%s, %s: %s", cases[i].old, cases[i].fresh,
                      cluster_ask(c, "yubin_imapd", sql));
        ck_assert_str_eq(
            cluster_sql(c, "SELECT verifier FROM credentials WHERE account_id = '%s'", id),
            cases[i].done ? cases[i].fresh : cases[i].old);
    }
    /* Not without knowing the old one, nor by NULL; and what lib/cred makes now is of that form. */
    ck_assert_int_eq(yb_cred_make(YB_STR("correct horse"), 0, made, &err), 0);
    snprintf(sql, sizeof(sql), "SELECT yubin.yb_password_upgrade('%s', '$6$guess', '%s')", id,
             made);
    ck_assert_str_eq(cluster_ask(c, "yubin_imapd", sql), "f");
    snprintf(sql, sizeof(sql), "SELECT yubin.yb_password_upgrade('%s', '$6$salt$hash', NULL)", id);
    ck_assert_str_eq(cluster_ask(c, "yubin_imapd", sql), "f");
    snprintf(sql, sizeof(sql), "SELECT yubin.yb_password_upgrade('%s', '$6$salt$hash', '%s')", id,
             made);
    ck_assert_str_eq(cluster_ask(c, "yubin_imapd", sql), "t");
    ck_assert_str_eq(
        cluster_ask(c, "yubin_imapd", "SELECT verifier FROM yubin.yb_login('u', 'a.test')"), made);
    ck_assert_str_eq(
        cluster_ask(c, "yubin_imapd", "SELECT verifier FROM yubin.yb_login('u', 'b.test')"),
        "secret-b");
}
END_TEST

START_TEST(test_admin_sees_own_rows_only)
{
    static const char *const empty[] = { "SET ROLE yubin_admin; SELECT count(*) FROM accounts",
                                         "SET ROLE yubin_admin; SELECT count(*) FROM tenants" };

    for (size_t i = 0; i < YB_COUNT(empty); i++)
        ck_assert_str_eq(cluster_ask(c, "yubin_api", empty[i]), "0");
    /* The interface has no part by itself. */
    ck_assert_str_eq(cluster_ask(c, "yubin_api", "SELECT count(*) FROM yubin.accounts"), DENIED);
    for (size_t t = 0; t < YB_COUNT(tables); t++) {
        char sql[200];
        bool closed =
            strcmp(tables[t], "nodes") == 0 || strcmp(tables[t], "schema_migrations") == 0 ||
            strcmp(tables[t], "notice_keys") == 0 || strcmp(tables[t], "scope_key") == 0 ||
            strcmp(tables[t], "hosted_names") == 0 || strcmp(tables[t], "setting_keys") == 0 ||
            strcmp(tables[t], "stores") == 0 || strcmp(tables[t], "copies") == 0;

        snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[t]);
        if (closed) {
            ck_assert_str_eq(as_tenant("t1", sql), DENIED);
            continue;
        }
        snprintf(sql, sizeof(sql),
                 "SELECT count(tenant_id) FILTER (WHERE tenant_id IS DISTINCT FROM"
                 " yb_scope_tenant('T'))"
                 " || '/' || (count(tenant_id) > 0) FROM %s",
                 tables[t]);
        ck_assert_msg(strcmp(as_tenant("t1", sql), "0/true") == 0, "%s: %s", sql,
                      as_tenant("t1", sql));
    }
    ck_assert_str_eq(as_tenant("t1", "SELECT string_agg(name, ' ') FROM domains"), "a.test");
    ck_assert_str_eq(as_tenant("t1", "SELECT string_agg(address, ' ') FROM account_cards"),
                     "u@a.test");
    ck_assert_str_eq(as_tenant("t1", "SELECT string_agg(name, ' ') FROM tenant_cards"), "t1");
    ck_assert_str_eq(as_tenant("t1", "SELECT count(*) FROM node_cards"), DENIED);
    ck_assert_str_eq(as_tenant("t2", "SELECT string_agg(name, ' ') FROM domains"), "b.test");
}
END_TEST

START_TEST(test_admin_changes_own_rows_only)
{
    char other[40], mine[40], sql[400];

    snprintf(other, sizeof(other), "%s", cluster_sql(c, "SELECT fixtures.id('u@b.test')"));
    snprintf(mine, sizeof(mine), "%s", cluster_sql(c, "SELECT fixtures.id('u@a.test')"));
    ck_assert_str_eq(as_tenant("t1", "UPDATE accounts SET display_name = 'x'; COMMIT"), "");
    ck_assert_str_eq(cluster_sql(c, "SELECT string_agg(name, ' ') FROM accounts JOIN domains"
                                    " USING (domain_id) WHERE display_name = 'x'"),
                     "a.test");
    snprintf(sql, sizeof(sql), "UPDATE accounts SET imap = false WHERE account_id = '%s'; COMMIT",
             other);
    ck_assert_str_eq(as_tenant("t1", sql), "");
    ck_assert_str_eq(cluster_sql(c, "SELECT imap FROM accounts WHERE account_id = '%s'", other),
                     "t");
    /* Rows that would belong to another, or hang below another's. */
    snprintf(sql, sizeof(sql),
             "INSERT INTO credentials (tenant_id, account_id, kind, verifier)"
             " SELECT tenant_id, '%s', 'app', repeat('0', 64) FROM tenants",
             other);
    ck_assert_str_eq(as_tenant("t1", sql), "23503");
    ck_assert_str_eq(as_tenant("t1", "INSERT INTO settings (tenant_id, key, value)"
                                     " VALUES (gen_random_uuid(), 'time_zone', '\"UTC\"')"),
                     DENIED);
    snprintf(sql, sizeof(sql),
             "INSERT INTO sender_rights (tenant_id, account_id, domain_id, local)"
             " SELECT tenant_id, '%s', '%s', '' FROM tenants",
             mine, cluster_sql(c, "SELECT domain_id FROM domains WHERE name = 'b.test'"));
    ck_assert_str_eq(as_tenant("t1", sql), "23503");
}
END_TEST

START_TEST(test_admin_has_no_keys)
{
    static const char *const denied[] = {
        "SELECT verifier FROM credentials",
        "SELECT * FROM credentials",
        "UPDATE tenants SET max_bytes = NULL",
        "UPDATE tenants SET suspended_at = NULL, suspended_reason = NULL",
        "UPDATE domains SET suspended_at = NULL, suspended_reason = NULL",
        "UPDATE domains SET max_accounts = NULL",
        "UPDATE domains SET name = 'other.test'",
        "UPDATE accounts SET tenant_id = gen_random_uuid()",
        "UPDATE accounts SET account_id = gen_random_uuid()",
        "INSERT INTO tenants (name) VALUES ('t9')",
        "INSERT INTO domains (tenant_id, name) VALUES (yb_scope_tenant('T'), 'x.test')",
        "DELETE FROM domains",
        "DELETE FROM accounts",
        "LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE",
        "UPDATE usage SET bytes = 0",
        "DELETE FROM usage",
        "INSERT INTO nodes (node_id, name) VALUES ('\\x0000000000000001', 'n')",
        "CREATE TEMPORARY TABLE t (n integer)",
    };

    for (size_t i = 0; i < YB_COUNT(denied); i++)
        ck_assert_msg(strcmp(as_tenant("t1", denied[i]), DENIED) == 0, "%s: %s", denied[i],
                      as_tenant("t1", denied[i]));
    ck_assert_str_eq(as_tenant("t1", "UPDATE domains SET catch_all = 'u@a.test'"), "");
    ck_assert_str_eq(as_tenant("t1",
                               "INSERT INTO credentials (tenant_id, account_id, kind, verifier)"
                               " SELECT tenant_id, account_id, 'app', repeat('0', 64)"
                               " FROM accounts LIMIT 1"),
                     "");
}
END_TEST

START_TEST(test_operator_sees_all)
{
    for (size_t t = 0; t < YB_COUNT(tables); t++) {
        char sql[200], all[40];

        snprintf(all, sizeof(all), "%s", cluster_sql(c, "SELECT count(*) FROM %s", tables[t]));
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[t]);
        ck_assert_str_eq(
            cluster_ask(c, "yubin_operator", sql),
            strcmp(tables[t], "notice_keys") == 0 || strcmp(tables[t], "scope_key") == 0 ? DENIED
                                                                                         : all);
        ck_assert_str_ne(all, "0");
    }
    ck_assert_str_eq(cluster_ask(c, "yubin_operator", "UPDATE usage SET bytes = 0"), DENIED);
    ck_assert_str_eq(cluster_ask(c, "yubin_operator", "DELETE FROM schema_migrations"), DENIED);
}
END_TEST

/* What a row may not say, whoever writes it. */
START_TEST(test_rows_are_checked)
{
    static const struct {
        const char *sql, *state;
    } bad[] = {
        { "SELECT fixtures.account('u%x@a.test')", "23514" },
        { "SELECT fixtures.account('u!x@a.test')", "23514" },
        { "INSERT INTO accounts (tenant_id, domain_id, local, written, home_node)"
          " SELECT tenant_id, domain_id, 'a@b', 'a@b', (SELECT node_id FROM nodes) FROM domains",
          "23514" },
        { "INSERT INTO accounts (tenant_id, domain_id, local, written, home_node)"
          " SELECT tenant_id, domain_id, 'Upper', 'Upper', (SELECT node_id FROM nodes) FROM "
          "domains",
          "23514" },
        { "INSERT INTO accounts (tenant_id, domain_id, local, written, home_node)"
          " SELECT tenant_id, domain_id, 'one', 'other', (SELECT node_id FROM nodes) FROM domains",
          "23514" },
        { "SELECT fixtures.account(repeat('x', 65) || '@a.test')", "23514" },
        { "SELECT fixtures.account('u@a.test')", "23505" },
        { "SELECT fixtures.account('U@a.test')", "23505" },
        { "SELECT fixtures.account('all@a.test')", "23505" },
        { "SELECT fixtures.alias('u@a.test', 'x@y.test')", "23505" },
        { "SELECT fixtures.domain('t2', 'a.test')", "23505" },
        { "SELECT fixtures.domain('t2', 'alias.a.test')", "23505" },
        { "SELECT fixtures.domain_alias('b.test', 'a.test')", "23505" },
        { "SELECT fixtures.domain('t1', 'A.test')", "23514" },
        { "SELECT fixtures.domain('t1', 'a..test')", "23514" },
        { "SELECT fixtures.domain('t1', 'a_b.test')", "23514" },
        { "UPDATE domains SET role_names = '{abuse}'", "23514" },
        { "UPDATE domains SET separator = 'x'", "23514" },
        { "UPDATE tenants SET suspended_at = now()", "23514" },
        { "SELECT fixtures.retire('x@a.test', 'moved')", "23514" },
        { "DELETE FROM domains", "23503" },
    };

    for (size_t i = 0; i < YB_COUNT(bad); i++) {
        char sql[400];

        snprintf(sql, sizeof(sql), "SET search_path = yubin, pg_temp; %s", bad[i].sql);
        ck_assert_msg(strcmp(cluster_ask(c, "postgres", sql), bad[i].state) == 0, "%s: %s",
                      bad[i].sql, cluster_ask(c, "postgres", sql));
    }
    cluster_sql(c, "SELECT fixtures.account('a/b@a.test')");
    cluster_sql(c, "SELECT fixtures.account('two words@a.test')");
}
END_TEST

/* An address says what it is, whoever writes it, and words follow the object. */
START_TEST(test_addresses_do_not_lie)
{
    static const struct {
        const char *sql, *want;
    } steps[] = {
        /* as a daemon or `yubin` of before: columns it does not know */
        { "INSERT INTO accounts (tenant_id, domain_id, local, written, home_node)"
          " SELECT tenant_id, domain_id, 'old', 'Old', home_node FROM accounts LIMIT 1;"
          " SELECT words IS NULL FROM accounts WHERE local = 'old'",
          "t" },
        { "SELECT address_key = local || '@' || domain_name FROM accounts WHERE local = 'old'",
          "t" },
        { "UPDATE accounts SET address_key = 'lie@' || domain_name WHERE local = 'old'", "23514" },
        { "UPDATE accounts SET address_key = 'old@lie.test', domain_name = 'lie.test'"
          " WHERE local = 'old'",
          "23503" },
        { "UPDATE accounts SET domain_id = gen_random_uuid() WHERE local = 'old'", "23503" },
        { "INSERT INTO aliases (tenant_id, domain_id, local, written)"
          " VALUES (gen_random_uuid(), gen_random_uuid(), 'x', 'x')",
          "23503" },
        { "UPDATE domains SET name = 'new.test' WHERE domain_id = (SELECT domain_id FROM accounts"
          " WHERE local = 'old')",
          "23503" },
        { "UPDATE accounts SET words = '{old,friend}' WHERE local = 'old';"
          " SELECT string_agg(word, ' ' ORDER BY word) FROM search_words s JOIN accounts a"
          " ON s.object_id = a.account_id WHERE a.local = 'old'",
          "friend old" },
        { "UPDATE accounts SET local = 'older', written = 'older' WHERE local = 'old';"
          " SELECT address_key ~ '^older@' AND words IS NULL AND NOT EXISTS"
          " (SELECT FROM search_words WHERE object_id = account_id) FROM accounts"
          " WHERE local = 'older'",
          "t" },
        { "UPDATE accounts SET words = '{friend}' WHERE local = 'older'; UPDATE accounts"
          " SET suspended_at = now(), suspended_reason = 'x' WHERE local = 'older';"
          " SELECT address_key FROM search_words WHERE word = 'friend' AND address_key ~ '^older@'"
          " AND address_key !~ ' '",
          NULL },
        { "UPDATE accounts SET display_name = 'Other' WHERE local = 'older';"
          " SELECT words IS NULL FROM accounts WHERE local = 'older'",
          "t" },
        { "UPDATE accounts SET words = '{friend}' WHERE local = 'older';"
          " DELETE FROM accounts WHERE local = 'older';"
          " SELECT count(*) FROM search_words WHERE word = 'friend'",
          "0" },
        { "UPDATE accounts SET words = array_fill('x'::text, ARRAY[65])", "23514" },
        { "UPDATE accounts SET words = ARRAY[repeat('x', 65)]", "23514" },
    };

    for (size_t i = 0; i < YB_COUNT(steps); i++) {
        char sql[700];
        const char *got;

        snprintf(sql, sizeof(sql), "SET search_path = yubin, pg_temp; %s", steps[i].sql);
        got = cluster_ask(c, "postgres", sql);
        if (steps[i].want == NULL)
            ck_assert_msg(strncmp(got, "older@", 6) == 0, "%s: %s", steps[i].sql, got);
        else
            ck_assert_msg(strcmp(got, steps[i].want) == 0, "%s: %s", steps[i].sql, got);
    }
}
END_TEST

START_TEST(test_limits_hold)
{
    cluster_sql(c, "SELECT fixtures.tenant('t3'), fixtures.domain('t3', 'c.test')");
    cluster_sql(c, "UPDATE domains SET max_accounts = 2 WHERE name = 'c.test'");
    cluster_sql(c, "SELECT fixtures.account('u1@c.test'), fixtures.account('u2@c.test')");
    ck_assert_str_eq(cluster_ask(c, "postgres", "SELECT fixtures.account('u3@c.test')"), "YB001");
    cluster_sql(c, "UPDATE domains SET max_accounts = NULL WHERE name = 'c.test'");
    cluster_sql(c, "UPDATE tenants SET max_accounts = 3, max_domains = 1 WHERE name = 't3'");
    ck_assert_str_eq(cluster_ask(c, "postgres", "SELECT fixtures.accounts('c.test', 'x', 2, 'v')"),
                     "YB001");
    cluster_sql(c, "SELECT fixtures.account('u3@c.test')");
    ck_assert_str_eq(cluster_ask(c, "postgres", "SELECT fixtures.domain('t3', 'd.test')"), "YB001");
}
END_TEST

/* Two who name domains at once: the second waits for the first, and neither for a lock of the other
 * that is only given back at the end. */
START_TEST(test_names_at_once)
{
    PGconn *other = PQconnectdb(cluster_conninfo(c, "yubin_operator"));
    char got[16];

    ck_assert_int_eq(PQstatus(other), CONNECTION_OK);
    cluster_sql(c, "SELECT fixtures.tenant('t5'), fixtures.domain('t5', 'e.test')");
    /* What its INSERT begins with, before its trigger. */
    PQclear(PQexec(other, "BEGIN; LOCK TABLE domain_aliases IN ROW EXCLUSIVE MODE"));
    ck_assert_int_eq(PQtransactionStatus(other), PQTRANS_INTRANS);
    snprintf(got, sizeof(got), "%s",
             cluster_ask(c, "yubin_operator",
                         "SET lock_timeout = '2s'; INSERT INTO domain_aliases (tenant_id,"
                         " domain_id, name) SELECT tenant_id, domain_id, 'f.test'"
                         " FROM domains WHERE name = 'e.test' RETURNING name"));
    PQfinish(other);
    ck_assert_str_eq(got, "f.test");
    ck_assert_str_eq(cluster_ask(c, "postgres", "SELECT fixtures.domain('t5', 'f.test')"), "23505");
}
END_TEST

/* Absolute figures make totals by differences; removal gives back. */
START_TEST(test_usage_adds_up)
{
    cluster_sql(c, "SELECT fixtures.tenant('t4'), fixtures.domain('t4', 'q.test')");
    cluster_sql(c, "SELECT fixtures.account('u1@q.test'), fixtures.account('u2@q.test')");
    ck_assert_str_eq(cluster_sql(c, "SELECT fixtures.report('u1@q.test', 100)"), "1");
    cluster_sql(c, "SELECT fixtures.report('u2@q.test', 50)");
    cluster_sql(c, "SELECT fixtures.report('u1@q.test', 30)");
    ck_assert_str_eq(cluster_sql(c, "SELECT bytes || '/' || messages FROM domain_usage JOIN domains"
                                    " USING (domain_id) WHERE name = 'q.test'"),
                     "80/2");
    cluster_sql(c, "DELETE FROM accounts WHERE account_id = fixtures.id('u2@q.test')");
    ck_assert_str_eq(cluster_sql(c, "SELECT bytes || '/' || messages FROM tenant_usage JOIN tenants"
                                    " USING (tenant_id) WHERE name = 't4'"),
                     "30/1");
    cluster_sql(c, "DELETE FROM accounts WHERE account_id = fixtures.id('u1@q.test')");
    cluster_sql(c, "DELETE FROM domains WHERE name = 'q.test'");
    cluster_sql(c, "DELETE FROM tenants WHERE name = 't4'");
}
END_TEST

/* All that any role can hear, whatever changes: no name, and nothing that a name gives by itself. */
START_TEST(test_notices_name_nobody)
{
    static const char *const all_sql[] = {
        "SELECT fixtures.tenant('t7')",
        "SELECT fixtures.domain('t7', 'heard.test')",
        "SELECT fixtures.domain_alias('heard-too.test', 'heard.test')",
        "SELECT fixtures.account('heard@heard.test', '$6$heard')",
        "SELECT fixtures.accounts('heard.test', 'heard', 20, '$6$heard')",
        "SELECT fixtures.alias('heard-all@heard.test', 'heard@heard.test', 'far@heard.example')",
        "SELECT fixtures.forward('heard@heard.test', true, 'far@heard.example')",
        "SELECT fixtures.retire('heard-gone@heard.test', 'moved', 'far@heard.example')",
        "INSERT INTO sender_rights SELECT tenant_id, account_id, domain_id, 'heard'"
        " FROM accounts WHERE account_id = fixtures.id('heard@heard.test')",
        "UPDATE tenants SET suspended_at = now(), suspended_reason = 'heard' WHERE name = 't7'",
        "UPDATE domains SET max_bytes = 1 WHERE name = 'heard.test'",
        "UPDATE accounts SET quota_bytes = 1 WHERE account_id = fixtures.id('heard@heard.test')",
        "SELECT fixtures.report('heard@heard.test', 100)",
        "DELETE FROM aliases WHERE local = 'heard-all'",
        "DELETE FROM accounts WHERE local LIKE 'heard%%'",
        "DELETE FROM domain_aliases WHERE name = 'heard-too.test'",
        "DELETE FROM domains WHERE name = 'heard.test'",
        "DELETE FROM tenants WHERE name = 't7'",
        "INSERT INTO domains (tenant_id, name) SELECT tenant_id, 'heard' || i || '.test'"
        " FROM tenants, generate_series(1, 17) i WHERE name = 't1'",
        "UPDATE domains SET max_bytes = 1 WHERE name LIKE 'heard%%'",
        "DELETE FROM domains WHERE name LIKE 'heard%%'",
        "SELECT fixtures.tenant('many' || i) FROM generate_series(1, 17) i",
        "UPDATE tenants SET contact = NULL WHERE name LIKE 'many%%'",
        "DELETE FROM tenants WHERE name LIKE 'many%%'",
    };
    PGconn *pg = PQconnectdb(cluster_conninfo(c, "yubin_logd"));
    size_t n = 0, everything = 0, addresses = 0, tenants = 0, names = 0;
    PGnotify *heard;

    ck_assert_int_eq(PQstatus(pg), CONNECTION_OK);
    PQclear(PQexec(pg, "LISTEN yubin_directory"));
    for (size_t i = 0; i < YB_COUNT(all_sql); i++)
        cluster_sql(c, "%s", all_sql[i]);
    /* Sent in the order of commits, and with the answer to whatever is asked after them. */
    PQclear(PQexec(pg, "SELECT 1"));
    while ((heard = PQnotifies(pg)) != NULL) {
        const char *what = heard->extra;

        ck_assert_msg(strcmp(what, "all") == 0 || strcmp(what, "names") == 0 ||
                          (strlen(what) == 27 && strchr("adt", what[0]) != NULL && what[1] == ' ' &&
                           what[10] == ' ' && strspn(what + 2, "0123456789abcdef") == 8 &&
                           strspn(what + 11, "0123456789abcdef") == 16),
                      "%s", what);
        everything += strcmp(what, "all") == 0;
        names += strcmp(what, "names") == 0;
        addresses += what[0] == 'a' && what[1] == ' ';
        tenants += what[0] == 't' && what[1] == ' ';
        n++;
        PQfreemem(heard);
    }
    PQfinish(pg);
    ck_assert_uint_ge(n, 15);
    ck_assert_uint_eq(everything, 1); /* all tenants at once */
    ck_assert_uint_eq(tenants, 4);    /* suspended, and three times more domains than sixteen */
    ck_assert_uint_eq(names, 2);      /* which come and go, but not when their limits change */
    ck_assert_uint_ge(addresses, 7);
    /* The same name under another key is another: the hash needs the key. */
    cluster_sql(c, "CREATE TABLE fixtures.before AS SELECT yb_notice('d', 'a.test') AS told");
    cluster_sql(c, "UPDATE notice_keys SET key = DEFAULT");
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM fixtures.before WHERE substr(told, 1, 10)"
                                    " = substr(yb_notice('d', 'a.test'), 1, 10) OR"
                                    " substr(told, 12) = substr(yb_notice('d', 'a.test'), 12)"),
                     "0");
    cluster_sql(c, "DROP TABLE fixtures.before");
}
END_TEST

static void
fill(void)
{
    cluster_sql(c, "SELECT fixtures.node('0102030405060708'), fixtures.tenant('t1'),"
                   " fixtures.tenant('t2')");
    cluster_sql(c, "SELECT fixtures.domain('t1', 'a.test'), fixtures.domain('t2', 'b.test')");
    cluster_sql(c, "SELECT fixtures.account('u@a.test', 'secret-a'),"
                   " fixtures.account('u@b.test', 'secret-b')");
    for (const char *d = "ab"; *d != '\0'; d++) {
        cluster_sql(c, "SELECT fixtures.domain_alias('alias.%c.test', '%c.test')", *d, *d);
        cluster_sql(c, "SELECT fixtures.alias('all@%c.test', 'u@%c.test')", *d, *d);
        cluster_sql(c, "SELECT fixtures.forward('u@%c.test', true, 'else@where.test')", *d);
        cluster_sql(c, "SELECT fixtures.retire('gone@%c.test', 'deleted')", *d);
        cluster_sql(c, "SELECT fixtures.report('u@%c.test', 1000)", *d);
        cluster_sql(c,
                    "INSERT INTO sender_rights SELECT tenant_id, account_id, domain_id, ''"
                    " FROM accounts WHERE account_id = fixtures.id('u@%c.test')",
                    *d);
        cluster_sql(c, "UPDATE accounts SET words = '{jane}' WHERE domain_name = '%c.test'", *d);
        cluster_sql(c,
                    "INSERT INTO settings (tenant_id, account_id, key, value)"
                    " SELECT tenant_id, account_id, 'time_zone', '\"Asia/Tokyo\"' FROM accounts"
                    " WHERE account_id = fixtures.id('u@%c.test')",
                    *d);
        cluster_sql(
            c,
            "INSERT INTO audit (request_id, actor_kind, actor_name, role, via, action, kind,"
            " tenant_id, object) SELECT 'r', 'unix', 'root', 'C', 'cli', 'domain.add',"
            " 'change', tenant_id, name FROM domains WHERE name = '%c.test'",
            *d);
    }
}

int
main(void)
{
    Suite *s = suite_create("schema");
    TCase *tc = tcase_create("walls");
    SRunner *sr = srunner_create(s);
    int failed;

    srunner_set_fork_status(sr, CK_NOFORK);
    c = cluster_start();
    cluster_migrate(c);
    fill();
    tcase_add_test(tc, test_every_table_forces_row_security);
    tcase_add_test(tc, test_every_function_is_closed);
    tcase_add_test(tc, test_daemons_log_in);
    tcase_add_test(tc, test_daemons_reach_no_table);
    tcase_add_test(tc, test_roles_make_nothing);
    tcase_add_test(tc, test_public_has_nothing);
    tcase_add_test(tc, test_functions_by_name);
    tcase_add_test(tc, test_looks_stay_inside);
    tcase_add_test(tc, test_usage_in_order);
    tcase_add_test(tc, test_admin_sees_own_rows_only);
    tcase_add_test(tc, test_admin_changes_own_rows_only);
    tcase_add_test(tc, test_admin_has_no_keys);
    tcase_add_test(tc, test_operator_sees_all);
    tcase_add_test(tc, test_functions_change_nothing_foreign);
    tcase_add_test(tc, test_password_upgrade);
    tcase_add_test(tc, test_rows_are_checked);
    tcase_add_test(tc, test_addresses_do_not_lie);
    tcase_add_test(tc, test_limits_hold);
    tcase_add_test(tc, test_names_at_once);
    tcase_add_test(tc, test_usage_adds_up);
    tcase_add_test(tc, test_notices_name_nobody);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    cluster_free(&c);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
