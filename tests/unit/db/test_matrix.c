/*
 * Who reaches what, made from the catalog: each role by each verb on each table and view, and each
 * column, aimed at rows that are not its own. A table that comes without a policy fails here, and so
 * does a right that is not in the lists below.
 */
#include "tests/unit/db/customers.h"

#include <check.h>
#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DENIED "42501"
#define NOT_HIS "YB002"   /* a setting of a level above his */
#define NO_VIEW "55000"   /* nobody changes this view */
#define NO_COLUMN "0A000" /* nor this column of it */

static struct cluster *c;
static PGconn *pg;
static char tenant[40], domain[40], account[40]; /* t1, a1.test, u1@a1.test */

/*
 * Who asks. Which rows are his own() tells; `reads` is where he sees them, `adds` where he inserts.
 */
struct asker {
    char letter; /* 0: logs in, and has got hold of a scope of T */
    const char *role;
    const char *reads, *adds;
};
static const struct asker askers[] = {
    { 'O', "yubin_api_operator",
      "account_cards accounts alias_cards alias_targets aliases audit credentials domain_aliases"
      " domain_cards domain_counts domain_usage domains forwards retirement_cards retirements"
      " search_words sender_rights settings tenant_cards tenant_counts tenant_usage tenants usage",
      "accounts alias_targets aliases credentials domain_aliases domains forwards retirements"
      " sender_rights settings tenants" },
    { 'T', "yubin_admin",
      "account_cards accounts alias_cards alias_targets aliases audit credentials domain_aliases"
      " domain_cards domain_counts domain_usage domains forwards retirement_cards retirements"
      " search_words sender_rights settings tenant_cards tenant_counts tenant_usage tenants usage",
      "accounts alias_targets aliases credentials forwards retirements sender_rights settings" },
    { 'D', "yubin_domain_admin",
      "accounts aliases audit domain_aliases domain_counts domain_usage domains retirements"
      " search_words settings usage",
      "accounts aliases retirements settings" },
    { 'U', "yubin_user", "accounts audit credentials domains forwards sender_rights settings usage",
      "forwards settings" },
    { 0, "yubin_api", "", "" },
    { 0, "yubin_smtpd", "", "" },
    { 0, "yubin_submitd", "", "" },
    { 0, "yubin_relayd", "", "" },
    { 0, "yubin_lmtpd", "", "" },
    { 0, "yubin_imapd", "", "" },
    { 0, "yubin_pop3d", "", "" },
    { 0, "yubin_logd", "", "" },
    { 0, "yubin_managesieved", "", "" },
    { 0, "yubin_syncd", "", "" },
};

struct relation {
    char name[64], columns[400]; /* columns: that can be given, with commas */
    bool view, partition, cards; /* cards: a view with a tenant's name, or of tenants */
    bool tenant_id, domain_id, account_id, tenant;
};
static struct relation relations[80];
static size_t n_relations;

static void put(char *out, size_t size, const char *fmt, ...) YB_PRINTF(3, 4);

static void
put(char *out, size_t size, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    yb_assert(vsnprintf(out, size, fmt, args) < (int)size);
    va_end(args);
}

/* As the superuser. */
static PGresult *
run(const char *sql)
{
    PGresult *r = PQexec(pg, sql);

    if (PQresultStatus(r) != PGRES_TUPLES_OK) {
        fprintf(stderr, "%s: %s\n", sql, PQerrorMessage(pg));
        abort();
    }
    return r;
}

/* As the asker, in a transaction that is undone: the SQLSTATE, the first field, or the rows changed. */
static const char *
as(const struct asker *a, const char *sql)
{
    static char answer[100];
    char full[4000];
    PGresult *r;

    snprintf(full, sizeof(full),
             "BEGIN; SET LOCAL search_path = yubin, pg_temp;"
             " SELECT set_config('yubin.scope', yb_scope_sign(%s), true);"
             " SET LOCAL SESSION AUTHORIZATION %s; SET LOCAL ROLE %s; %s",
             customers_scope(a->letter == 0 ? 'T' : a->letter),
             a->letter == 0 ? a->role : "yubin_api", a->role, sql);
    r = PQexec(pg, full);
    snprintf(answer, sizeof(answer), "%s",
             PQresultStatus(r) == PGRES_FATAL_ERROR ? PQresultErrorField(r, PG_DIAG_SQLSTATE)
             : PQntuples(r) > 0                     ? PQgetvalue(r, 0, 0)
                                                    : PQcmdTuples(r));
    PQclear(r);
    PQclear(PQexec(pg, "ROLLBACK"));
    return answer;
}

static bool
refused(const struct relation *t, const char *got)
{
    return strcmp(got, DENIED) == 0 || strcmp(got, NOT_HIS) == 0 ||
           (t->view && (strcmp(got, NO_VIEW) == 0 || strcmp(got, NO_COLUMN) == 0));
}

