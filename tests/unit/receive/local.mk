check_LIBRARIES += tests/unit/receive/librig.a
tests_unit_receive_librig_a_SOURCES = \
	tests/unit/receive/desk.c tests/unit/receive/desk.h \
	tests/unit/receive/fake_directory.c tests/unit/receive/fake_directory.h
tests_unit_receive_librig_a_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)

# librig.a has the directory: it stands for lib/directory. Its desk calls what it stands before.
RECEIVE_TEST_LIBS = tests/unit/receive/librig.a lib/receive/libyb_receive.a tests/unit/receive/librig.a $(SMTP_TEST_LIBS)

check_PROGRAMS += tests/unit/receive/test_handover
tests_unit_receive_test_handover_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_receive_test_handover_LDADD = $(RECEIVE_TEST_LIBS)

check_PROGRAMS += tests/unit/receive/test_refused
tests_unit_receive_test_refused_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_receive_test_refused_LDADD = lib/receive/libyb_receive.a $(FLOOR1) $(FLOOR1_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/receive/test_rest
tests_unit_receive_test_rest_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_receive_test_rest_LDADD = $(RECEIVE_TEST_LIBS)
