# What the kill and power-cut tests (tests/fault/*.py) need besides the daemons.
noinst_PROGRAMS += tests/fault/dump_store
tests_fault_dump_store_SOURCES = tests/fault/dump_store.c
tests_fault_dump_store_LDADD   = lib/store/libyb_store.a $(FLOOR2) $(FLOOR2_LIBS)

noinst_DATA = tests/fault/libyb_watch.so
tests/fault/libyb_watch.so: tests/fault/watch.c
	$(AM_V_CCLD)$(MKDIR_P) tests/fault && $(CC) -std=c17 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Wshadow \
	    -shared -fPIC -fvisibility=hidden -o $@ $(top_srcdir)/tests/fault/watch.c -ldl
CLEANFILES += tests/fault/libyb_watch.so
