DIRECTORY_TEST_LIBS = lib/directory/libyb_directory.a lib/db/libyb_db.a $(FLOOR1) $(LIBPQ_LIBS) \
	$(FLOOR1_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/directory/test_cache
tests_unit_directory_test_cache_SOURCES  = tests/unit/directory/test_cache.c
tests_unit_directory_test_cache_CPPFLAGS = $(db_test_cppflags)
tests_unit_directory_test_cache_LDADD    = $(DIRECTORY_TEST_LIBS)

check_PROGRAMS += tests/unit/directory/test_directory
tests_unit_directory_test_directory_SOURCES  = tests/unit/directory/test_directory.c $(CLUSTER)
tests_unit_directory_test_directory_CPPFLAGS = $(db_test_cppflags)
tests_unit_directory_test_directory_LDADD    = $(DIRECTORY_TEST_LIBS)

check_PROGRAMS += tests/unit/directory/test_notices
tests_unit_directory_test_notices_SOURCES  = tests/unit/directory/test_notices.c $(CLUSTER)
tests_unit_directory_test_notices_CPPFLAGS = $(db_test_cppflags)
tests_unit_directory_test_notices_LDADD    = $(DIRECTORY_TEST_LIBS)
