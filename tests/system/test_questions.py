"""No question that a daemon asks of the database reads a table from end to end: with 5 000 accounts, answers to
RCPT, to a login, to a sender and to a report of usage touch the rows they need and no others."""
import json

import harness

N = 5000

KEY = "A" * 43 + "="
VERIFIER = "SCRAM-SHA-256$8192:" + "A" * 22 + "==$" + KEY + ":" + KEY  # what a login may store


def scenario(p):
    trial = p.own()
    p.tenant("many", "many.test")
    rows = "".join(json.dumps({"address": "u%d@many.test" % i, "password": harness.PASSWORD} if i == 1 else
                              {"address": "u%d@many.test" % i, "verifier": "{SHA512-CRYPT}$6$salt$" + "a" * 86}) + "\n"
                   for i in range(N))
    p.yubin("account", "add", "--from", "-", given=rows)
    p.yubin("alias", "add", "team@many.test", "u1@many.test", "u2@many.test")
    sql = trial.database.sql
    sql("INSERT INTO yubin.settings (tenant_id, account_id, key, value) SELECT tenant_id, account_id, 'time_zone', "
        "'\"Asia/Tokyo\"' FROM yubin.accounts")
    sql("ANALYZE; SELECT pg_stat_reset()")
    account = sql("SELECT account_id FROM yubin.accounts WHERE domain_id = (SELECT domain_id FROM yubin.domains) "
                  "AND local = 'u1'").strip()
    for question in ("yb_resolve('u1', 'many.test')", "yb_resolve('team', 'many.test')",
                     "yb_resolve('nobody+x', 'many.test')", "yb_resolve('x', 'elsewhere.test')",
                     "yb_login('u1', 'many.test')", "yb_login('nobody', 'many.test')", "yb_sender('%s')" % account,
                     "yb_password_upgrade('%s', '$6$a', '%s')" % (account, VERIFIER),
                     "yb_resolve_step('u1', 'many.test')", "yb_resolve2('u1', 'many.test')", "yb_login2('u1', 'many.test')",
                     "yb_account_now('%s')" % account,
                     "yb_look('u1', 'many.test')",
                     "yb_find_trouble(NULL, '{team@many.test}')",
                     "yb_report_usage((SELECT node_id FROM yubin.nodes), ARRAY['%s']::uuid[], ARRAY[1], ARRAY[1])" % account,
                     "yb_report_sizes((SELECT node_id FROM yubin.nodes), ARRAY['%s']::uuid[], ARRAY[1], ARRAY[1], "
                     "ARRAY[1], ARRAY[true])" % account,
                     "yb_report_sizes2((SELECT store_id FROM yubin.stores), (SELECT node_id FROM yubin.nodes), "
                     "ARRAY['%s']::uuid[], ARRAY[1], ARRAY[1], ARRAY[1], ARRAY[true])" % account,
                     "yb_at_home2((SELECT store_id FROM yubin.stores), (SELECT node_id FROM yubin.nodes), "
                     "ARRAY['%s']::uuid[])" % account, "yb_map()", "yb_store_has_accounts('%032x')" % 1):
        sql("SELECT pg_stat_reset()")
        sql("SET search_path = yubin; SELECT * FROM " + question)
        read = int(sql("SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables "
                       "WHERE relname IN ('accounts', 'credentials', 'aliases', 'usage', 'forwards', 'settings')"))
        print(question[:30], read)
        assert read < 100, "%s reads %d rows in sequence" % (question, read)
    # Deleting one account looks for what goes with it; that must not read everything either.
    sql("SELECT pg_stat_reset()")
    p.yubin("account", "delete", "u3@many.test")
    harness.wait_until(lambda: int(sql("SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_user_tables WHERE "
                                       "relname = 'accounts'")) > 0, 10)
    read = int(sql("SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname = 'credentials'"))
    assert read < 100, "deleting an account reads %d credentials" % read


if __name__ == "__main__":
    harness.main(scenario)
