/* The audit: who writes, who reads, how it grows and how it ends. */
#include "tests/unit/db/customers.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DENIED "42501"

static struct cluster *c;
static char t1[40], t2[40], a1[40], a2[40], b1[40], u1[40], u2[40], v1[40]; /* v1: u1@b1.test */

static void
id(char *out, const char *sql)
{
    snprintf(out, 40, "%s", cluster_sql(c, "%s", sql));
}

/* The row is written, by that role; then what a SELECT of it gives to the superuser. */
static const char *
audit(char letter, const char *tenant, const char *domain, const char *account, const char *object)
{
    char sql[600], quoted[3][50];
    const char *const ids[] = { tenant, domain, account };

    for (size_t i = 0; i < 3; i++)
        snprintf(quoted[i], sizeof(quoted[i]), ids[i] == NULL ? "NULL" : "'%s'", ids[i]);
    snprintf(sql, sizeof(sql),
             "SELECT yb_audit('account.set', 'change', %s, %s, %s, '%s', '{\"a\": 1}',"
             " '{\"a\": 2}'); COMMIT",
             quoted[0], quoted[1], quoted[2], object);
    return customers_ask(c, letter, sql);
}

static const char *
written(const char *object)
{
    return cluster_sql(c,
                       "SELECT concat_ws('|', role, via, actor_kind, coalesce(actor_id::text, '-'),"
                       " host(client), request_id, action, kind, tenant_id, domain_id, account_id,"
                       " before, after) FROM audit WHERE object = '%s'",
                       object);
}

START_TEST(test_written_by_scope)
{
    char want[500];

    ck_assert_str_eq(audit('C', t1, a1, u1, "by C"), "");
    snprintf(want, sizeof(want),
             "C|cli|unix|-|192.0.2.1|r-1|account.set|change|%s|%s|%s|{\"a\": 1}|{\"a\": 2}", t1, a1,
             u1);
    ck_assert_str_eq(written("by C"), want);
    ck_assert_str_eq(cluster_sql(c, "SELECT actor_name FROM audit WHERE object = 'by C'"), "root");
    /* What it belongs to is found where it is there, and may be given where it is not. */
    ck_assert_str_eq(audit('O', NULL, NULL, v1, "by O"), "");
    snprintf(want, sizeof(want),
             "O|session|account|%s|192.0.2.1|r-1|account.set|change|%s|%s|%s|{\"a\": 1}|{\"a\": 2}",
             u1, t2, b1, v1);
    ck_assert_str_eq(written("by O"), want);
    ck_assert_str_eq(audit('O', NULL, NULL, NULL, "of nobody"), "");
    ck_assert_str_eq(audit('C', t1, a1, "00000000-0000-0000-0000-000000000001", "of a removed one"),
                     "");
}
END_TEST

/* The tenant is the scope's, whatever is said; so are the domain and the account. */
START_TEST(test_nobody_elses)
{
    static const struct {
        char letter;
        const char *tenant, *domain, *account;
        bool done;
    } cases[] = {
        { 'T', t2, NULL, NULL, true }, /* as t1 */
        { 'T', NULL, b1, NULL, false }, { 'T', NULL, NULL, v1, false },
        { 'T', t2, b1, v1, false },     { 'T', t1, a1, u1, true },
        { 'T', t1, a2, u1, false },     { 'D', t2, b1, NULL, true }, /* as a1 */
        { 'D', t2, b1, v1, false },     { 'D', t1, a1, u2, true },
        { 'U', t2, b1, v1, true }, /* as u1 */
        { 'U', t1, a1, u2, true },      { 'O', t1, b1, NULL, false },
        { 'O', t1, NULL, v1, false },   { 'C', t2, a1, u1, false },
    };

    for (size_t i = 0; i < YB_COUNT(cases); i++) {
        char object[20];
        const char *got;

        snprintf(object, sizeof(object), "case %zu", i);
        got = audit(cases[i].letter, cases[i].tenant, cases[i].domain, cases[i].account, object);
        ck_assert_msg(strcmp(got, cases[i].done ? "" : DENIED) == 0, "%s: %s", object, got);
    }
    ck_assert_str_eq(
        cluster_sql(c,
                    "SELECT count(*) FROM audit WHERE object LIKE 'case%%' AND (tenant_id <> '%s'"
                    " OR role IN ('D', 'U') AND domain_id IS DISTINCT FROM '%s'"
                    " OR role = 'U' AND account_id IS DISTINCT FROM '%s')",
                    t1, a1, u1),
        "0");
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM audit WHERE object LIKE 'case%%'"), "6");
}
END_TEST

