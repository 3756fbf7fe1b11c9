-- run: alone
-- Each leads a list, or a filter of one.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS accounts_tenant_address ON accounts (tenant_id, address_key);
CREATE INDEX CONCURRENTLY IF NOT EXISTS accounts_address ON accounts (address_key);
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS aliases_tenant_address ON aliases (tenant_id, address_key);
CREATE INDEX CONCURRENTLY IF NOT EXISTS aliases_address ON aliases (address_key);
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS retirements_tenant_address ON retirements (tenant_id, address_key);
CREATE INDEX CONCURRENTLY IF NOT EXISTS retirements_address ON retirements (address_key);
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS domains_list ON domains (tenant_id, name);
CREATE INDEX CONCURRENTLY IF NOT EXISTS accounts_no_words ON accounts (account_id) WHERE words IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS aliases_no_words ON aliases (alias_id) WHERE words IS NULL;
