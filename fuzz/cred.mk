FUZZ_TARGETS += fuzz/fuzz_verifier
fuzz_fuzz_verifier_SOURCES = fuzz/fuzz_verifier.c $(FUZZ_MAIN)
fuzz_fuzz_verifier_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_verifier_LDADD = lib/cred/libyb_cred.a $(FLOOR0) $(FLOOR1_LIBS)
EXTRA_DIST += fuzz/verifier.dict fuzz/corpus/verifier
