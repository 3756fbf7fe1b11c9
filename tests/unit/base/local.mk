check_PROGRAMS += tests/unit/base/test_str
tests_unit_base_test_str_SOURCES  = tests/unit/base/test_str.c
tests_unit_base_test_str_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_base_test_str_LDADD    = $(FLOOR0) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/base/test_memory
tests_unit_base_test_memory_SOURCES  = tests/unit/base/test_memory.c
tests_unit_base_test_memory_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_base_test_memory_LDADD    = $(FLOOR0) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/base/test_budget
tests_unit_base_test_budget_SOURCES  = tests/unit/base/test_budget.c
tests_unit_base_test_budget_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_base_test_budget_LDADD    = $(FLOOR0) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/base/test_io
tests_unit_base_test_io_SOURCES  = tests/unit/base/test_io.c
tests_unit_base_test_io_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_base_test_io_LDADD    = $(FLOOR0) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/base/test_zone
tests_unit_base_test_zone_SOURCES  = tests/unit/base/test_zone.c
tests_unit_base_test_zone_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_base_test_zone_LDADD    = $(FLOOR0) $(CHECK_LIBS)
