check_LIBRARIES += tests/unit/smtp/librig.a
tests_unit_smtp_librig_a_SOURCES = \
	tests/unit/smtp/fake_conn.c tests/unit/smtp/fake_conn.h \
	tests/unit/smtp/odd_server.c tests/unit/smtp/odd_server.h \
	tests/unit/smtp/rig.c tests/unit/smtp/rig.h
tests_unit_smtp_librig_a_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)

# librig.a has the connection: it stands before lib/net.
SMTP_TEST_LIBS = tests/unit/smtp/librig.a lib/smtp/libyb_smtp.a tests/unit/smtp/librig.a \
	$(FLOOR1) $(FLOOR1_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/smtp/test_server
tests_unit_smtp_test_server_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_smtp_test_server_LDADD = $(SMTP_TEST_LIBS)

check_PROGRAMS += tests/unit/smtp/test_params
tests_unit_smtp_test_params_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_smtp_test_params_LDADD = lib/smtp/libyb_smtp.a $(FLOOR1) $(FLOOR1_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/smtp/test_msgbuf
tests_unit_smtp_test_msgbuf_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_smtp_test_msgbuf_LDADD = lib/smtp/libyb_smtp.a $(FLOOR1) $(FLOOR1_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/smtp/test_client
tests_unit_smtp_test_client_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_smtp_test_client_LDADD = tests/unit/smtp/librig.a lib/smtp/libyb_smtp.a $(FLOOR1) $(FLOOR1_LIBS) $(CHECK_LIBS)
