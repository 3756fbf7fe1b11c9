check_PROGRAMS += tests/unit/auth/test_auth tests/unit/auth/test_limit tests/unit/auth/test_online
tests_unit_auth_test_auth_SOURCES = tests/unit/auth/test_auth.c \
	tests/unit/auth/client.c tests/unit/auth/client.h
tests_unit_auth_test_auth_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(SASL_CFLAGS)
tests_unit_auth_test_auth_LDADD = lib/auth/libyb_auth.a $(FLOOR3) $(FLOOR4_LIBS) $(CHECK_LIBS)
tests_unit_auth_test_limit_SOURCES = tests/unit/auth/test_limit.c
tests_unit_auth_test_limit_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(SASL_CFLAGS)
tests_unit_auth_test_limit_LDADD = lib/auth/libyb_auth.a $(FLOOR3) $(FLOOR4_LIBS) $(CHECK_LIBS)
tests_unit_auth_test_online_SOURCES = tests/unit/auth/test_online.c
tests_unit_auth_test_online_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_auth_test_online_LDADD = lib/auth/libyb_auth.a $(FLOOR3) $(FLOOR4_LIBS) $(CHECK_LIBS)
