/*
 * Lists: what a search finds, in which order and pages; and the plan of every statement of the table in
 * lib/admin/list_sql.c with 20 000 accounts, as the roles that may ask it. What reads a thousand rows one
 * by one, or sorts them, fails here.
 */
#include "lib/admin/list.h"
#include "tests/unit/db/cluster.h"
#include "tests/unit/db/relay.h"

#include <check.h>
#include <jansson.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 1000         /* rows of a Seq Scan or a Sort */
#define MOST_INDEXED 2600 /* of an index: all domains, searched by any part of their names */
#define PAGE "50"

static struct cluster *c;
static PGconn *pg;

static void
must(const char *sql)
{
    PGresult *r = PQexec(pg, sql);

    ck_assert_msg(PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK,
                  "%.300s: %s", sql, PQerrorMessage(pg));
    PQclear(r);
}

/* t1 has nearly all of it, in no order on disk. */
static void
fill(void)
{
    must("SET search_path = yubin, pg_temp; SELECT setseed(0.5)");
    must("INSERT INTO nodes (node_id, name, store_id) SELECT decode(lpad(to_hex(i), 16, '0'), "
         "'hex'), 'n' || i,"
         " lpad(to_hex(i), 32, '0')"
         " FROM generate_series(1, 3) AS i");
    must("INSERT INTO tenants (name) SELECT 't' || i FROM generate_series(1, 1200) AS i");
    must("INSERT INTO domains (tenant_id, name, written) SELECT t.tenant_id, 'd' || i || '.test',"
         " 'd' || i || '.test' FROM generate_series(1, 2500) AS i JOIN tenants t ON t.name ="
         " CASE WHEN i <= 2000 THEN 't1' ELSE 't' || (i - 1990) END ORDER BY random()");
    must("INSERT INTO accounts (tenant_id, domain_id, local, written, display_name, home_node, "
         "words)"
         " SELECT d.tenant_id, d.domain_id, 'user' || i, 'user' || i, 'Name ' || i,"
         " '\\x0000000000000001', ARRAY['smith' || i % 2, 'name', 'w' || i] FROM"
         " generate_series(1, 20000) AS i JOIN domains d ON d.name = 'd' ||"
         " CASE WHEN i % 2 = 0 THEN 1 ELSE i % 2400 END || '.test' ORDER BY random()");
    must("INSERT INTO aliases (tenant_id, domain_id, local, written, words) SELECT d.tenant_id,"
         " d.domain_id, 'alias' || i, 'alias' || i, ARRAY['desk', 'w' || i] FROM"
         " generate_series(1, 5000) AS i JOIN domains d ON d.name = 'd' || CASE WHEN i % 2 = 0"
         " THEN 1 ELSE i % 2400 END || '.test' ORDER BY random()");
    must("INSERT INTO retirements (tenant_id, domain_id, local, written, kind) SELECT tenant_id,"
         " domain_id, 'gone' || local, 'gone' || local, 'deleted' FROM aliases ORDER BY random()");
    must("INSERT INTO audit (at, request_id, actor_kind, actor_name, role, via, action, kind,"
         " tenant_id, domain_id, account_id, object) SELECT now() - i * interval '10 s', 'r', "
         "'unix',"
         " 'u' || i % 3, 'C', 'cli', 'account.add', 'change', tenant_id, domain_id, account_id,"
         " address_key FROM accounts, generate_series(1, 1) AS j, substr(local, 5) AS n,"
         " CAST(n AS integer) AS i ORDER BY random()");
    must("ANALYZE");
}

/* --- plans --- */

/* As whom: the command line, and the four of the REST interface. */
static const struct {
    const char *role, *scope; /* arguments of yb_scope_sign(); %s: ids */
} askers[] = {
    { "yubin_operator", NULL },
    { "yubin_api_operator", "'O', NULL, NULL, NULL" },
    { "yubin_admin", "'T', tenant_id, NULL, NULL" },
    { "yubin_domain_admin", "'D', tenant_id, domain_id, NULL" },
    { "yubin_user", "'U', tenant_id, domain_id, account_id" },
};

