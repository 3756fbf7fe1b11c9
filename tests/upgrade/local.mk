# A store of the first form, what it held, and the test that opens it.
check_PROGRAMS += tests/upgrade/test_upgrade
tests_upgrade_test_upgrade_SOURCES  = tests/upgrade/test_upgrade.c tests/upgrade/listing.h tests/upgrade/listing.c \
	$(STORE_TEST_HELP)
tests_upgrade_test_upgrade_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_upgrade_test_upgrade_LDADD    = $(STORE_TEST_LIBS)
EXTRA_DIST += tests/upgrade/store-1.tar.gz tests/upgrade/store-1.txt
# The version before beside the new schema: needs the history, so a release skips it.
EXTRA_DIST += tests/upgrade/test_beside.py tests/upgrade/before.py tests/upgrade/heard.py tests/upgrade/load.py \
	tests/upgrade/verbs.py