/* Which rows of a relation are his. */
static const char *
own(const struct asker *a, const struct relation *t)
{
    static char text[200];

    if (a->letter == 'O')
        return t->tenant_id || t->cards ? "true" : "false";
    if (a->letter == 'T' && t->view)
        return !t->cards ? "false" : t->tenant ? "tenant = 't1'" : "name = 't1'";
    if (a->letter == 'T' && t->tenant_id)
        snprintf(text, sizeof(text), "tenant_id = '%s'", tenant);
    else if (a->letter == 'D' && t->domain_id)
        snprintf(text, sizeof(text), "domain_id = '%s'", domain);
    else if (a->letter == 'U' && t->account_id)
        snprintf(text, sizeof(text), "account_id = '%s'", account);
    else if (a->letter == 'U' && strcmp(t->name, "domains") == 0)
        snprintf(text, sizeof(text), "domain_id = '%s'", domain);
    else
        return "false";
    return text;
}

static long
count(const struct relation *t, const char *which)
{
    char sql[500];
    PGresult *r;
    long n;

    put(sql, sizeof(sql), "SELECT count(*) FROM yubin.%s WHERE (%s)", t->name, which);
    r = run(sql);
    n = strtol(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    return n;
}

/* He sees his rows, all of them, or may not look. */
static void
look(const struct asker *a, const struct relation *t, char *reads, size_t size)
{
    char sql[200];
    const char *got;

    put(sql, sizeof(sql), "SELECT count(*) FROM yubin.%s", t->name);
    got = as(a, sql);
    if (strcmp(got, DENIED) == 0)
        return;
    ck_assert_msg(strtol(got, NULL, 10) == count(t, own(a, t)), "%s sees %s rows of %s", a->role,
                  got, t->name);
    ck_assert_msg(strcmp(got, "0") != 0, "%s looks at %s in vain", a->role, t->name);
    put(reads + strlen(reads), size - strlen(reads), "%s%s", *reads == '\0' ? "" : " ", t->name);
}

/* Each column of each foreign row: no right, or nothing there. */
static void
change(const struct asker *a, const struct relation *t)
{
    char columns[sizeof(t->columns)], sql[700], *next, *name;
    const char *got;

    snprintf(columns, sizeof(columns), "%s", t->columns);
    for (name = strtok_r(columns, ", ", &next); name != NULL; name = strtok_r(NULL, ", ", &next)) {
        put(sql, sizeof(sql), "UPDATE yubin.%s SET %s = DEFAULT WHERE NOT coalesce(%s, false)",
            t->name, name, own(a, t));
        got = as(a, sql);
        ck_assert_msg(refused(t, got) || strcmp(got, "0") == 0, "%s: %s: %s", a->role, sql, got);
        /* All that he sees: no more than his own, where they can be changed like that. */
        put(sql, sizeof(sql), "UPDATE yubin.%s SET %s = DEFAULT", t->name, name);
        got = as(a, sql);
        ck_assert_msg(refused(t, got) || count(t, own(a, t)) > 0, "%s: %s: %s", a->role, sql, got);
        if (strlen(got) < 5)
            ck_assert_msg(strtol(got, NULL, 10) <= count(t, own(a, t)), "%s: %s", a->role, sql);
        if (strcmp(name, "verifier") == 0 || strcmp(name, "key") == 0) {
            put(sql, sizeof(sql), "SELECT count(%s) FROM yubin.%s", name, t->name);
            ck_assert_msg(strcmp(as(a, sql), DENIED) == 0 || strcmp(t->name, "settings") == 0,
                          "%s reads %s of %s", a->role, name, t->name);
        }
    }
    put(sql, sizeof(sql), "DELETE FROM yubin.%s", t->name);
    ck_assert_msg(refused(t, as(a, sql)), "%s: %s", a->role, sql);
    put(sql, sizeof(sql), "TRUNCATE yubin.%s", t->name);
    ck_assert_msg(t->view || refused(t, as(a, sql)), "%s: %s", a->role, sql);
    put(sql, sizeof(sql), "LOCK TABLE yubin.%s IN SHARE MODE", t->name);
    ck_assert_msg(refused(t, as(a, sql)), "%s: %s", a->role, sql);
}

/* A copy of each foreign row is refused, before any key could tell that it is there. One of his own
 * is not refused for what he is, where he may add at all. */
static void
add(const struct asker *a, const struct relation *t, char *adds, size_t size)
{
    char sql[3000];
    PGresult *r;
    const char *got = DENIED;

    for (int mine = 0; mine <= 1; mine++) {
        put(sql, sizeof(sql), "SELECT quote_literal(to_jsonb(x)) FROM yubin.%s x WHERE %s (%s)",
            t->name, mine == 1 ? "" : "NOT", own(a, t));
        r = run(sql);
        for (int i = 0; i < PQntuples(r); i++) {
            put(sql, sizeof(sql),
                "INSERT INTO yubin.%s (%s) SELECT %s FROM jsonb_populate_record("
                "NULL::yubin.%s, %s)",
                t->name, t->columns, t->columns, t->name, PQgetvalue(r, i, 0));
            got = as(a, sql);
            ck_assert_msg(mine == 1 || refused(t, got), "%s: %s: %s", a->role, sql, got);
        }
        PQclear(r);
    }
    if (!refused(t, got))
        put(adds + strlen(adds), size - strlen(adds), "%s%s", *adds == '\0' ? "" : " ", t->name);
}

START_TEST(test_matrix)
{
    const struct asker *a = &askers[_i];
    char reads[500] = "", adds[500] = "";

    for (size_t i = 0; i < n_relations; i++) {
        look(a, &relations[i], reads, sizeof(reads));
        change(a, &relations[i]);
        add(a, &relations[i], adds, sizeof(adds));
    }
    ck_assert_str_eq(reads, a->reads);
    ck_assert_str_eq(adds, a->adds);
}
END_TEST

/* Rows in every table, and of each that has an owner rows of others: else nothing above means much. */
START_TEST(test_rows_everywhere)
{
    ck_assert_uint_gt(n_relations, 30);
    for (size_t i = 0; i < n_relations; i++) {
        const struct relation *t = &relations[i];

        if (!t->partition)
            ck_assert_msg(count(t, "true") > 0, "%s is empty", t->name);
        for (size_t k = 1; k < CUSTOMERS_ROLES && t->tenant_id && !t->partition; k++)
            ck_assert_msg(count(t, own(&askers[k], t)) < count(t, "true"), "%s for %c", t->name,
                          askers[k].letter);
    }
}
END_TEST

/* By what a login asks, and by nothing else, a verifier comes out. */
START_TEST(test_verifiers)
{
    for (size_t i = 0; i < YB_COUNT(askers); i++) {
        bool login = strcmp(askers[i].role, "yubin_submitd") == 0 ||
                     strcmp(askers[i].role, "yubin_imapd") == 0 ||
                     strcmp(askers[i].role, "yubin_pop3d") == 0;

        ck_assert_str_eq(as(&askers[i], "SELECT verifier FROM yubin.yb_login2('u1', 'a1.test')"),
                         login ? "secret of u1" : DENIED);
    }
    /* What functions give at all has no other column or parameter of that name. */
    ck_assert_str_eq(
        cluster_sql(
            c, "SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace"
               " = 'yubin'::regnamespace AND 'verifier' = ANY (proargnames)"),
        "yb_login yb_login2");
}
END_TEST

static void
relations_read(void)
{
    PGresult *r =
        run("SELECT c.relname, c.relkind = 'v', c.relispartition,"
            " bool_or(a.attname = 'tenant_id' AND c.relkind <> 'v'),"
            " bool_or(a.attname = 'domain_id' AND c.relkind <> 'v'),"
            " bool_or(a.attname = 'account_id' AND c.relkind <> 'v'),"
            " bool_or(a.attname = 'tenant'), c.relname ~ '_cards$' AND c.relname <> 'node_cards',"
            " string_agg(quote_ident(a.attname), ', ') FILTER (WHERE a.attgenerated = '' AND"
            " a.attidentity = '')"
            " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND"
            " NOT a.attisdropped WHERE c.relnamespace = 'yubin'::regnamespace AND"
            " c.relkind IN ('r', 'p', 'v', 'm', 'f') GROUP BY c.oid ORDER BY c.relname");

    n_relations = (size_t)PQntuples(r);
    yb_assert(n_relations <= YB_COUNT(relations));
    for (int i = 0; i < PQntuples(r); i++) {
        struct relation *t = &relations[i];
        bool *const flags[] = { &t->view,       &t->partition, &t->tenant_id, &t->domain_id,
                                &t->account_id, &t->tenant,    &t->cards };

        snprintf(t->name, sizeof(t->name), "%s", PQgetvalue(r, i, 0));
        for (int k = 0; k < (int)YB_COUNT(flags); k++)
            *flags[k] = *PQgetvalue(r, i, k + 1) == 't';
        snprintf(t->columns, sizeof(t->columns), "%s", PQgetvalue(r, i, 8));
    }
    PQclear(r);
}

int
main(void)
{
    Suite *s = suite_create("matrix");
    TCase *tc = tcase_create("matrix");
    SRunner *sr = srunner_create(s);
    int failed;

    srunner_set_fork_status(sr, CK_NOFORK);
    c = cluster_start();
    cluster_migrate(c);
    customers_fill(c);
    snprintf(tenant, sizeof(tenant), "%s",
             cluster_sql(c, "SELECT tenant_id FROM tenants WHERE name = 't1'"));
    snprintf(domain, sizeof(domain), "%s",
             cluster_sql(c, "SELECT domain_id FROM domains WHERE name = 'a1.test'"));
    snprintf(account, sizeof(account), "%s", cluster_sql(c, "SELECT fixtures.id('u1@a1.test')"));
    pg = PQconnectdb(cluster_conninfo(c, "postgres"));
    relations_read();
    tcase_add_test(tc, test_rows_everywhere);
    tcase_add_loop_test(tc, test_matrix, 0, (int)YB_COUNT(askers));
    tcase_add_test(tc, test_verifiers);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    PQfinish(pg);
    cluster_free(&c);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
