check_PROGRAMS += tests/unit/cred/test_cred
tests_unit_cred_test_cred_SOURCES = tests/unit/cred/test_cred.c
tests_unit_cred_test_cred_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_cred_test_cred_LDADD = lib/cred/libyb_cred.a $(FLOOR0) $(FLOOR1_LIBS) $(CHECK_LIBS)
