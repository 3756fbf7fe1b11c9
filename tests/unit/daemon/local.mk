DAEMON_LIBS = lib/daemon/libyb_daemon.a lib/net/libyb_net.a $(FLOOR0) $(INIH_LIBS) $(OPENSSL_LIBS)

check_PROGRAMS += tests/unit/daemon/test_conf
tests_unit_daemon_test_conf_SOURCES  = tests/unit/daemon/test_conf.c
tests_unit_daemon_test_conf_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_daemon_test_conf_LDADD    = $(DAEMON_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/daemon/test_control
tests_unit_daemon_test_control_SOURCES  = tests/unit/daemon/test_control.c
tests_unit_daemon_test_control_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_daemon_test_control_LDADD    = $(DAEMON_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/daemon/test_roles
tests_unit_daemon_test_roles_SOURCES  = tests/unit/daemon/test_roles.c
tests_unit_daemon_test_roles_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_daemon_test_roles_LDADD    = $(DAEMON_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/daemon/test_notes
tests_unit_daemon_test_notes_SOURCES  = tests/unit/daemon/test_notes.c
tests_unit_daemon_test_notes_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_daemon_test_notes_LDADD    = $(DAEMON_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/daemon/test_daemon
tests_unit_daemon_test_daemon_SOURCES  = tests/unit/daemon/test_daemon.c
tests_unit_daemon_test_daemon_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_daemon_test_daemon_LDADD    = $(DAEMON_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/daemon/test_heap
tests_unit_daemon_test_heap_SOURCES  = tests/unit/daemon/test_heap.c
tests_unit_daemon_test_heap_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_daemon_test_heap_LDADD    = $(DAEMON_LIBS) $(CHECK_LIBS)
