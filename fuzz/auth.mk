FUZZ_TARGETS += fuzz/fuzz_sasl
fuzz_fuzz_sasl_SOURCES = fuzz/fuzz_sasl.c $(FUZZ_MAIN)
fuzz_fuzz_sasl_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_sasl_LDADD = lib/auth/libyb_auth.a $(FLOOR1) $(SASL_LIBS) $(FLOOR1_LIBS)
EXTRA_DIST += fuzz/sasl.dict fuzz/corpus/sasl
