FUZZ_TARGETS += fuzz/fuzz_tree
fuzz_fuzz_tree_SOURCES = fuzz/fuzz_tree.c $(FUZZ_MAIN)
fuzz_fuzz_tree_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_tree_LDADD   = $(MIME_LIBS)
EXTRA_DIST += fuzz/tree.dict fuzz/corpus/tree
