imapd_test_cppflags = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
IMAPD_TEST_PURE = imapd/libimapd.a lib/store/libyb_store.a lib/mime/libyb_mime.a $(FLOOR0) $(IDN2_LIBS) $(UNISTRING_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/imapd/test_names
tests_unit_imapd_test_names_SOURCES  = tests/unit/imapd/test_names.c
tests_unit_imapd_test_names_CPPFLAGS = $(imapd_test_cppflags)
tests_unit_imapd_test_names_LDADD    = $(IMAPD_TEST_PURE)

check_PROGRAMS += tests/unit/imapd/test_parse
tests_unit_imapd_test_parse_SOURCES  = tests/unit/imapd/test_parse.c
tests_unit_imapd_test_parse_CPPFLAGS = $(imapd_test_cppflags)
tests_unit_imapd_test_parse_LDADD    = $(IMAPD_TEST_PURE)


check_PROGRAMS += tests/unit/imapd/test_structure
tests_unit_imapd_test_structure_SOURCES  = tests/unit/imapd/test_structure.c
tests_unit_imapd_test_structure_CPPFLAGS = $(imapd_test_cppflags)
tests_unit_imapd_test_structure_LDADD    = $(IMAPD_TEST_PURE)

# The connection without sockets stands before lib/net.
check_LIBRARIES += tests/unit/imapd/librig.a
tests_unit_imapd_librig_a_SOURCES = \
	tests/unit/imapd/rig.c tests/unit/imapd/rig.h \
	tests/unit/smtp/fake_conn.c tests/unit/smtp/fake_conn.h
tests_unit_imapd_librig_a_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
IMAPD_RIG_LIBS = tests/unit/imapd/librig.a imapd/libimapd.a tests/unit/imapd/librig.a \
	lib/auth/libyb_auth.a $(FLOOR3) $(FLOOR4_LIBS)

IMAPD_SCRIPT = tests/unit/imapd/script.c tests/unit/imapd/script.h

check_PROGRAMS += tests/unit/imapd/test_habits
tests_unit_imapd_test_habits_SOURCES  = tests/unit/imapd/test_habits.c $(IMAPD_SCRIPT)
tests_unit_imapd_test_habits_CPPFLAGS = $(imapd_test_cppflags)
tests_unit_imapd_test_habits_LDADD    = $(IMAPD_RIG_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/imapd/test_input
tests_unit_imapd_test_input_SOURCES  = tests/unit/imapd/test_input.c $(IMAPD_SCRIPT)
tests_unit_imapd_test_input_CPPFLAGS = $(imapd_test_cppflags)
tests_unit_imapd_test_input_LDADD    = $(IMAPD_RIG_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/imapd/test_reply
tests_unit_imapd_test_reply_SOURCES  = tests/unit/imapd/test_reply.c
tests_unit_imapd_test_reply_CPPFLAGS = $(imapd_test_cppflags)
tests_unit_imapd_test_reply_LDADD    = $(IMAPD_RIG_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/imapd/test_session
tests_unit_imapd_test_session_SOURCES  = tests/unit/imapd/test_session.c
tests_unit_imapd_test_session_CPPFLAGS = $(imapd_test_cppflags)
tests_unit_imapd_test_session_LDADD    = $(IMAPD_RIG_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/imapd/test_slices
tests_unit_imapd_test_slices_SOURCES  = tests/unit/imapd/test_slices.c
tests_unit_imapd_test_slices_CPPFLAGS = $(imapd_test_cppflags)
tests_unit_imapd_test_slices_LDADD    = $(IMAPD_RIG_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/imapd/test_unread
tests_unit_imapd_test_unread_SOURCES  = tests/unit/imapd/test_unread.c
tests_unit_imapd_test_unread_CPPFLAGS = $(imapd_test_cppflags)
tests_unit_imapd_test_unread_LDADD    = $(IMAPD_RIG_LIBS) $(CHECK_LIBS)
