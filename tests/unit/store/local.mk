STORE_TEST_LIBS = lib/store/libyb_store.a $(FLOOR0) $(UNISTRING_LIBS) $(CHECK_LIBS)
STORE_TEST_HELP = tests/unit/store/help.h tests/unit/store/help.c

check_PROGRAMS += tests/unit/store/test_mailbox
tests_unit_store_test_mailbox_SOURCES  = tests/unit/store/test_mailbox.c $(STORE_TEST_HELP)
tests_unit_store_test_mailbox_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_store_test_mailbox_LDADD    = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/store/test_crash
tests_unit_store_test_crash_SOURCES  = tests/unit/store/test_crash.c $(STORE_TEST_HELP)
tests_unit_store_test_crash_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_store_test_crash_LDADD    = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/store/test_rebuild
tests_unit_store_test_rebuild_SOURCES  = tests/unit/store/test_rebuild.c $(STORE_TEST_HELP)
tests_unit_store_test_rebuild_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_store_test_rebuild_LDADD    = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/store/test_delivery
tests_unit_store_test_delivery_SOURCES  = tests/unit/store/test_delivery.c $(STORE_TEST_HELP)
tests_unit_store_test_delivery_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_store_test_delivery_LDADD    = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/store/test_notify
tests_unit_store_test_notify_SOURCES  = tests/unit/store/test_notify.c $(STORE_TEST_HELP)
tests_unit_store_test_notify_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_store_test_notify_LDADD    = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/store/test_first
tests_unit_store_test_first_SOURCES  = tests/unit/store/test_first.c $(STORE_TEST_HELP)
tests_unit_store_test_first_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_store_test_first_LDADD    = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/store/test_formats
tests_unit_store_test_formats_SOURCES  = tests/unit/store/test_formats.c $(STORE_TEST_HELP)
tests_unit_store_test_formats_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_store_test_formats_LDADD    = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/store/test_trouble
tests_unit_store_test_trouble_SOURCES  = tests/unit/store/test_trouble.c $(STORE_TEST_HELP)
tests_unit_store_test_trouble_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_store_test_trouble_LDADD    = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/store/test_stress
tests_unit_store_test_stress_SOURCES  = tests/unit/store/test_stress.c $(STORE_TEST_HELP)
tests_unit_store_test_stress_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_store_test_stress_LDADD    = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/store/test_identity
tests_unit_store_test_identity_SOURCES  = tests/unit/store/test_identity.c $(STORE_TEST_HELP)
tests_unit_store_test_identity_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_store_test_identity_LDADD    = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/store/test_state
tests_unit_store_test_state_SOURCES  = tests/unit/store/test_state.c $(STORE_TEST_HELP)
tests_unit_store_test_state_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_store_test_state_LDADD    = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/store/test_place
tests_unit_store_test_place_SOURCES  = tests/unit/store/test_place.c $(STORE_TEST_HELP)
tests_unit_store_test_place_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_store_test_place_LDADD    = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/store/test_keywords
tests_unit_store_test_keywords_SOURCES  = tests/unit/store/test_keywords.c $(STORE_TEST_HELP)
tests_unit_store_test_keywords_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_store_test_keywords_LDADD    = $(STORE_TEST_LIBS)