static const char *
value_of(char letter, enum yb_admin_list_id id, bool deep)
{
    bool audit = id >= YB_ADMIN_AUDIT, words = false;

    switch (letter) {
    case 'a':
        return !deep                    ? "''"
               : audit                  ? "'1793491200000000'"
               : id == YB_ADMIN_TENANTS ? "'t3'"
               : id == YB_ADMIN_DOMAINS ? "'d12.test'"
                                        : "'a'";
    case 'b':
        return audit ? deep ? "'100'" : "''" : "'user2'";
    case 'n':
        return PAGE;
    case 'f':
        return id == YB_ADMIN_DOMAINS ? "'t1'" : "'d1.test'";
    case 't':
        return "'9'";
    case 'l':
        return words ? "''" : "'user1'";
    case 'h':
        return "'user1~'";
    case 'w':
        return deep ? "'smith1'" : "'w17'";
    case 'x':
        return deep ? "'smith1~'" : "'w17~'";
    case 'o':
        return "'{}'";
    case 'A':
        return "'u1'";
    case 'T':
        return "'t1'";
    case 'O':
    case 'P':
        return "'user2@d1.test'";
    default:
        return "NULL";
    }
}

/* What is wrong with a plan, in words; "" if nothing. */
static void
judge(const json_t *node, bool counts, char *out, size_t size)
{
    const char *type = json_string_value(json_object_get(node, "Node Type"));
    double loops = json_number_value(json_object_get(node, "Actual Loops"));
    double rows = loops * (json_number_value(json_object_get(node, "Actual Rows")) +
                           json_number_value(json_object_get(node, "Rows Removed by Filter")));
    const json_t *child;
    size_t i;

    counts = counts || strcmp(type, "Aggregate") == 0; /* what a card tells, not the list's */
    if (!counts && rows > (strcmp(type, "Seq Scan") == 0 ? MOST : MOST_INDEXED))
        snprintf(out, size, "%s on %s reads %.0f rows", type,
                 json_string_value(json_object_get(node, "Relation Name")), rows);
    json_array_foreach(json_object_get(node, "Plans"), i, child)
    {
        double below = json_number_value(json_object_get(child, "Actual Loops")) *
                       json_number_value(json_object_get(child, "Actual Rows"));

        if (strcmp(type, "Sort") == 0 && below > MOST)
            snprintf(out, size, "Sort of %.0f rows", below);
        judge(child, counts, out, size);
    }
}

/* Begins a transaction as that role. */
static void
become(size_t who)
{
    char sql[600];

    must("BEGIN; SET LOCAL search_path = yubin, pg_temp");
    if (askers[who].scope != NULL) {
        snprintf(sql, sizeof(sql),
                 "SELECT set_config('yubin.scope', yb_scope_sign(%s, 'account', account_id::text,"
                 " 'session', NULL, NULL, 'r', '60 s'), true) FROM accounts WHERE address_key ="
                 " 'user2@d1.test'",
                 askers[who].scope);
        must(sql);
    }
    snprintf(sql, sizeof(sql), "SET LOCAL SESSION AUTHORIZATION %s; SET LOCAL ROLE %s",
             askers[who].scope == NULL ? askers[who].role : "yubin_api", askers[who].role);
    must(sql);
}

/* 0: a plan, judged in *out; 1: the role may not ask it. */
static int
explain(size_t who, enum yb_admin_list_id id, const struct yb_admin_step *step, bool deep,
        char *out, size_t size)
{
    char sql[12000], args[400] = "";
    PGresult *r;
    json_t *plan;
    int rc = 0;

    *out = '\0';
    become(who);
    must(yb_admin_list_plans.sql);
    must("SET LOCAL plan_cache_mode = force_generic_plan");
    snprintf(sql, sizeof(sql), "PREPARE p AS %s", step->st->sql);
    must(sql);
    for (const char *l = step->takes; *l != '\0'; l++)
        snprintf(args + strlen(args), sizeof(args) - strlen(args), "%s%s",
                 l == step->takes ? "" : ", ", value_of(*l, id, deep));
    snprintf(sql, sizeof(sql), "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE p(%s)", args);
    r = PQexec(pg, sql);
    if (PQresultStatus(r) != PGRES_TUPLES_OK) {
        ck_assert_msg(strcmp(PQresultErrorField(r, PG_DIAG_SQLSTATE), "42501") == 0, "%s: %s: %s",
                      step->st->name, sql, PQerrorMessage(pg));
        rc = 1;
    } else {
        plan = json_loads(PQgetvalue(r, 0, 0), 0, NULL);
        judge(json_object_get(json_array_get(plan, 0), "Plan"), false, out, size);
        json_decref(plan);
    }
    PQclear(r);
    must("ROLLBACK; DEALLOCATE ALL");
    return rc;
}

