FUZZ_TARGETS += fuzz/fuzz_pop3
fuzz_fuzz_pop3_SOURCES = fuzz/fuzz_pop3.c tests/unit/pop3d/fake.c tests/unit/pop3d/fake.h $(FUZZ_MAIN)
fuzz_fuzz_pop3_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_pop3_LDADD = pop3d/libpop3d.a lib/auth/libyb_auth.a $(FLOOR1) $(SASL_LIBS) $(FLOOR1_LIBS)
EXTRA_DIST += fuzz/pop3.dict fuzz/corpus/pop3
