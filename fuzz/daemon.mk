FUZZ_TARGETS += fuzz/fuzz_frame fuzz/fuzz_conf
fuzz_fuzz_frame_SOURCES = fuzz/fuzz_frame.c $(FUZZ_MAIN)
fuzz_fuzz_frame_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_frame_LDADD   = lib/daemon/libyb_daemon.a $(FLOOR0) $(INIH_LIBS)
fuzz_fuzz_conf_SOURCES = fuzz/fuzz_conf.c $(FUZZ_MAIN)
fuzz_fuzz_conf_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_conf_LDADD   = lib/daemon/libyb_daemon.a $(FLOOR0) $(INIH_LIBS)
EXTRA_DIST += fuzz/conf.dict fuzz/corpus/frame fuzz/corpus/conf
