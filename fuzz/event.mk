FUZZ_TARGETS += fuzz/fuzz_event
fuzz_fuzz_event_SOURCES = fuzz/fuzz_event.c $(FUZZ_MAIN)
fuzz_fuzz_event_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_event_LDADD   = lib/event/libyb_event.a $(FLOOR0)
EXTRA_DIST += fuzz/event.dict fuzz/corpus/event
