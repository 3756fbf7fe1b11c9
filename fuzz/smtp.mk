FUZZ_TARGETS += fuzz/fuzz_smtp_args fuzz/fuzz_smtp_session
fuzz_fuzz_smtp_args_SOURCES = fuzz/fuzz_smtp_args.c $(FUZZ_MAIN)
fuzz_fuzz_smtp_args_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_smtp_args_LDADD   = lib/smtp/libyb_smtp.a $(FLOOR1) $(FLOOR1_LIBS)
fuzz_fuzz_smtp_session_SOURCES = fuzz/fuzz_smtp_session.c $(FUZZ_MAIN)
fuzz_fuzz_smtp_session_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_smtp_session_LDADD   = $(SMTP_TEST_LIBS)
EXTRA_DIST += fuzz/smtp_args.dict fuzz/smtp_session.dict fuzz/corpus/smtp_args fuzz/corpus/smtp_session
