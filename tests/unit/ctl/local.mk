check_PROGRAMS += tests/unit/ctl/test_ctl
tests_unit_ctl_test_ctl_SOURCES  = tests/unit/ctl/test_ctl.c $(CTL_TABLES)
tests_unit_ctl_test_ctl_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_ctl_test_ctl_LDADD    = ctl/libctl.a $(FLOOR4) $(FLOOR4_LIBS) $(CHECK_LIBS)
