# The fuzz targets' counting, over parsers that are as they must not be.
check_PROGRAMS += tests/unit/fuzz/test_cost
tests_unit_fuzz_test_cost_SOURCES = tests/unit/fuzz/test_cost.c tests/unit/fuzz/parsers.c \
	tests/unit/fuzz/parsers.h fuzz/cost.c fuzz/cost.h fuzz/stretch.c fuzz/stretch.h
tests_unit_fuzz_test_cost_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_fuzz_test_cost_LDFLAGS  = $(AM_LDFLAGS) $(COST_LINK)
tests_unit_fuzz_test_cost_LDADD    = $(FLOOR0) $(CHECK_LIBS)
