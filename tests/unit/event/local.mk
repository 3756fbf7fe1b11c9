check_PROGRAMS += tests/unit/event/test_event
tests_unit_event_test_event_SOURCES  = tests/unit/event/test_event.c
tests_unit_event_test_event_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_event_test_event_LDADD    = lib/event/libyb_event.a $(FLOOR0) $(CHECK_LIBS)