/* Without a scope nobody writes, and by hand nobody changes anything. */
START_TEST(test_closed)
{
    static const char *const roles[] = { "yubin_smtpd",        "yubin_submitd",      "yubin_relayd",
                                         "yubin_lmtpd",        "yubin_imapd",        "yubin_pop3d",
                                         "yubin_logd",         "yubin_managesieved", "yubin_syncd",
                                         "yubin_api",          "yubin_operator",     "yubin_admin",
                                         "yubin_domain_admin", "yubin_api_operator", "yubin_user" };
    static const char *const verbs[] = {
        ("INSERT INTO yubin.%s (request_id, actor_kind, actor_name, role, via, action, kind, "
         "object)"
         " VALUES ('r', 'unix', 'x', 'C', 'cli', 'x', 'change', 'x')"),
        "UPDATE yubin.%s SET object = 'x'",
        "UPDATE yubin.%s SET at = now()",
        "DELETE FROM yubin.%s",
        "TRUNCATE yubin.%s",
        "LOCK TABLE yubin.%s IN SHARE MODE",
        "ALTER TABLE yubin.%s DISABLE ROW LEVEL SECURITY",
    };
    char tables[3][40] = { "audit", "audit_default", "" }, sql[400], stmt[300];

    snprintf(tables[2], sizeof(tables[2]), "%s",
             cluster_sql(c, "SELECT tableoid::regclass FROM audit LIMIT 1"));
    ck_assert_ptr_nonnull(strstr(tables[2], "q"));
    /* By rights, before policies come to it. */
    ck_assert_str_eq(
        cluster_sql(c,
                    "SELECT string_agg(DISTINCT r.rolname, ' ') FROM pg_roles r, pg_class t WHERE"
                    " t.relname ~ '^audit' AND t.relkind IN ('r', 'p') AND NOT r.rolsuper AND"
                    " r.rolname LIKE 'yubin%%' AND has_table_privilege(r.oid, t.oid,"
                    " 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')"),
        "yubin_functions yubin_owner");
    for (size_t r = 0; r < YB_COUNT(roles); r++) {
        for (size_t i = 0; i < 3 * YB_COUNT(verbs); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(stmt, sizeof(stmt), verbs[i / 3], tables[i % 3]);
#pragma GCC diagnostic pop
            snprintf(sql, sizeof(sql), "BEGIN; SET LOCAL ROLE %s; %s", roles[r], stmt);
            ck_assert_msg(strcmp(cluster_ask(c, "postgres", sql), DENIED) == 0, "%s", sql);
        }
        snprintf(sql, sizeof(sql),
                 "BEGIN; SET LOCAL ROLE %s; SELECT yubin.yb_audit('x', 'change', NULL, NULL, NULL,"
                 " '', NULL, NULL)",
                 roles[r]);
        ck_assert_msg(strcmp(cluster_ask(c, "postgres", sql), DENIED) == 0, "%s", sql);
        snprintf(sql, sizeof(sql),
                 "BEGIN; SET LOCAL ROLE %s; SELECT yubin.yb_audit_accounts('x', '{}')", roles[r]);
        ck_assert_msg(strcmp(cluster_ask(c, "postgres", sql), DENIED) == 0, "%s", sql);
    }
}
END_TEST

/* A row of somebody else's domain or account is not shown to him, even where it says his ids. */
START_TEST(test_read)
{
    static const struct {
        char letter;
        const char *sql, *want;
    } reads[] = {
        { 'T', "SELECT count(DISTINCT tenant_id) FROM audit", "1" },
        { 'D', "SELECT count(DISTINCT domain_id) FROM audit", "1" },
        { 'U', "SELECT count(DISTINCT account_id) FROM audit", "1" },
        { 'T', "SELECT id FROM audit", DENIED },
        { 'D', "SELECT via_id FROM audit", DENIED },
        { 'U', "SELECT * FROM audit", DENIED },
        { 'T', "SELECT count(*) FROM audit WHERE object = 'planted'", "0" },
        { 'D', "SELECT count(*) FROM audit WHERE object = 'planted'", "0" },
        { 'U', "SELECT count(*) FROM audit WHERE object = 'planted'", "0" },
        { 'O', "SELECT count(*) FROM audit WHERE object = 'planted' AND id > 0", "1" },
        { 'C', "SELECT count(*) FROM audit WHERE object = 'planted' AND id > 0", "1" },
    };

    cluster_sql(
        c,
        "INSERT INTO audit (request_id, actor_kind, actor_name, role, via, action, kind,"
        " tenant_id, domain_id, account_id, object) VALUES ('r', 'unix', 'x', 'T', 'cli', 'x',"
        " 'change', '%s', '%s', '%s', 'planted')",
        t2, a1, u1);
    for (size_t i = 0; i < YB_COUNT(reads); i++) {
        const char *got = customers_ask(c, reads[i].letter, reads[i].sql);

        ck_assert_msg(strcmp(got, reads[i].want) == 0, "%c: %s: %s", reads[i].letter, reads[i].sql,
                      got);
    }
}
END_TEST

