check_LIBRARIES += tests/unit/net/libkit.a
tests_unit_net_libkit_a_SOURCES = tests/unit/net/kit.c tests/unit/net/kit.h
tests_unit_net_libkit_a_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(OPENSSL_CFLAGS)

NET_TEST_LIBS = tests/unit/net/libkit.a lib/net/libyb_net.a $(FLOOR0) $(OPENSSL_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/net/test_conn
tests_unit_net_test_conn_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_net_test_conn_LDADD = $(NET_TEST_LIBS)
