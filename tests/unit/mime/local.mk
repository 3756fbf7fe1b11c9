MIME_LIBS = lib/mime/libyb_mime.a $(FLOOR0) $(IDN2_LIBS) $(UNISTRING_LIBS)
mime_test_cppflags = $(AM_CPPFLAGS) $(CHECK_CFLAGS)

check_PROGRAMS += tests/unit/mime/test_address
tests_unit_mime_test_address_SOURCES  = tests/unit/mime/test_address.c
tests_unit_mime_test_address_CPPFLAGS = $(mime_test_cppflags)
tests_unit_mime_test_address_LDADD    = $(MIME_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/mime/test_addresses
tests_unit_mime_test_addresses_SOURCES  = tests/unit/mime/test_addresses.c
tests_unit_mime_test_addresses_CPPFLAGS = $(mime_test_cppflags)
tests_unit_mime_test_addresses_LDADD    = $(MIME_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/mime/test_charset
tests_unit_mime_test_charset_SOURCES  = tests/unit/mime/test_charset.c
tests_unit_mime_test_charset_CPPFLAGS = $(mime_test_cppflags)
tests_unit_mime_test_charset_LDADD    = $(MIME_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/mime/test_content
tests_unit_mime_test_content_SOURCES  = tests/unit/mime/test_content.c
tests_unit_mime_test_content_CPPFLAGS = $(mime_test_cppflags)
tests_unit_mime_test_content_LDADD    = $(MIME_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/mime/test_date
tests_unit_mime_test_date_SOURCES  = tests/unit/mime/test_date.c
tests_unit_mime_test_date_CPPFLAGS = $(mime_test_cppflags)
tests_unit_mime_test_date_LDADD    = $(MIME_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/mime/test_terms
tests_unit_mime_test_terms_SOURCES  = tests/unit/mime/test_terms.c
tests_unit_mime_test_terms_CPPFLAGS = $(mime_test_cppflags)
tests_unit_mime_test_terms_LDADD    = $(MIME_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/mime/test_tree
tests_unit_mime_test_tree_SOURCES  = tests/unit/mime/test_tree.c
tests_unit_mime_test_tree_CPPFLAGS = $(mime_test_cppflags)
tests_unit_mime_test_tree_LDADD    = $(MIME_LIBS) $(CHECK_LIBS)
dist_check_SCRIPTS += tests/unit/mime/test_tree_oracle

check_PROGRAMS += tests/unit/mime/test_text
tests_unit_mime_test_text_SOURCES  = tests/unit/mime/test_text.c
tests_unit_mime_test_text_CPPFLAGS = $(mime_test_cppflags)
tests_unit_mime_test_text_LDADD    = $(MIME_LIBS) $(CHECK_LIBS)
