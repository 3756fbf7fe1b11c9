check_LIBRARIES += tests/unit/net/libkit.a
tests_unit_net_libkit_a_SOURCES = tests/unit/net/kit.c tests/unit/net/kit.h
tests_unit_net_libkit_a_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(OPENSSL_CFLAGS)

net_test_cppflags = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(OPENSSL_CFLAGS)
NET_TEST_LIBS = tests/unit/net/libkit.a lib/net/libyb_net.a $(FLOOR0) $(OPENSSL_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/net/test_addr
tests_unit_net_test_addr_CPPFLAGS = $(net_test_cppflags)
tests_unit_net_test_addr_LDADD    = $(NET_TEST_LIBS)

check_PROGRAMS += tests/unit/net/test_conn
tests_unit_net_test_conn_CPPFLAGS = $(net_test_cppflags)
tests_unit_net_test_conn_LDADD    = $(NET_TEST_LIBS)

check_PROGRAMS += tests/unit/net/test_conn_tls
tests_unit_net_test_conn_tls_CPPFLAGS = $(net_test_cppflags)
tests_unit_net_test_conn_tls_LDADD    = $(NET_TEST_LIBS)

check_PROGRAMS += tests/unit/net/test_net
tests_unit_net_test_net_CPPFLAGS = $(net_test_cppflags)
tests_unit_net_test_net_LDADD    = $(NET_TEST_LIBS)

check_PROGRAMS += tests/unit/net/test_tls
tests_unit_net_test_tls_CPPFLAGS = $(net_test_cppflags)
tests_unit_net_test_tls_LDADD    = $(NET_TEST_LIBS)

check_PROGRAMS += tests/unit/net/test_fair
tests_unit_net_test_fair_CPPFLAGS = $(net_test_cppflags)
tests_unit_net_test_fair_LDADD    = $(NET_TEST_LIBS)

check_PROGRAMS += tests/unit/net/test_gate
tests_unit_net_test_gate_CPPFLAGS = $(net_test_cppflags)
tests_unit_net_test_gate_LDADD    = $(NET_TEST_LIBS)

check_PROGRAMS += tests/unit/net/test_input
tests_unit_net_test_input_CPPFLAGS = $(net_test_cppflags)
tests_unit_net_test_input_LDADD    = $(NET_TEST_LIBS)

check_PROGRAMS += tests/unit/net/test_parts
tests_unit_net_test_parts_CPPFLAGS = $(net_test_cppflags)
tests_unit_net_test_parts_LDADD    = $(NET_TEST_LIBS)

check_PROGRAMS += tests/unit/net/test_pool
tests_unit_net_test_pool_CPPFLAGS = $(net_test_cppflags)
tests_unit_net_test_pool_LDADD    = $(NET_TEST_LIBS)

check_PROGRAMS += tests/unit/net/test_sock
tests_unit_net_test_sock_CPPFLAGS = $(net_test_cppflags)
tests_unit_net_test_sock_LDADD    = $(NET_TEST_LIBS)
