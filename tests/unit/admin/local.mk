check_PROGRAMS += tests/unit/admin/test_admin
tests_unit_admin_test_admin_SOURCES  = tests/unit/admin/test_admin.c $(CLUSTER)
tests_unit_admin_test_admin_CPPFLAGS = $(db_test_cppflags) $(JANSSON_CFLAGS)
tests_unit_admin_test_admin_LDADD    = lib/admin/libyb_admin.a lib/directory/libyb_directory.a lib/db/libyb_db.a $(FLOOR1) \
	$(JANSSON_LIBS) $(LIBPQ_LIBS) $(FLOOR1_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/admin/test_lists
tests_unit_admin_test_lists_SOURCES  = tests/unit/admin/test_lists.c tests/unit/db/relay.c tests/unit/db/relay.h $(CLUSTER)
tests_unit_admin_test_lists_CPPFLAGS = $(db_test_cppflags) $(JANSSON_CFLAGS)
tests_unit_admin_test_lists_LDADD    = $(tests_unit_admin_test_admin_LDADD)
