FUZZ_TARGETS += fuzz/fuzz_key
fuzz_fuzz_key_SOURCES = fuzz/fuzz_key.c $(FUZZ_MAIN)
fuzz_fuzz_key_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_key_LDADD   = lib/directory/libyb_directory.a lib/db/libyb_db.a $(FLOOR1) $(LIBPQ_LIBS) \
	$(FLOOR1_LIBS)
EXTRA_DIST += fuzz/key.dict fuzz/corpus/key
