EXTRA_DIST += tests/fixtures.sql
CLUSTER = tests/unit/db/cluster.c tests/unit/db/cluster.h
DB_TEST_LIBS = lib/db/libyb_db.a $(FLOOR1) $(LIBPQ_LIBS) $(FLOOR1_LIBS) $(CHECK_LIBS)
db_test_cppflags = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(LIBPQ_CFLAGS)

check_PROGRAMS += tests/unit/db/test_schema
tests_unit_db_test_schema_SOURCES  = tests/unit/db/test_schema.c $(CLUSTER)
tests_unit_db_test_schema_CPPFLAGS = $(db_test_cppflags)
tests_unit_db_test_schema_LDADD    = lib/daemon/libyb_daemon.a $(DB_TEST_LIBS)

check_PROGRAMS += tests/unit/db/test_db
tests_unit_db_test_db_SOURCES  = tests/unit/db/test_db.c $(CLUSTER)
tests_unit_db_test_db_CPPFLAGS = $(db_test_cppflags)
tests_unit_db_test_db_LDADD    = $(DB_TEST_LIBS)

check_PROGRAMS += tests/unit/db/test_conn
tests_unit_db_test_conn_SOURCES  = tests/unit/db/test_conn.c tests/unit/db/relay.c tests/unit/db/relay.h $(CLUSTER)
tests_unit_db_test_conn_CPPFLAGS = $(db_test_cppflags)
tests_unit_db_test_conn_LDADD    = $(DB_TEST_LIBS)

CUSTOMERS = tests/unit/db/customers.c tests/unit/db/customers.h $(CLUSTER)
check_PROGRAMS += tests/unit/db/test_scope tests/unit/db/test_audit tests/unit/db/test_matrix tests/unit/db/test_expand tests/unit/db/test_counts tests/unit/db/test_settings
tests_unit_db_test_scope_SOURCES   = tests/unit/db/test_scope.c $(CUSTOMERS)
tests_unit_db_test_scope_CPPFLAGS  = $(db_test_cppflags)
tests_unit_db_test_scope_LDADD     = $(DB_TEST_LIBS)
tests_unit_db_test_audit_SOURCES   = tests/unit/db/test_audit.c $(CUSTOMERS)
tests_unit_db_test_audit_CPPFLAGS  = $(db_test_cppflags)
tests_unit_db_test_audit_LDADD     = $(DB_TEST_LIBS)
tests_unit_db_test_matrix_SOURCES  = tests/unit/db/test_matrix.c $(CUSTOMERS)
tests_unit_db_test_matrix_CPPFLAGS = $(db_test_cppflags)
tests_unit_db_test_matrix_LDADD    = $(DB_TEST_LIBS)
tests_unit_db_test_expand_SOURCES  = tests/unit/db/test_expand.c $(CLUSTER)
tests_unit_db_test_expand_CPPFLAGS = $(db_test_cppflags)
tests_unit_db_test_expand_LDADD    = $(DB_TEST_LIBS)
tests_unit_db_test_counts_SOURCES  = tests/unit/db/test_counts.c $(CLUSTER)
tests_unit_db_test_counts_CPPFLAGS = $(db_test_cppflags)
tests_unit_db_test_counts_LDADD    = $(DB_TEST_LIBS)
check_PROGRAMS += tests/unit/db/test_stores
tests_unit_db_test_stores_SOURCES  = tests/unit/db/test_stores.c $(CLUSTER)
tests_unit_db_test_stores_CPPFLAGS = $(db_test_cppflags)
tests_unit_db_test_stores_LDADD    = $(DB_TEST_LIBS)
tests_unit_db_test_settings_SOURCES   = tests/unit/db/test_settings.c $(CUSTOMERS)
tests_unit_db_test_settings_CPPFLAGS  = $(db_test_cppflags)
tests_unit_db_test_settings_LDADD     = $(DB_TEST_LIBS)
