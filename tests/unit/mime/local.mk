check_PROGRAMS += tests/unit/mime/test_address
tests_unit_mime_test_address_SOURCES  = tests/unit/mime/test_address.c
tests_unit_mime_test_address_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_mime_test_address_LDADD    = lib/mime/libyb_mime.a $(FLOOR0) $(IDN2_LIBS) $(UNISTRING_LIBS) $(CHECK_LIBS)
