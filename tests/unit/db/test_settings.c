/*
 * Settings in the database, whoever writes them: keys, levels, types, roles and locks; what counts;
 * what caches are told; what daemons are answered. The keys are the test's own, one of each type and
 * level, so that every build has them.
 */
#include "lib/db/migrate.h"
#include "tests/unit/db/customers.h"

#include <check.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DENIED "42501"
#define NOT_HIS "YB002"
#define NOT_SO "YB003"
#define NO_KEY "YB004"

static struct cluster *c;
static char tenant[40], domain[40], account[40], other_account[40], other_domain[40];

#define KEY(key, type, may, lockable, min, max, choices, pattern, standard)                        \
    "{\"key\":\"" key "\",\"type\":\"" type "\",\"may\":" may                                      \
    ",\"is_column\":false,\"lockable\":" lockable ",\"min\":" #min ",\"max\":" #max                \
    ",\"choices\":" choices ",\"pattern\":" pattern ",\"standard\":" standard "}"
#define ALL "[\"O\",\"T\",\"D\",\"U\"]"
static const char keys[] =
    /* clang-format off */
    "[" KEY("t.int",    "int",    ALL, "true", -5, 10, "null", "null", "3")
    "," KEY("t.own",    "bool",   ALL, "false", 0, 0,  "null", "null", "true")
    "," KEY("t.size",   "size",   "[\"O\",\"O\",\"T\",\"D\"]", "true", 0, 1024, "null", "null", "7")
    "," KEY("t.days",   "days",   "[\"O\",null,null,null]", "true", 1, 365, "null", "null", "30")
    "," KEY("t.choice", "choice", "[null,\"T\",null,\"U\"]", "true", 0, 0, "[\"mild\",\"hot\"]", "null", "\"mild\"")
    "," KEY("t.text",   "text",   ALL, "true", 0, 8, "null", "\"^[a-z]*$\"", "\"\"")
    "," KEY("t.list",   "list",   ALL, "true", 0, 2, "[\"red\",\"blue\",\"green\"]", "null", "[]")
    "," KEY("t.words",  "list",   ALL, "true", 1, 3, "null", "\"^[1-9]$\"", "[\"1\"]")
    "," KEY("time_zone", "text",  ALL, "true", 1, 64, "null", "null", "\"UTC\"")
    ",{\"key\":\"imap\",\"type\":\"bool\",\"may\":[null,null,null,\"U\"],\"is_column\":true,\"lockable\":false,"
      "\"min\":0,\"max\":0,\"choices\":null,\"pattern\":null,\"standard\":true}]";
/* clang-format on */

/* Where a row belongs, by a letter. */
static const char *
ids_of(char level)
{
    static char text[160];

    snprintf(text, sizeof(text),
             level == 'P'   ? "NULL, NULL, NULL"
             : level == 'T' ? "'%s', NULL, NULL"
             : level == 'D' ? "'%s', '%s', NULL"
                            : "'%s', NULL, '%s'",
             tenant, level == 'D' ? domain : account);
    return text;
}

/* As one of the roles (or as C, the command line) at a level: the SQLSTATE, or "". Undone. */
static const char *
put(char role, char level, const char *key, const char *value, bool locked)
{
    char sql[600];

    snprintf(sql, sizeof(sql),
             "INSERT INTO settings (tenant_id, domain_id, account_id, key, value, locked)"
             " VALUES (%s, '%s', '%s', %s)",
             ids_of(level), key, value, locked ? "true" : "false");
    return customers_ask(c, role, sql);
}

static void
clear(void)
{
    cluster_sql(c, "DELETE FROM settings");
}