/* A row an account in one statement: all of them are the asker's, or none is written. */
START_TEST(test_accounts)
{
    char sql[400];

    snprintf(sql, sizeof(sql), "SELECT yb_audit_accounts('import', '{%s,%s,%s}'); COMMIT", u1, u2,
             u1);
    ck_assert_str_eq(customers_ask(c, 'T', sql), "");
    ck_assert_str_eq(
        cluster_sql(c,
                    "SELECT string_agg(concat_ws(' ', object, role, kind, (tenant_id = '%s' AND"
                    " domain_id = '%s')::text, after->>'quota_bytes', after->'forwards',"
                    " after->'may_send_as', after->>'has_password'), ', ' ORDER BY object)"
                    " FROM audit WHERE action = 'import'",
                    t1, a1),
        "u1@a1.test T change true 0 [\"else@where.test\"] [\"all@a1.test\"] true,"
        " u2@a1.test T change true 0 [\"else@where.test\"] [\"all@a1.test\"] true");
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM audit WHERE action = 'import' AND"
                                    " (after::text LIKE '%%secret%%' OR before IS NOT NULL)"),
                     "0");
    /* The members are those of the card, but for what the row says itself and figures. */
    ck_assert_str_eq(
        cluster_sql(c, "SELECT string_agg(k, ' ') FROM (SELECT attname AS k FROM pg_attribute WHERE"
                       " attrelid = 'account_cards'::regclass AND attnum > 0 EXCEPT SELECT"
                       " jsonb_object_keys(after) FROM audit WHERE action = 'import'"
                       " ORDER BY 1) AS x"),
        "account_id address address_key bytes created_at domain full_since local_key messages "
        "tenant");
    cluster_sql(c, "DELETE FROM audit WHERE action = 'import'");
    for (const char *who = "TD"; *who != '\0'; who++) {
        snprintf(sql, sizeof(sql), "SELECT yb_audit_accounts('import', '{%s,%s}'); COMMIT", u1, v1);
        ck_assert_str_eq(customers_ask(c, *who, sql), DENIED);
    }
    ck_assert_str_eq(customers_ask(c, 'U', sql), DENIED);
    snprintf(sql, sizeof(sql),
             "SELECT yb_audit_accounts('import', ARRAY['%s', gen_random_uuid()]); COMMIT", u1);
    ck_assert_str_eq(customers_ask(c, 'C', sql), DENIED);
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM audit WHERE action = 'import'"), "0");
    snprintf(sql, sizeof(sql), "SELECT yb_audit_accounts('import', '{%s,%s}')", u1, v1);
    ck_assert_str_eq(customers_ask(c, 'C', sql), "2");
}
END_TEST

/* Now and two years ahead, quarters of UTC whoever asks, each forced; the net is empty. */
START_TEST(test_quarters)
{
    ck_assert_str_eq(
        cluster_sql(c,
                    "SELECT count(*) || ' ' || bool_and(relrowsecurity AND relforcerowsecurity AND"
                    " relowner = 'yubin_owner'::regrole) FROM pg_class WHERE relispartition AND"
                    " relkind = 'r' AND relname ~ '^audit_\\d{4}q[1-4]$'"),
        "9 true");
    ck_assert_str_eq(
        cluster_sql(c, "SELECT count(*) FROM generate_series(date_trunc('quarter', now(), 'UTC'),"
                       " now() + interval '2 years', '3 months') AS q WHERE to_regclass('audit_' ||"
                       " to_char(q AT TIME ZONE 'UTC', 'YYYY\"q\"Q')) IS NOT NULL"),
        "9");
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM audit_default"), "0");
    ck_assert_str_eq(cluster_sql(c, "SELECT yb_audit_quarters()"), "0");
    cluster_sql(c,
                "SET timezone = 'Asia/Tokyo'; SELECT yb_audit_quarters(now() + interval '1 year')");
    ck_assert_str_eq(cluster_sql(c, "SELECT yb_audit_quarters(now() + interval '1 year')"), "0");
    ck_assert_str_eq(
        cluster_sql(c,
                    "SET timezone = 'UTC'; SELECT count(*) FROM pg_class WHERE relispartition AND"
                    " relkind = 'r' AND relname ~ 'q' AND pg_get_expr(relpartbound, oid) !~"
                    " 'FROM .''\\d{4}-(01|04|07|10)-01 00:00:00\\+00''. TO'"),
        "0");
    /* As the owner, who migrates. */
    ck_assert_str_eq(cluster_ask(c, "postgres",
                                 "SET ROLE yubin_owner; SELECT"
                                 " yubin.yb_audit_quarters(now() + interval '2 years')"),
                     "4");
}
END_TEST

