/*
 * Daemons of two versions run side by side during an upgrade: what the state before could ask and
 * touch stays, by the same names and for the same roles.
 */
#include "lib/db/migrate.h"
#include "tests/unit/db/cluster.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEFORE 15 /* the last migration of the state before */
#define RIGHTS                                                                                     \
    " SELECT r.rolname, p.oid::regprocedure::text AS what, 'EXECUTE' AS verb"                      \
    " FROM pg_roles r, pg_proc p WHERE p.pronamespace = 'yubin'::regnamespace"                     \
    " AND r.rolname LIKE 'yubin%' AND has_function_privilege(r.oid, p.oid, 'EXECUTE')"             \
    " UNION ALL SELECT r.rolname, t.relname || '.' || a.attname, v FROM pg_roles r, pg_class t"    \
    " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped,"          \
    " unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS v WHERE t.relnamespace ="                     \
    " 'yubin'::regnamespace AND t.relkind IN ('r', 'v', 'p') AND r.rolname LIKE 'yubin%' AND"      \
    " has_column_privilege(r.oid, t.oid, a.attnum, v)"                                             \
    " UNION ALL SELECT r.rolname, t.relname, 'DELETE' FROM pg_roles r, pg_class t WHERE"           \
    " t.relnamespace = 'yubin'::regnamespace AND t.relkind IN ('r', 'v', 'p') AND"                 \
    " r.rolname LIKE 'yubin%' AND has_table_privilege(r.oid, t.oid, 'DELETE')"

static struct cluster *c;

/* A folder with the migrations of the state before. */
static void
before_make(char *dir)
{
    char path[600], target[700], here[400], *top;
    DIR *d;
    const struct dirent *e;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    top = realpath(cluster_source(), NULL);
    ck_assert_ptr_nonnull(top);
    snprintf(here, sizeof(here), "%.380s/schema", top);
    free(top);
    d = opendir(here);
    ck_assert_ptr_nonnull(d);
    while ((e = readdir(d)) != NULL) {
        if (strtol(e->d_name, NULL, 10) < 1 || strtol(e->d_name, NULL, 10) > BEFORE)
            continue;
        snprintf(target, sizeof(target), "%s/%.250s", here, e->d_name);
        snprintf(path, sizeof(path), "%s/%.250s", dir, e->d_name);
        ck_assert_int_eq(symlink(target, path), 0);
    }
    closedir(d);
}

static void
before_remove(const char *dir)
{
    char path[600];
    DIR *d = opendir(dir);
    const struct dirent *e;

    while ((e = readdir(d)) != NULL) {
        snprintf(path, sizeof(path), "%s/%.250s", dir, e->d_name);
        (void)unlink(path);
    }
    closedir(d);
    ck_assert_int_eq(rmdir(dir), 0);
}