/* Each value, written as the superuser: no type is taken for another. */
START_TEST(test_types)
{
    static const struct {
        const char *key, *right, *wrong;
    } types[] = {
        { "t.int", "-5 10 0", "-6 11 1.5 3.0 1e2 true \"3\" [3] null {} 99999999999999999999" },
        { "t.own", "true false", "1 0 \"true\" null []" },
        { "t.size", "0 1024", "1025 -1 \"1K\" true" },
        { "t.days", "1 365", "0 366 \"30\" null" },
        { "t.choice", "\"mild\" \"hot\"", "\"HOT\" \"\" \"mildhot\" 1 [\"hot\"]" },
        { "t.text", "\"\" \"abcdefgh\"", "\"abcdefghi\" \"A\" \"a\\nb\" \"\\u0001\" 7 null" },
        { "t.list", "[] [\"red\"] [\"blue\",\"red\"]",
          "[\"red\",\"red\"] [\"black\"] [\"red\",\"blue\",\"green\"] [1] \"red\" [[\"red\"]] {} "
          "[\"\"]" },
        { "t.words", "[\"1\"] [\"1\",\"2\",\"9\"]", "[] [\"10\"] [\"1\",\"1\"] [1] [\"a\"] null" },
    };

    clear();
    for (size_t i = 0; i < YB_COUNT(types); i++) {
        for (int right = 0; right <= 1; right++) {
            char values[200], *next, *value;
            /* t.days is the platform's alone, t.choice has no such level. */
            char level = strcmp(types[i].key, "t.choice") == 0 ? 'T' : 'P';

            snprintf(values, sizeof(values), "%s", right == 1 ? types[i].right : types[i].wrong);
            for (value = strtok_r(values, " ", &next); value != NULL;
                 value = strtok_r(NULL, " ", &next)) {
                const char *got = put('C', level, types[i].key, value, false);

                ck_assert_msg(strcmp(got, right == 1 ? "" : NOT_SO) == 0, "%s = %s: %s",
                              types[i].key, value, got);
            }
        }
    }
}
END_TEST

/*
 * Each role at each level, of keys that ask for different roles. "-": the policy shows it no such row;
 * "b": he is below whom the key names; "n": the key has no such level.
 */
START_TEST(test_roles_and_levels)
{
    static const struct {
        const char *key, *value;
        const char *results; /* of O T D U C, at P T D U each */
    } rows[] = {
        { "t.int", "1", "++++ -+++ bb++ bbb+ ++++" },
        { "t.size", "1", "++++ bb++ bbb+ bbbb ++++" },
        { "t.days", "1", "+nnn -nnn bnnn bnnn +nnn" },
        { "t.choice", "\"hot\"", "n+n+ n+n+ nbn+ nbn+ n+n+" },
        { "imap", "true", "nnnn nnnn nnnn nnnn nnnn" },
    };
    static const char roles[] = "OTDUC", levels[] = "PTDU";

    clear();
    for (size_t i = 0; i < YB_COUNT(rows); i++) {
        for (size_t r = 0; r < 5; r++) {
            for (size_t l = 0; l < 4; l++) {
                char want = rows[i].results[r * 5 + l];
                const char *got = put(roles[r], levels[l], rows[i].key, rows[i].value, false);
                bool right = want == '+'   ? *got == '\0'
                             : want == 'n' ? strcmp(got, NOT_SO) == 0
                             : want == 'b' ? strcmp(got, NOT_HIS) == 0
                                           : strcmp(got, DENIED) == 0 || strcmp(got, NOT_HIS) == 0;

                ck_assert_msg(right, "%s by %c at %c: %s", rows[i].key, roles[r], levels[l], got);
            }
        }
    }
}
END_TEST

