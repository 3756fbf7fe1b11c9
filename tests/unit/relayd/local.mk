check_PROGRAMS += tests/unit/relayd/test_sched
tests_unit_relayd_test_sched_SOURCES  = tests/unit/relayd/test_sched.c tests/unit/relayd/world.c tests/unit/relayd/world.h
tests_unit_relayd_test_sched_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_relayd_test_sched_LDADD    = relayd/librelayd.a $(FLOOR0) $(CHECK_LIBS)

RELAYD_TEST_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)

check_PROGRAMS += tests/unit/relayd/test_filter
tests_unit_relayd_test_filter_CPPFLAGS = $(RELAYD_TEST_CPPFLAGS)
tests_unit_relayd_test_filter_LDADD = relayd/librelayd.a $(FLOOR3) $(FLOOR3_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/relayd/test_control
tests_unit_relayd_test_control_CPPFLAGS = $(RELAYD_TEST_CPPFLAGS)
tests_unit_relayd_test_control_LDADD = relayd/librelayd.a $(FLOOR3) $(FLOOR3_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/relayd/test_intake
tests_unit_relayd_test_intake_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_relayd_test_intake_LDADD    = relayd/librelayd.a $(SMTP_TEST_LIBS)