START_TEST(test_plans)
{
    size_t asked[YB_COUNT(askers)] = { 0 };
    char wrong[200];

    for (size_t id = 0; id < YB_ADMIN_LISTINGS; id++) {
        for (size_t k = 0; k < 2 * YB_ADMIN_PHASES * 2 * YB_COUNT(askers); k++) {
            const struct yb_admin_step *step =
                &yb_admin_listings[id].steps[k % 2][k / 2 % YB_ADMIN_PHASES];
            size_t who = k / 2 / YB_ADMIN_PHASES / 2;

            if (who > 0 && yb_admin_listings[id].command_line_only)
                continue;
            if (step->st == NULL ||
                explain(who, (enum yb_admin_list_id)id, step, k / 2 / YB_ADMIN_PHASES % 2 == 1,
                        wrong, sizeof(wrong)) != 0) {
                ck_assert_msg(who > 0 || step->st == NULL, "%s is denied", step->st->name);
                continue;
            }
            ck_assert_msg(*wrong == '\0', "%s as %s: %s", step->st->name, askers[who].role, wrong);
            asked[who]++;
        }
    }
    ck_assert_uint_gt(asked[0], 50); /* each of the table, two pages */
    ck_assert_uint_gt(asked[1], 40); /* but the nodes and what needs the audit's ids */
    ck_assert_uint_gt(asked[2], 40);
}
END_TEST

/* What the test above looks for it would find. */
START_TEST(test_plans_are_judged)
{
    static const struct {
        const char *index, *say;
        enum yb_admin_list_id id;
        unsigned of, phase;
    } without[] = {
        { "accounts_address", "accounts", YB_ADMIN_ACCOUNTS, 0, 0 },
        { "search_words_word", "search_words", YB_ADMIN_ACCOUNTS, 0, 2 },
        { "search_words_domain", "search_words", YB_ADMIN_ACCOUNTS, 1, 2 },
    };
    char sql[200], wrong[200];

    for (size_t i = 0; i < YB_COUNT(without); i++) {
        snprintf(sql, sizeof(sql), "SELECT pg_get_indexdef('yubin.%s'::regclass)",
                 without[i].index);
        PGresult *r = PQexec(pg, sql);

        snprintf(sql, sizeof(sql), "DROP INDEX yubin.%s", without[i].index);
        must(sql);
        explain(0, without[i].id,
                &yb_admin_listings[without[i].id].steps[without[i].of][without[i].phase], true,
                wrong, sizeof(wrong));
        must(PQgetvalue(r, 0, 0));
        PQclear(r);
        ck_assert_msg(strlen(wrong) > 0, "without %s nothing is wrong", without[i].index);
    }
}
END_TEST

/* Whether `name` is there, as the role sees it: "true", "false", or the SQLSTATE. */
static void
ask_there(size_t who, const struct yb_admin_listing *list, const char *name, char out[6])
{
    char sql[600];
    PGresult *r;

    become(who);
    snprintf(sql, sizeof(sql), "PREPARE p AS %s; EXECUTE p('%s')", list->there->sql, name);
    r = PQexec(pg, sql);
    snprintf(out, 6, "%s",
             PQresultStatus(r) == PGRES_TUPLES_OK ? PQgetvalue(r, 0, 0)
                                                  : PQresultErrorField(r, PG_DIAG_SQLSTATE));
    PQclear(r);
    must("ROLLBACK; DEALLOCATE ALL");
}