/* What is not his: other accounts of the domain, other domains of the tenant, other tenants. */
START_TEST(test_foreign)
{
    char sql[700];

    clear();
    cluster_sql(c, "INSERT INTO settings (tenant_id, account_id, key, value) SELECT tenant_id,"
                   " account_id, 't.int', '1' FROM accounts");
    cluster_sql(c, "INSERT INTO settings (tenant_id, domain_id, key, value) SELECT tenant_id,"
                   " domain_id, 't.int', '1' FROM domains");
    ck_assert_str_eq(customers_ask(c, 'O', "SELECT count(*) FROM settings"), "12");
    ck_assert_str_eq(customers_ask(c, 'T', "SELECT count(*) FROM settings"), "6");
    ck_assert_str_eq(customers_ask(c, 'D', "SELECT count(*) FROM settings"), "3");
    ck_assert_str_eq(customers_ask(c, 'U', "SELECT count(*) FROM settings"), "1");
    /* Changed is what is seen, and only what may be. */
    for (size_t i = 0; i < CUSTOMERS_ROLES; i++) {
        static const char *const n[] = { "12", "6", "3", "1" };

        ck_assert_str_eq(customers_ask(c, customers_roles[i].letter,
                                       "WITH u AS (UPDATE settings SET value = '2' RETURNING 1)"
                                       " SELECT count(*) FROM u"),
                         n[i]);
        ck_assert_str_eq(
            customers_ask(c, customers_roles[i].letter, "UPDATE settings SET value = '99'"),
            NOT_SO);
        ck_assert_str_eq(customers_ask(c, customers_roles[i].letter, "DELETE FROM settings"),
                         DENIED);
        ck_assert_str_eq(
            customers_ask(c, customers_roles[i].letter, "UPDATE settings SET key = 't.own'"),
            DENIED);
        ck_assert_str_eq(customers_ask(c, customers_roles[i].letter, "SELECT * FROM setting_keys"),
                         DENIED);
    }
    ck_assert_str_eq(customers_ask(c, 'U', "UPDATE settings SET locked = true"), DENIED);
    /* A row of another's account, under one's own tenant and domain: whose it is the account says. */
    clear();
    snprintf(sql, sizeof(sql),
             "INSERT INTO settings (tenant_id, domain_id, account_id, key, value)"
             " VALUES ('%s', '%s', '%s', 't.int', '1')",
             tenant, domain, other_account);
    ck_assert_str_eq(customers_ask(c, 'D', sql), DENIED);
    ck_assert_str_eq(customers_ask(c, 'U', sql), DENIED);
    ck_assert_str_eq(customers_ask(c, 'T', sql), "23514"); /* no such account in this tenant */
    snprintf(
        sql, sizeof(sql),
        "INSERT INTO settings (tenant_id, domain_id, key, value) VALUES ('%s', '%s', 't.int', '1')",
        tenant, other_domain);
    ck_assert_str_eq(customers_ask(c, 'T', sql), "23503");
    /* The domain that is said of an account is not believed. */
    snprintf(sql, sizeof(sql),
             "INSERT INTO settings (tenant_id, domain_id, account_id, key, value) VALUES ('%s',"
             " (SELECT domain_id FROM domains WHERE name = 'a2.test'), '%s', 't.int', '1')"
             " RETURNING domain_id",
             tenant, account);
    ck_assert_str_eq(customers_ask(c, 'T', sql), domain);
}
END_TEST

/* No daemon, and nobody without a scope, touches or asks. */
START_TEST(test_daemons)
{
    static const char *const roles[] = { "yubin_smtpd", "yubin_submitd", "yubin_relayd",
                                         "yubin_lmtpd", "yubin_imapd",   "yubin_pop3d",
                                         "yubin_logd",  "yubin_syncd",   "yubin_managesieved",
                                         "yubin_api" };
    static const char *const sql[] = {
        "SELECT * FROM yubin.settings",
        "INSERT INTO yubin.settings (key, value) VALUES ('t.int', '1')",
        "UPDATE yubin.settings SET value = '1'",
        "DELETE FROM yubin.settings",
        "SELECT * FROM yubin.setting_keys",
        "SELECT yubin.yb_settings_of(NULL, NULL, NULL)",
        "SELECT yubin.yb_setting_keys_take('[]')",
    };

    for (size_t i = 0; i < YB_COUNT(roles); i++) {
        for (size_t k = 0; k < YB_COUNT(sql); k++)
            ck_assert_msg(strcmp(cluster_ask(c, roles[i], sql[k]), DENIED) == 0, "%s: %s", roles[i],
                          sql[k]);
    }
    ck_assert_str_eq(
        cluster_ask(c, "yubin_operator", "SELECT yubin.yb_settings_of(NULL, NULL, NULL)"), DENIED);
    ck_assert_str_eq(cluster_ask(c, "yubin_operator", sql[6]), DENIED);
}
END_TEST

