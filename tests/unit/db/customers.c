#include "tests/unit/db/customers.h"

#include <stdio.h>
#include <string.h>

const struct customers_role customers_roles[CUSTOMERS_ROLES] = {
    { 'O', "yubin_api_operator" },
    { 'T', "yubin_admin" },
    { 'D', "yubin_domain_admin" },
    { 'U', "yubin_user" },
};

static const char letters[] = "OTDUC";
static char scopes[5][300];

static void
fill_domain(struct cluster *c, const char *tenant, const char *domain)
{
    cluster_sql(c, "SELECT fixtures.domain('%s', '%s'), fixtures.domain_alias('also.%s', '%s')",
                tenant, domain, domain, domain);
    cluster_sql(c,
                "SELECT fixtures.alias('all@%s', 'u1@%s'), fixtures.retire('gone@%s', 'deleted')",
                domain, domain, domain);
    for (int i = 1; i <= 2; i++) {
        cluster_sql(c, "SELECT fixtures.account('u%d@%s', 'secret of u%d')", i, domain, i);
        cluster_sql(c, "SELECT fixtures.forward('u%d@%s', true, 'else@where.test')", i, domain);
        cluster_sql(c, "SELECT fixtures.report('u%d@%s', 1000)", i, domain);
    }
    cluster_sql(c, "UPDATE accounts SET words = ARRAY['jane', 'doe'] WHERE domain_name = '%s'",
                domain);
    cluster_sql(c,
                "INSERT INTO sender_rights SELECT tenant_id, account_id, domain_id, 'all'"
                " FROM accounts JOIN domains USING (tenant_id, domain_id) WHERE name = '%s'",
                domain);
    cluster_sql(c,
                "INSERT INTO settings (tenant_id, account_id, key, value)"
                " SELECT tenant_id, account_id, 'time_zone', '\"Asia/Tokyo\"'"
                " FROM accounts JOIN domains USING (tenant_id, domain_id) WHERE name = '%s'",
                domain);
    cluster_sql(c,
                "INSERT INTO settings (tenant_id, domain_id, key, value)"
                " SELECT tenant_id, domain_id, 'time_zone', '\"Asia/Tokyo\"' FROM domains"
                " WHERE name = '%s'",
                domain);
    cluster_sql(c,
                "INSERT INTO audit (request_id, actor_kind, actor_name, role, via, action, kind,"
                " tenant_id, domain_id, account_id, object) SELECT 'r', 'unix', 'root', 'C', 'cli',"
                " 'account.add', 'change', tenant_id, domain_id, account_id, a.local"
                " FROM accounts a JOIN domains USING (tenant_id, domain_id) WHERE name = '%s'",
                domain);
}

void
customers_fill(struct cluster *c)
{
    char tenant[40], domain[40], account[40], who[100];

    cluster_sql(c, "SELECT fixtures.node('0102030405060708'), fixtures.tenant('t1'),"
                   " fixtures.tenant('t2')");
    fill_domain(c, "t1", "a1.test");
    fill_domain(c, "t1", "a2.test");
    fill_domain(c, "t2", "b1.test");
    fill_domain(c, "t2", "b2.test");
    cluster_sql(c, "INSERT INTO settings (tenant_id, key, value)"
                   " SELECT tenant_id, 'time_zone', '\"Asia/Tokyo\"' FROM tenants");
    cluster_sql(c, "INSERT INTO settings (key, value) VALUES ('time_zone', '\"Asia/Tokyo\"')");
    snprintf(account, sizeof(account), "%s", cluster_sql(c, "SELECT fixtures.id('u1@a1.test')"));
    snprintf(domain, sizeof(domain), "%s",
             cluster_sql(c, "SELECT domain_id FROM domains WHERE name = 'a1.test'"));
    snprintf(tenant, sizeof(tenant), "%s",
             cluster_sql(c, "SELECT tenant_id FROM tenants WHERE name = 't1'"));
    for (size_t i = 0; letters[i] != '\0'; i++) {
        /* From left to right each has one id more; the command line has none. */
        size_t ids = letters[i] == 'C' ? 0 : i;
        const char *quote[3] = { ids > 0 ? "'" : "", ids > 1 ? "'" : "", ids > 2 ? "'" : "" };

        if (letters[i] == 'C')
            snprintf(who, sizeof(who), "'unix', 'root', 'cli'");
        else
            snprintf(who, sizeof(who), "'account', '%s', 'session'", account);
        snprintf(scopes[i], sizeof(scopes[i]),
                 "'%c', %s%s%s, %s%s%s, %s%s%s, %s, NULL, '192.0.2.1', 'r-1', '60 s'", letters[i],
                 quote[0], ids > 0 ? tenant : "NULL", quote[0], quote[1], ids > 1 ? domain : "NULL",
                 quote[1], quote[2], ids > 2 ? account : "NULL", quote[2], who);
    }
}

const char *
customers_scope(char letter)
{
    return scopes[strchr(letters, letter) - letters];
}

const char *
customers_ask(struct cluster *c, char letter, const char *sql)
{
    for (size_t i = 0; i < CUSTOMERS_ROLES; i++) {
        if (customers_roles[i].letter == letter)
            return cluster_scoped(c, customers_roles[i].role, customers_scope(letter), sql);
    }
    yb_assert(letter == 'C');
    return cluster_scoped(c, "yubin_operator", customers_scope(letter), sql);
}