/* What a role may not see it is answered of as of what is not there; its own is there. */
START_TEST(test_whose)
{
    for (size_t k = 0; k < YB_ADMIN_LISTINGS * YB_COUNT(askers); k++) {
        const struct yb_admin_listing *list = &yb_admin_listings[k / YB_COUNT(askers)];
        bool tenants = k / YB_COUNT(askers) == YB_ADMIN_DOMAINS;
        char own[6], foreign[6], none[6];
        size_t who = k % YB_COUNT(askers);

        ck_assert((list->there != NULL) == (list->steps[1][YB_ADMIN_WHOLE].st != NULL));
        if (list->there == NULL)
            continue;
        ask_there(who, list, tenants ? "t1" : "d1.test", own);
        ask_there(who, list, tenants ? "t15" : "d2005.test", foreign);
        ask_there(who, list, tenants ? "t1201" : "d2501.test", none);
        ck_assert_str_eq(foreign, who < 2 ? "true" : none);
        ck_assert_msg(who > 2 || (strcmp(own, "true") == 0 && strcmp(none, "false") == 0),
                      "%s as %s: %s, %s", list->name, askers[who].role, own, none);
    }
}
END_TEST

/* --- what is found --- */

static const struct {
    const char *q, *of;
    const char *found; /* local parts, in order */
} searches[] = {
    { "jane", "", "jane.doe jane2" },
    { "doe", "", "doe jane.doe bob" }, /* by address, then by word */
    { "DOE J", "", "doe jane.doe" },   /* both have to fit */
    { "j doe bob", "", "" },
    { "jane.doe@find", "", "jane.doe" },
    { "jane.doe@find.te", "find.test", "jane.doe" },
    { "jane.doe@other", "find.test", "" },
    { "doe", "find2.test", "" },
    { "\xe5\xa4\xaa\xe9\x83\x8e", "", "taro" }, /* 太郎 of 山田太郎 */
    { "\xe3\x82\x84\xe3\x81\xbe", "", "kana" }, /* やま of ヤマダ */
    { "\xef\xbe\x94\xef\xbe\x8f", "", "kana" }, /* ﾔﾏ */
    { "e", "", "eve x" },                       /* once, though two words of it fit */
    { "%", "", "" },
    { "strasse", "", "kana" },
};

static struct yb_admin *admin;

static void
account(struct yb_admin_tx *tx, const char *address, const char *name)
{
    struct yb_admin_account v = { .verifier = { NULL, 0 } };
    struct yb_err err = { 0 };
    json_t *out = NULL;

    if (name != NULL)
        v.values.v[0] = yb_str_from(name);
    v.home_node = YB_STR("0000000000000001");
    ck_assert_msg(yb_admin_account_add(tx, yb_str_from(address), &v, &out, &err) == 0, "%s",
                  err.text);
    json_decref(out);
}

static struct yb_admin_tx *
begin(void)
{
    const struct yb_admin_actor actor = { .name = YB_STR_INIT("tester") };
    struct yb_admin_tx *tx = NULL;
    struct yb_err err = { 0 };

    ck_assert_msg(yb_admin_begin(admin, &actor, &tx, &err) == 0, "%s", err.text);
    return tx;
}

/* All of it in pages of `limit`, as local parts; -1: a page that is longer. */
static void
find_all(const char *q, const char *of, unsigned limit, char *out, size_t size)
{
    struct yb_admin_page page = { .q = yb_str_from(q), .limit = limit };
    struct yb_admin_tx *tx = begin();
    struct yb_err err = { 0 };
    size_t pages = 0;

    *out = '\0';
    do {
        json_t *rows = NULL, *row;
        size_t i;

        ck_assert_msg(yb_admin_account_list(tx, yb_str_from(of), &page, &rows, &err) == 0, "%s",
                      err.text);
        ck_assert_uint_le(json_array_size(rows), limit);
        json_array_foreach(rows, i, row)
        {
            const char *address = json_string_value(json_object_get(row, "address"));

            snprintf(out + strlen(out), size - strlen(out), "%s%.*s", *out == '\0' ? "" : " ",
                     (int)strcspn(address, "@"), address);
        }
        json_decref(rows);
        page.after = page.next;
        ck_assert_uint_lt(pages++, 100);
    } while (page.next.n > 0);
    yb_admin_rollback(&tx);
}

START_TEST(test_searches)
{
    char found[200];

    for (unsigned limit = 1; limit <= 10; limit += 3) {
        find_all(searches[_i].q, searches[_i].of, limit, found, sizeof(found));
        ck_assert_msg(strcmp(found, searches[_i].found) == 0, "%s in pages of %u: %s",
                      searches[_i].q, limit, found);
    }
}
END_TEST

