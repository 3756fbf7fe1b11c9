check_PROGRAMS += tests/unit/relayd/test_sched
tests_unit_relayd_test_sched_SOURCES  = tests/unit/relayd/test_sched.c tests/unit/relayd/world.c tests/unit/relayd/world.h
tests_unit_relayd_test_sched_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_relayd_test_sched_LDADD    = relayd/librelayd.a $(FLOOR0) $(CHECK_LIBS)