/* Unknown keys and nodes are refused; rows of keys that went stay, count nowhere, and can go. */
START_TEST(test_keys)
{
    struct yb_err err = { 0 };

    clear();
    ck_assert_str_eq(put('C', 'P', "no.such", "1", false), NO_KEY);
    ck_assert_str_eq(put('U', 'U', "no.such", "1", false), NO_KEY);
    ck_assert_str_eq(cluster_ask(c, "yubin_operator",
                                 "INSERT INTO yubin.settings (node_id, key, value)"
                                 " SELECT node_id, 't.int', '1' FROM yubin.nodes"),
                     NOT_SO);
    cluster_sql(c, "INSERT INTO settings (key, value, locked) VALUES ('t.int', '1', true)");
    ck_assert_int_eq(yb_db_setting_keys(cluster_conninfo(c, "postgres"), "[]", &err), 0);
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM setting_keys"), "0");
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM settings"), "1");
    ck_assert_str_eq(customers_ask(c, 'C', "SELECT yb_settings_of(NULL, NULL, NULL)"), "");
    ck_assert_str_eq(put('C', 'T', "t.int", "1", false), NO_KEY);
    ck_assert_int_eq(yb_db_setting_keys(cluster_conninfo(c, "postgres"), keys, &err), 0);
    ck_assert_str_eq(
        customers_ask(c, 'C', "SELECT yb_settings_of(NULL, NULL, NULL) -> 't.int' ->> 'value'"),
        "1");
    /* The same again changes no row. */
    cluster_sql(c, "CREATE TABLE IF NOT EXISTS fixtures.seen AS SELECT key, xmin::text AS x FROM "
                   "setting_keys");
    ck_assert_int_eq(yb_db_setting_keys(cluster_conninfo(c, "postgres"), keys, &err), 0);
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM setting_keys k JOIN fixtures.seen s ON"
                                    " s.key = k.key AND s.x = k.xmin::text"),
                     cluster_sql(c, "SELECT count(*) FROM setting_keys"));
    ck_assert_int_eq(yb_db_setting_keys(cluster_conninfo(c, "postgres"), "[{\"key\":\"X\"}]", &err),
                     -1);
    clear();
}
END_TEST

static const char *
counts(const char *of, const char *key)
{
    char sql[300];

    snprintf(sql, sizeof(sql),
             "SELECT concat_ws(' ', x ->> 'value', x ->> 'from', x ->> 'locked')"
             " FROM (SELECT yb_settings_of(%s) -> '%s') AS s (x)",
             of, key);
    return customers_ask(c, 'C', sql);
}

/* Every combination of rows and locks at the four levels against the rule, written once more here. */
START_TEST(test_effective)
{
    static const char levels[] = "PTDU";
    static const char *const names[] = { "platform", "tenant", "domain", "account" };
    char of[80], want[40];

    snprintf(of, sizeof(of), "NULL, NULL, '%s'", account);
    for (int rows = 0; rows < 16; rows++) {
        for (int locks = 0; locks < 8; locks++) { /* an account locks nothing */
            int winner = -1, locked = 0;

            if ((locks & ~rows) != 0)
                continue;
            clear();
            for (int l = 0; l < 4; l++) {
                if ((rows >> l & 1) == 0)
                    continue;
                cluster_sql(
                    c,
                    "INSERT INTO settings (tenant_id, domain_id, account_id, key, value, locked)"
                    " VALUES (%s, 't.int', '%d', %s)",
                    ids_of(levels[l]), l, (locks >> l & 1) != 0 ? "true" : "false");
                if (locked == 0)
                    winner = l;
                locked |= locks >> l & 1;
            }
            if (winner < 0)
                snprintf(want, sizeof(want), "3 default false");
            else
                snprintf(want, sizeof(want), "%d %s %s", winner, names[winner],
                         locked != 0 ? "true" : "false");
            ck_assert_msg(strcmp(counts(of, "t.int"), want) == 0, "rows %x locks %x: %s, not %s",
                          (unsigned)rows, (unsigned)locks, counts(of, "t.int"), want);
            /* What the daemons are answered is the same. */
            snprintf(want, sizeof(want), "%d", winner < 0 ? 3 : winner);
            ck_assert_str_eq(cluster_sql(c, "SELECT coalesce((SELECT more -> 'settings' ->> 't.int'"
                                            " FROM yb_login2('u1', 'a1.test')), '3')"),
                             want);
            ck_assert_str_eq(cluster_sql(c, "SELECT coalesce((SELECT more -> 'settings' ->> 't.int'"
                                            " FROM yb_resolve2('u1', 'a1.test')), '3')"),
                             want);
        }
    }
    /* Nobody else's. */
    ck_assert_str_eq(cluster_sql(c, "SELECT value FROM settings WHERE account_id IS NOT NULL"),
                     "3");
    clear();
    cluster_sql(c,
                "INSERT INTO settings (tenant_id, account_id, key, value) VALUES ('%s', '%s', "
                "'t.int', '9')",
                tenant, account);
    snprintf(of, sizeof(of), "NULL, NULL, '%s'", other_account);
    ck_assert_str_eq(counts(of, "t.int"), "3 default false");
    snprintf(of, sizeof(of), "NULL, '%s', NULL", domain);
    ck_assert_str_eq(counts(of, "t.int"), "3 default false");
    /* Columns, and what a level has not. */
    cluster_sql(c, "UPDATE accounts SET imap = false WHERE account_id = '%s'", account);
    snprintf(of, sizeof(of), "NULL, NULL, '%s'", account);
    ck_assert_str_eq(counts(of, "imap"), "false account false");
    cluster_sql(c, "UPDATE accounts SET imap = true WHERE account_id = '%s'", account);
    ck_assert_str_eq(counts(of, "imap"), "true default false");
    ck_assert_str_eq(counts("NULL, NULL, NULL", "imap"), "");
    ck_assert_str_eq(counts("NULL, NULL, gen_random_uuid()", "t.int"), "");
}
END_TEST

