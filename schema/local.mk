schemadir = $(pkgdatadir)/schema
dist_schema_DATA = \
	schema/0001_roles.sql \
	schema/0002_tables.sql \
	schema/0003_policies.sql \
	schema/0004_functions.sql \
	schema/0005_triggers.sql \
	schema/0006_cards.sql \
	schema/0007_logins.sql \
	schema/0008_name_lock.sql \
	schema/0009_all_roles.sql \
	schema/0010_closed.sql \
	schema/0011_upgrade.sql \
	schema/0012_notices.sql \
	schema/0013_at_home.sql \
	schema/0014_leads.sql \
	schema/0015_usage.sql \
	schema/0016_unseen.sql \
	schema/0017_scope.sql \
	schema/0018_audit.sql \
	schema/0019_settings.sql \
	schema/0020_counts.sql \
	schema/0021_tenant_notices.sql \
	schema/0022_addresses.sql \
	schema/0023_addresses_filled.sql \
	schema/0024_addresses_indexed.sql \
	schema/0025_addresses_held.sql \
	schema/0026_words.sql \
	schema/0027_stores.sql \
	schema/0028_store_answers.sql \
	schema/0029_store_index.sql \
	schema/0030_store_fill.sql \
	schema/0031_import.sql \
	schema/0032_before_told.sql \
	schema/0033_relay.sql
EXTRA_DIST += schema/README.md
