check_PROGRAMS += tests/unit/settings/test_settings
tests_unit_settings_test_settings_SOURCES  = tests/unit/settings/test_settings.c
tests_unit_settings_test_settings_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_settings_test_settings_LDADD    = lib/admin/libyb_admin.a lib/directory/libyb_directory.a lib/db/libyb_db.a $(FLOOR1) $(LIBPQ_LIBS) $(FLOOR1_LIBS) $(CHECK_LIBS)