START_TEST(test_locks)
{
    clear();
    for (const char *l = "PTDU"; *l != '\0'; l++)
        ck_assert_str_eq(put('C', *l, "t.own", "false", true), NOT_SO);
    clear();
    for (const char *l = "PTD"; *l != '\0'; l++)
        ck_assert_str_eq(put('C', *l, "t.int", "1", true), "");
    ck_assert_str_eq(put('C', 'U', "t.int", "1", true), NOT_SO);
    clear();
    cluster_sql(c, "INSERT INTO settings (key, value) VALUES ('t.own', 'false')");
    ck_assert_str_eq(cluster_ask(c, "postgres", "UPDATE yubin.settings SET locked = true"), NOT_SO);
    /* The constraint holds where a trigger is out of the way. */
    ck_assert_str_eq(
        cluster_ask(c, "postgres",
                    "SET session_replication_role = replica; INSERT INTO yubin.settings"
                    " (tenant_id, domain_id, account_id, key, value, locked) SELECT tenant_id,"
                    " domain_id, account_id, 't.int', '1', true FROM yubin.accounts"),
        "23514");
    clear();
}
END_TEST

/* Who asks what counts hears it of what is his, and of the rest as of what is not there. */
START_TEST(test_asked)
{
    const struct {
        char level;            /* P T D U: whose they are */
        const char *id, *told; /* to O, T, D, U */
    } asked[] = {
        { 'P', "", "tfff" },
        { 'T', tenant, "ttff" },
        { 'D', domain, "tttf" },
        { 'D', other_domain, "tfff" },
        { 'U', account, "tttt" },
        { 'U', other_account, "tfff" },
        { 'U', "00000000-0000-0000-0000-000000000000", "ffff" },
    };

    for (size_t i = 0; i < YB_COUNT(asked); i++) {
        for (size_t r = 0; r < CUSTOMERS_ROLES; r++) {
            const char *quote = asked[i].level == 'P' ? "" : "'";
            char sql[200], want[2] = { asked[i].told[r], '\0' };

            snprintf(sql, sizeof(sql), "SELECT yb_settings_of(%s%s%s%s%s) IS NOT NULL",
                     asked[i].level == 'D'   ? "NULL, "
                     : asked[i].level == 'T' ? ""
                                             : "NULL, NULL, ",
                     quote, asked[i].level == 'P' ? "NULL" : asked[i].id, quote,
                     asked[i].level == 'D'   ? ", NULL"
                     : asked[i].level == 'T' ? ", NULL, NULL"
                                             : "");
            ck_assert_msg(strcmp(customers_ask(c, customers_roles[r].letter, sql), want) == 0,
                          "%c: %s", customers_roles[r].letter, sql);
        }
    }
    /* Two at once are told as the nearest: whose it is the row says, and not who asks. */
    {
        char sql[200];

        snprintf(sql, sizeof(sql), "SELECT yb_settings_of('%s', '%s', '%s') IS NOT NULL", tenant,
                 domain, other_account);
        ck_assert_str_eq(customers_ask(c, 'T', sql), "f");
        ck_assert_str_eq(customers_ask(c, 'D', sql), "f");
    }
}
END_TEST