/* Customers of the state before; without fixtures, which come with the migrations. */
static void
before_fill(void)
{
    ck_assert_str_eq(
        cluster_ask(
            c, "postgres",
            "SET search_path = yubin, pg_temp;"
            "INSERT INTO nodes (node_id, name) VALUES ('\\x0102030405060708', 'n');"
            "INSERT INTO tenants (name) SELECT 't' || i FROM generate_series(1, 3) i;"
            "INSERT INTO domains (tenant_id, name) SELECT tenant_id, 'd' || i || '.test'"
            " FROM tenants, generate_series(1, 2) i WHERE tenants.name = 't1';"
            "INSERT INTO domains (tenant_id, name) SELECT tenant_id, 'e.test' FROM tenants"
            " WHERE name = 't2';"
            "INSERT INTO domain_aliases (tenant_id, domain_id, name) SELECT tenant_id,"
            " domain_id, 'f.test' FROM domains WHERE name = 'e.test';"
            "INSERT INTO accounts (tenant_id, domain_id, local, written, home_node)"
            " SELECT tenant_id, domain_id, 'u' || i, 'u' || i, '\\x0102030405060708'"
            " FROM domains, generate_series(1, 3) i WHERE domains.name <> 'd2.test';"
            "INSERT INTO settings (tenant_id, key, value) SELECT tenant_id, 'time_zone', '1'"
            " FROM tenants WHERE name = 't1';"
            "INSERT INTO settings (tenant_id, domain_id, key, value) SELECT tenant_id,"
            " domain_id, 'time_zone', '\"Asia/Tokyo\"' FROM domains WHERE name = 'd1.test';"
            "INSERT INTO settings (tenant_id, account_id, key, value) SELECT tenant_id,"
            " account_id, 'junk.enabled', 'true' FROM accounts;"
            "INSERT INTO settings (node_id, key, value) SELECT node_id, 'k', '1' FROM nodes"),
        "");
    /* One who has many, of everything that has an address. */
    ck_assert_str_eq(
        cluster_ask(
            c, "postgres",
            "SET search_path = yubin, pg_temp;"
            "INSERT INTO tenants (name) VALUES ('many');"
            "INSERT INTO domains (tenant_id, name) SELECT tenant_id, 'm' || i || '.test'"
            " FROM tenants, generate_series(1, 3) i WHERE tenants.name = 'many';"
            "INSERT INTO accounts (tenant_id, domain_id, local, written, home_node)"
            " SELECT tenant_id, domain_id, 'u' || i, 'U' || i, '\\x0102030405060708'"
            " FROM domains, generate_series(1, 5000) i WHERE domains.name ~ '^m';"
            "INSERT INTO aliases (tenant_id, domain_id, local, written)"
            " SELECT tenant_id, domain_id, 'a', 'a' FROM domains WHERE name ~ '^m';"
            "INSERT INTO retirements (tenant_id, domain_id, local, written, kind)"
            " SELECT tenant_id, domain_id, 'r', 'r', 'deleted' FROM domains WHERE name ~ '^m'"),
        "");
}

/* What is counted now was there already, and so were the names. */
START_TEST(test_counts_are_filled)
{
    ck_assert_str_eq(cluster_sql(c,
                                 "SELECT string_agg(name || ' ' || domains || ' ' || accounts, ', '"
                                 " ORDER BY name) FROM tenant_cards"),
                     "many 3 15000, t1 2 3, t2 1 3, t3 0 0");
    ck_assert_str_eq(cluster_sql(c, "SELECT string_agg(name || ' ' || accounts, ', ' ORDER BY name)"
                                    " FROM domain_cards"),
                     "d1.test 3, d2.test 0, e.test 3, m1.test 5000, m2.test 5000, m3.test 5000");
    cluster_sql(c, "UPDATE domains SET max_accounts = 3 WHERE name = 'e.test'");
    ck_assert_str_eq(cluster_ask(c, "postgres", "SELECT fixtures.account('u4@e.test')"), "YB001");
    ck_assert_str_eq(cluster_ask(c, "postgres", "SELECT fixtures.domain('t3', 'f.test')"), "23505");
}
END_TEST

/* What 0022 and what follows give to rows that were there, in more batches than one. */
static void
look_at_rows(void)
{
    static const char *const tables[] = { "accounts", "aliases", "retirements" };

    for (size_t i = 0; i < YB_COUNT(tables); i++)
        ck_assert_str_eq(cluster_sql(c,
                                     "SELECT count(*) FILTER (WHERE a.address_key = a.local || '@'"
                                     " || d.name AND a.domain_name = d.name) || ' of ' || count(*)"
                                     " FROM %s a JOIN domains d USING (domain_id)",
                                     tables[i]),
                         i == 0 ? "15006 of 15006" : "3 of 3");
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM pg_constraint WHERE NOT convalidated"),
                     "0");
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0");
}

/* Rows of settings that nobody read are there still; what they say of a key that there is now counts,
 * if it is a value, and an account's names its domain. */
START_TEST(test_settings_are_kept)
{
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM settings"), "9");
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM settings JOIN accounts"
                                    " USING (tenant_id, domain_id, account_id)"),
                     "6");
    ck_assert_str_eq(cluster_sql(c, "SELECT more -> 'settings' ->> 'time_zone'"
                                    " FROM yb_login2('u1', 'd1.test')"),
                     "Asia/Tokyo");
    ck_assert_str_eq(cluster_ask(c, "postgres", "UPDATE yubin.settings SET value = '2'"), "YB003");
    cluster_sql(c, "DELETE FROM settings WHERE node_id IS NOT NULL");
}
END_TEST

