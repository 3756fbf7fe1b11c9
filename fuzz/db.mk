FUZZ_TARGETS += fuzz/fuzz_rows
fuzz_fuzz_rows_SOURCES  = fuzz/fuzz_rows.c $(FUZZ_MAIN)
fuzz_fuzz_rows_CPPFLAGS = $(AM_CPPFLAGS) $(LIBPQ_CFLAGS)
fuzz_fuzz_rows_LDFLAGS  = $(FUZZ_LINK)
fuzz_fuzz_rows_LDADD    = lib/db/libyb_db.a $(FLOOR1) $(LIBPQ_LIBS) $(FLOOR1_LIBS)
EXTRA_DIST += fuzz/rows.dict fuzz/corpus/rows