/* How a change is told, by where it is; a domain has two names here. */
START_TEST(test_notices)
{
    static const struct {
        char level;
        const char *told; /* the beginnings of the notices, in order */
    } levels[] = { { 'U', "a a" }, { 'D', "d d" }, { 'T', "t" }, { 'P', "all" } };
    static const char *const changes[] = { ("INSERT INTO yubin.settings (tenant_id, domain_id,"
                                            " account_id, key, value) VALUES ("),
                                           "UPDATE yubin.settings SET value = '2'",
                                           "DELETE FROM yubin.settings" };
    PGconn *pg = PQconnectdb(cluster_conninfo(c, "postgres"));

    clear();
    PQclear(PQexec(pg, "LISTEN yubin_directory"));
    for (size_t i = 0; i < YB_COUNT(levels); i++) {
        for (size_t k = 0; k < YB_COUNT(changes); k++) {
            char sql[400], told[40] = "";
            PGnotify *n;
            PGresult *r;

            snprintf(sql, sizeof(sql), "%s%s%s", changes[k], k == 0 ? ids_of(levels[i].level) : "",
                     k == 0 ? ", 't.int', '1')" : "");
            r = PQexec(pg, sql);
            ck_assert_msg(PQresultStatus(r) == PGRES_COMMAND_OK, "%s", PQerrorMessage(pg));
            PQclear(r);
            PQconsumeInput(pg);
            while ((n = PQnotifies(pg)) != NULL) {
                ck_assert_uint_lt(strlen(told), 30);
                snprintf(told + strlen(told), 8, "%s%.*s", *told == '\0' ? "" : " ",
                         *n->extra == 'a' && n->extra[1] == 'l' ? 3 : 1, n->extra);
                PQfreemem(n);
            }
            ck_assert_msg(strcmp(told, levels[i].told) == 0, "%c: %s: %s", levels[i].level, sql,
                          told);
        }
    }
    PQfinish(pg);
}
END_TEST

/* The new functions answer what those of the state before do, whatever is asked; the store for the node. */
#define STORE "01020304050607080102030405060708"
START_TEST(test_like_before)
{
    static const char *const names[] = { "u1', 'a1.test",      "u1+x', 'a1.test",
                                         "all', 'a1.test",     "gone', 'a1.test",
                                         "none', 'a1.test",    "postmaster', 'a1.test",
                                         "u1', 'also.a1.test", "u1', 'none.test",
                                         "u2', 'b1.test" };

    clear();
    cluster_sql(c, "INSERT INTO settings (key, value) VALUES ('t.int', '1')");
    cluster_sql(c,
                "INSERT INTO credentials (tenant_id, account_id, kind, verifier, expires_at) "
                "SELECT tenant_id,"
                " account_id, 'app', repeat(n::text, 64), now() + n * interval '1 h' FROM accounts,"
                " generate_series(1, 2) n");
    cluster_sql(
        c, "UPDATE tenants SET suspended_at = now(), suspended_reason = 'w' WHERE name = 't2'");
    for (size_t i = 0; i < YB_COUNT(names); i++) {
        ck_assert_str_eq(
            cluster_sql(
                c,
                "SELECT coalesce(string_agg(to_jsonb(n)::text, ' '), '') = coalesce((SELECT"
                " string_agg((to_jsonb(o) - 'home_node' || CASE WHEN o.account_id IS NULL THEN"
                " '{\"store_id\": null, \"more\": null}' ELSE '{\"store_id\": \"" STORE "\","
                " \"more\": {\"settings\": {\"t.int\": 1}}}' END::jsonb)::text, ' ')"
                " FROM yb_resolve_step('%s') o), '') FROM yb_resolve2('%s') n",
                names[i], names[i]),
            "t");
        ck_assert_str_eq(
            cluster_sql(c,
                        "SELECT coalesce(string_agg(to_jsonb(n)::text, ' '), '') = coalesce((SELECT"
                        " string_agg((to_jsonb(o) - 'home_node' || '{\"store_id\": \"" STORE "\","
                        " \"more\": {\"settings\": {\"t.int\": 1}}}')::text, ' ')"
                        " FROM yb_login('%s') o), '') FROM yb_login2('%s') n",
                        names[i], names[i]),
            "t");
    }
    clear();
    ck_assert_str_eq(cluster_sql(c, "SELECT more IS NULL FROM yb_login2('u1', 'a1.test')"), "t");
}
END_TEST