START_TEST(test_retention)
{
    cluster_sql(c, "SELECT yb_audit_quarters(now() - interval '900 days')");
    cluster_sql(
        c, "INSERT INTO audit (at, request_id, actor_kind, actor_name, role, via, action,"
           " kind, object) SELECT now() - make_interval(days => d), 'r', 'unix', 'x', 'C',"
           " 'cli', 'old', 'change', d::text FROM unnest('{850,700,401,399,1}'::integer[]) AS d");
    cluster_sql(c,
                "INSERT INTO audit (at, request_id, actor_kind, actor_name, role, via, action,"
                " kind, object) VALUES (now() - interval '9 years', 'r', 'unix', 'x', 'C', 'cli',"
                " 'old', 'change', 'in the net')");
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM audit_default"), "1");
    ck_assert_str_eq(cluster_ask(c, "postgres", "SELECT yubin.yb_audit_retain(0)"), "22023");
    ck_assert_str_eq(cluster_ask(c, "postgres", "SELECT yubin.yb_audit_retain(NULL)"), "22023");
    /* As the owner. Whole quarters, and in the oldest that stays, and in the net, rows. */
    ck_assert_str_eq(cluster_ask(c, "postgres",
                                 "SET ROLE yubin_owner; SELECT partitions >= 4 AND"
                                 " partitions <= 6 AND rows IN (1, 2)"
                                 " FROM yubin.yb_audit_retain(400)"),
                     "t");
    ck_assert_str_eq(cluster_sql(c, "SELECT string_agg(object, ' ' ORDER BY object) FROM audit"
                                    " WHERE action = 'old'"),
                     "1 399");
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM audit_default"), "0");
    ck_assert_str_eq(
        cluster_sql(c, "SELECT min(relname) = 'audit_' || to_char((now() - interval '400 days') AT"
                       " TIME ZONE 'UTC', 'YYYY\"q\"Q') FROM pg_class WHERE relispartition AND"
                       " relkind = 'r' AND relname ~ 'q'"),
        "t");
    ck_assert_str_eq(cluster_sql(c, "SELECT partitions || ' ' || rows FROM yb_audit_retain(400)"),
                     "0 0");
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("audit");
    TCase *tc = tcase_create("audit");
    SRunner *sr = srunner_create(s);
    int failed;

    srunner_set_fork_status(sr, CK_NOFORK);
    c = cluster_start();
    cluster_migrate(c);
    customers_fill(c);
    id(t1, "SELECT tenant_id FROM tenants WHERE name = 't1'");
    id(t2, "SELECT tenant_id FROM tenants WHERE name = 't2'");
    id(a1, "SELECT domain_id FROM domains WHERE name = 'a1.test'");
    id(a2, "SELECT domain_id FROM domains WHERE name = 'a2.test'");
    id(b1, "SELECT domain_id FROM domains WHERE name = 'b1.test'");
    id(u1, "SELECT fixtures.id('u1@a1.test')");
    id(u2, "SELECT fixtures.id('u2@a1.test')");
    id(v1, "SELECT fixtures.id('u1@b1.test')");
    tcase_add_test(tc, test_quarters);
    tcase_add_test(tc, test_written_by_scope);
    tcase_add_test(tc, test_nobody_elses);
    tcase_add_test(tc, test_closed);
    tcase_add_test(tc, test_read);
    tcase_add_test(tc, test_accounts);
    tcase_add_test(tc, test_retention);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    cluster_free(&c);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
