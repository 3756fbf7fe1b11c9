STORE_FUZZ_LIBS = lib/store/libyb_store.a $(FLOOR0) $(UNISTRING_LIBS)

FUZZ_TARGETS += fuzz/fuzz_store_name fuzz/fuzz_store_folder fuzz/fuzz_store_files fuzz/fuzz_store_keywords
fuzz_fuzz_store_name_SOURCES   = fuzz/fuzz_store_name.c $(FUZZ_MAIN)
fuzz_fuzz_store_name_LDFLAGS   = $(FUZZ_LINK)
fuzz_fuzz_store_name_LDADD     = $(STORE_FUZZ_LIBS)
fuzz_fuzz_store_folder_SOURCES = fuzz/fuzz_store_folder.c $(FUZZ_MAIN)
fuzz_fuzz_store_folder_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_store_folder_LDADD   = $(STORE_FUZZ_LIBS)
fuzz_fuzz_store_files_SOURCES  = fuzz/fuzz_store_files.c $(FUZZ_MAIN)
fuzz_fuzz_store_files_LDFLAGS  = $(FUZZ_LINK)
fuzz_fuzz_store_files_LDADD    = $(STORE_FUZZ_LIBS)
fuzz_fuzz_store_keywords_SOURCES = fuzz/fuzz_store_keywords.c $(FUZZ_MAIN)
fuzz_fuzz_store_keywords_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_store_keywords_LDADD   = $(STORE_FUZZ_LIBS)
EXTRA_DIST += fuzz/store_keywords.dict fuzz/corpus/store_keywords
EXTRA_DIST += fuzz/store_name.dict fuzz/store_folder.dict fuzz/corpus/store_name \
	fuzz/corpus/store_folder fuzz/corpus/store_files