/* Where mail lies is the operator's: a tenant's administrator neither sees the setting nor says the store. */
START_TEST(test_store_is_the_operators)
{
    char sql[500];

    clear();
    cluster_sql(c, "INSERT INTO nodes (node_id, name, store_id) VALUES ('\\x0b0b0b0b0b0b0b0b', 'b',"
                   " repeat('0b', 16))");
    cluster_sql(c, "UPDATE stores SET weight = 0 WHERE name = 'b'");
    for (size_t i = 0; i < 3; i++) {
        static const char *const said[] = { "repeat('0b', 16), NULL", "NULL, '\\x0b0b0b0b0b0b0b0b'",
                                            "repeat('0b', 16), '\\x0102030405060708'" };

        snprintf(sql, sizeof(sql),
                 "INSERT INTO accounts (tenant_id, domain_id, local, written, store_id, home_node)"
                 " VALUES ('%s', '%s', 's%zu', 's%zu', %s) RETURNING store_id || home_node::text",
                 tenant, domain, i, i, said[i]);
        ck_assert_str_eq(customers_ask(c, "TDT"[i], sql), STORE "\\x0102030405060708");
    }
    cluster_sql(c,
                "INSERT INTO setting_keys VALUES ('store', 'text', '{NULL,O,O,NULL}', false, true,"
                " 0, 200, NULL, NULL, '\"\"')");
    snprintf(sql, sizeof(sql),
             "INSERT INTO settings (tenant_id, key, value) VALUES ('%s', 'store', '\"b\"')",
             tenant);
    cluster_sql(c, "%s", sql);
    snprintf(sql, sizeof(sql),
             "SELECT (SELECT count(*) FROM settings) || ' ' || (yb_settings_of('%s', NULL, NULL)"
             " ? 'store')",
             tenant);
    ck_assert_str_eq(customers_ask(c, 'T', sql), "0 false");
    ck_assert_str_eq(customers_ask(c, 'O', sql), "1 true");
    clear();
    cluster_sql(c, "DELETE FROM setting_keys WHERE key = 'store'");
    cluster_sql(c, "DELETE FROM accounts WHERE local ~ '^s[0-9]$'");
    cluster_sql(c, "UPDATE nodes SET store_id = NULL WHERE name = 'b'");
    cluster_sql(c, "DELETE FROM nodes WHERE name = 'b'");
}
END_TEST

static void
name_ids(void)
{
    snprintf(tenant, sizeof(tenant), "%s",
             cluster_sql(c, "SELECT tenant_id FROM tenants WHERE name = 't1'"));
    snprintf(domain, sizeof(domain), "%s",
             cluster_sql(c, "SELECT domain_id FROM domains WHERE name = 'a1.test'"));
    snprintf(other_domain, sizeof(other_domain), "%s",
             cluster_sql(c, "SELECT domain_id FROM domains WHERE name = 'b1.test'"));
    snprintf(account, sizeof(account), "%s", cluster_sql(c, "SELECT fixtures.id('u1@a1.test')"));
    snprintf(other_account, sizeof(other_account), "%s",
             cluster_sql(c, "SELECT fixtures.id('u1@b1.test')"));
}

int
main(void)
{
    Suite *s = suite_create("settings");
    TCase *tc = tcase_create("settings");
    SRunner *sr = srunner_create(s);
    struct yb_err err = { 0 };
    int failed;

    srunner_set_fork_status(sr, CK_NOFORK);
    c = cluster_start();
    cluster_migrate(c);
    customers_fill(c);
    name_ids();
    yb_assert(yb_db_setting_keys(cluster_conninfo(c, "postgres"), keys, &err) == 0);
    tcase_add_test(tc, test_types);
    tcase_add_test(tc, test_roles_and_levels);
    tcase_add_test(tc, test_foreign);
    tcase_add_test(tc, test_daemons);
    tcase_add_test(tc, test_keys);
    tcase_add_test(tc, test_effective);
    tcase_add_test(tc, test_locks);
    tcase_add_test(tc, test_asked);
    tcase_add_test(tc, test_notices);
    tcase_add_test(tc, test_like_before);
    tcase_add_test(tc, test_store_is_the_operators);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    cluster_free(&c);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
