FUZZ_TARGETS += fuzz/fuzz_queue_filter
fuzz_fuzz_queue_filter_SOURCES = fuzz/fuzz_queue_filter.c $(FUZZ_MAIN)
fuzz_fuzz_queue_filter_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_queue_filter_LDADD   = relayd/librelayd.a lib/mime/libyb_mime.a $(FLOOR0) $(FLOOR1_LIBS)
EXTRA_DIST += fuzz/queue_filter.dict fuzz/corpus/queue_filter