/* The names and sentences by which the version before tells people what is wrong. */
START_TEST(test_refusals_are_told)
{
    static const char *const refused[][2] = {
        { "DELETE FROM domains WHERE name = ''e.test''",
          "accounts_tenant_id_domain_id_fkey: update or delete on table" },
        { "INSERT INTO domains (tenant_id, name) SELECT tenant_id, ''f.test'' FROM tenants WHERE "
          "name = ''t3''",
          "hosted_names_pkey: f.test is a domain and a domain alias" },
        { "INSERT INTO domain_aliases (tenant_id, domain_id, name) SELECT tenant_id, domain_id,"
          " ''d2.test'' FROM domains WHERE name = ''d1.test''",
          "hosted_names_pkey: d2.test is a domain and a domain alias" },
    };
    char sql[900];

    for (size_t i = 0; i < YB_COUNT(refused); i++) {
        const char *told;

        snprintf(sql, sizeof(sql),
                 "SET search_path = yubin, pg_temp;"
                 "CREATE FUNCTION pg_temp.told(p_sql text) RETURNS text LANGUAGE plpgsql AS $$"
                 " DECLARE k text; m text; BEGIN EXECUTE p_sql; RETURN ''; EXCEPTION WHEN OTHERS"
                 " THEN GET STACKED DIAGNOSTICS k = CONSTRAINT_NAME, m = MESSAGE_TEXT;"
                 " RETURN k || ': ' || m; END $$; SELECT pg_temp.told('%s')",
                 refused[i][0]);
        told = cluster_ask(c, "postgres", sql);
        ck_assert_msg(strncmp(told, refused[i][1], strlen(refused[i][1])) == 0, "%s", told);
    }
}
END_TEST

/* What is there, but for what nothing that was released used: yubin_admin is whom yubin_api becomes,
 * and no program logs in as that yet. */
START_TEST(test_nothing_is_taken_away)
{
    char dir[] = "/tmp/yubin-before-XXXXXX";
    struct yb_migrate_report report;
    struct yb_err err = { 0 };

    before_make(dir);
    ck_assert_msg(yb_db_migrate(cluster_conninfo(c, "postgres"), dir, NULL, NULL, &report, &err) ==
                      0,
                  "%s", err.text);
    ck_assert_int_eq(report.last, BEFORE);
    before_remove(dir);
    before_fill();
    ck_assert_str_eq(cluster_ask(c, "postgres",
                                 "CREATE SCHEMA fixtures; SET search_path = yubin, pg_temp;"
                                 " CREATE TABLE fixtures.rights AS" RIGHTS),
                     "");
    ck_assert_str_eq(cluster_ask(c, "postgres", "SELECT count(*) > 500 FROM fixtures.rights"), "t");
    cluster_migrate(c);
    look_at_rows();
    ck_assert_str_eq(
        cluster_ask(c, "postgres",
                    "SET search_path = yubin, pg_temp;"
                    " SELECT coalesce(string_agg(concat_ws(' ', rolname, verb, what), ', '), '')"
                    " FROM (SELECT rolname, what, verb FROM fixtures.rights EXCEPT (" RIGHTS
                    ")) AS x"
                    " WHERE NOT (rolname = 'yubin_admin' AND verb = 'DELETE')"
                    " AND what <> 'yb_tenant()'"),
        "");
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("expand");
    TCase *tc = tcase_create("expand");
    SRunner *sr = srunner_create(s);
    int failed;

    srunner_set_fork_status(sr, CK_NOFORK);
    c = cluster_start();
    tcase_add_test(tc, test_nothing_is_taken_away);
    tcase_add_test(tc, test_counts_are_filled);
    tcase_add_test(tc, test_settings_are_kept);
    tcase_add_test(tc, test_refusals_are_told);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    cluster_free(&c);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
