-- run: alone
CREATE INDEX CONCURRENTLY IF NOT EXISTS accounts_store ON accounts (store_id, home_node)