/* A cursor is good for the list that gave it, with what was asked for, and nothing else is one. */
START_TEST(test_cursors)
{
    static const char *const bad[] = { "x", "=", "jane.doe@find.test", "YWNjb3VudA", "+/+/" };
    struct yb_admin_page page = { .limit = 2 };
    struct yb_admin_tx *tx = begin();
    struct yb_err err = { 0 };
    json_t *out = NULL;
    struct yb_str cursor;
    char changed[300];

    ck_assert_int_eq(yb_admin_account_list(tx, YB_STR("find.test"), &page, &out, &err), 0);
    json_decref(out);
    cursor = page.next;
    ck_assert_uint_gt(cursor.n, 0);
    for (size_t i = 0; i < cursor.n; i++)
        ck_assert(yb_is_alpha(cursor.p[i]) || yb_is_digit(cursor.p[i]) ||
                  strchr("-_", cursor.p[i]) != NULL);
    page.after = cursor;
    ck_assert_int_eq(yb_admin_account_list(tx, YB_STR(""), &page, &out, &err), -1);
    ck_assert_int_eq(err.kind, YB_ERR_SYNTAX);
    ck_assert_int_eq(yb_admin_alias_list(tx, YB_STR("find.test"), &page, &out, &err), -1);
    page.q = YB_STR("jane");
    ck_assert_int_eq(yb_admin_account_list(tx, YB_STR("find.test"), &page, &out, &err), -1);
    page.q = YB_STR("");
    ck_assert_int_eq(yb_admin_account_list(tx, YB_STR("find.test"), &page, &out, &err), 0);
    json_decref(out);
    for (size_t i = 0; i < YB_COUNT(bad); i++) {
        page.after = yb_str_from(bad[i]);
        err = (struct yb_err){ 0 };
        ck_assert_int_eq(yb_admin_account_list(tx, YB_STR("find.test"), &page, &out, &err), -1);
        ck_assert_msg(err.kind == YB_ERR_SYNTAX, "%s: %s", bad[i], err.text);
    }
    /* Cut anywhere, it is none, or begins somewhere in this list. */
    for (size_t i = 1; i < cursor.n; i++) {
        snprintf(changed, sizeof(changed), "%.*s", (int)i, cursor.p);
        page.after = yb_str_from(changed);
        if (yb_admin_account_list(tx, YB_STR("find.test"), &page, &out, &err) == 0)
            json_decref(out);
        else
            ck_assert_int_eq(err.kind, YB_ERR_SYNTAX);
    }
    yb_admin_rollback(&tx);
}
END_TEST

/* Pages of a domain that has rows cost one answer each, as those of all do. */
START_TEST(test_trips)
{
    static const char *const of[] = { "find.test", "", "nowhere.test" };
    struct relay *relay = relay_start(cluster_conninfo(c, "yubin_operator"));
    struct yb_admin *near = yb_admin_new(
        &(struct yb_admin_conf){ .conninfo = relay_conninfo(relay), .application = "test" });
    const struct yb_admin_actor actor = { .name = YB_STR_INIT("tester") };
    struct yb_admin_tx *tx = NULL;
    struct yb_err err = { 0 };
    unsigned trips[YB_COUNT(of)] = { 0 };

    ck_assert_msg(yb_admin_begin(near, &actor, &tx, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < YB_COUNT(of); i++) {
        for (size_t k = 0; k < 2; k++) { /* the second one has prepared its statements */
            struct yb_admin_page page = { .limit = 1 };
            unsigned before = relay_trips(relay);
            json_t *out = NULL;

            ck_assert_int_eq(yb_admin_account_list(tx, yb_str_from(of[i]), &page, &out, &err),
                             i < 2 ? 0 : -1);
            trips[i] = relay_trips(relay) - before;
            json_decref(out);
        }
    }
    ck_assert_uint_eq(trips[0], trips[1]);
    ck_assert_uint_eq(trips[2], trips[0] + 1);
    yb_admin_rollback(&tx);
    yb_admin_free(&near);
    relay_free(&relay);
}
END_TEST

static void
told(void *arg, const char *what, uint64_t rows)
{
    char *text = arg;

    snprintf(text + strlen(text), 200 - strlen(text), "%s %llu;", what, (unsigned long long)rows);
}

/* Words follow what they are made of; those that a statement of before left out are made later. */
START_TEST(test_words_are_kept)
{
    struct yb_admin_tx *tx = begin();
    struct yb_admin_account v = { .verifier = { NULL, 0 } };
    struct yb_err err = { 0 };
    char text[200] = "", found[200];
    json_t *out = NULL;

    v.values.v[0] = YB_STR("Zoe Newname");
    ck_assert_int_eq(yb_admin_account_set(tx, YB_STR("jane2@find.test"), &v, &out, &err), 0);
    json_decref(out);
    ck_assert_int_eq(yb_admin_commit(&tx, &err), 0);
    find_all("newname", "", 5, found, sizeof(found));
    ck_assert_str_eq(found, "jane2");
    must("UPDATE yubin.accounts SET display_name = 'Oldway' WHERE address_key = 'jane2@find.test'");
    find_all("newname", "", 5, found, sizeof(found));
    ck_assert_str_eq(found, "");
    find_all("oldway", "", 5, found, sizeof(found));
    ck_assert_str_eq(found, "");
    ck_assert_msg(yb_admin_fill_words(cluster_conninfo(c, "postgres"), told, text, &err) == 0, "%s",
                  err.text);
    ck_assert_str_eq(text, "words of accounts 1;");
    find_all("oldway", "", 5, found, sizeof(found));
    ck_assert_str_eq(found, "jane2");
    find_all("zoe", "", 5, found, sizeof(found));
    ck_assert_str_eq(found, "");
    must("UPDATE yubin.accounts SET words = NULL; UPDATE yubin.aliases SET words = NULL");
    *text = '\0';
    ck_assert_int_eq(yb_admin_fill_words(cluster_conninfo(c, "postgres"), told, text, &err), 0);
    ck_assert_msg(strstr(text, "words of accounts 2000;words of accounts 4000;") == text, "%s",
                  text);
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM (SELECT words FROM accounts UNION ALL"
                                    " SELECT words FROM aliases) AS x WHERE words IS NULL"),
                     "0");
    find_all("oldway", "", 5, found, sizeof(found));
    ck_assert_str_eq(found, "jane2");
}
END_TEST

static void
fill_searched(void)
{
    struct yb_admin_tx *tx;
    struct yb_err err = { 0 };

    must("SET search_path = yubin, pg_temp; INSERT INTO tenants (name) VALUES ('find');"
         " INSERT INTO domains (tenant_id, name) SELECT tenant_id, n FROM tenants,"
         " unnest(ARRAY['find.test', 'find2.test']) AS n WHERE tenants.name = 'find'");
    tx = begin();
    account(tx, "jane.doe@find.test", "Jane Doe");
    account(tx, "jane2@find.test", NULL);
    account(tx, "doe@find.test", "John");
    account(tx, "bob@find.test", "Bob Doering");
    account(tx, "taro@find.test", "\xe5\xb1\xb1\xe7\x94\xb0\xe5\xa4\xaa\xe9\x83\x8e");
    account(tx, "kana@find.test",
            "\xe3\x83\xa4\xe3\x83\x9e\xe3\x83\x80 Stra\xc3\x9f"
            "e");
    account(tx, "eve@find.test", "Adam");
    account(tx, "x@find2.test", "E Early");
    ck_assert_msg(yb_admin_commit(&tx, &err) == 0, "%s", err.text);
}

/* Before the others, which look at it. */
START_TEST(test_fill)
{
    fill();
    fill_searched();
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("lists");
    TCase *tc = tcase_create("lists");
    SRunner *sr = srunner_create(s);
    int failed;

    srunner_set_fork_status(sr, CK_NOFORK);
    c = cluster_start();
    cluster_migrate(c);
    pg = PQconnectdb(cluster_conninfo(c, "postgres"));
    admin = yb_admin_new(&(struct yb_admin_conf){ .conninfo = cluster_conninfo(c, "yubin_operator"),
                                                  .application = "test" });
    tcase_add_test(tc, test_fill);
    tcase_add_test(tc, test_plans);
    tcase_add_test(tc, test_plans_are_judged);
    tcase_add_test(tc, test_whose);
    tcase_add_loop_test(tc, test_searches, 0, (int)YB_COUNT(searches));
    tcase_add_test(tc, test_cursors);
    tcase_add_test(tc, test_trips);
    tcase_add_test(tc, test_words_are_kept);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    yb_admin_free(&admin);
    PQfinish(pg);
    cluster_free(&c);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
