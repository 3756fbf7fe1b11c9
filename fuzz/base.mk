FUZZ_TARGETS += fuzz/fuzz_base64
fuzz_fuzz_base64_SOURCES = fuzz/fuzz_base64.c $(FUZZ_MAIN)
fuzz_fuzz_base64_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_base64_LDADD   = $(FLOOR0)
EXTRA_DIST += fuzz/corpus/base64

FUZZ_TARGETS += fuzz/fuzz_zone
fuzz_fuzz_zone_SOURCES = fuzz/fuzz_zone.c $(FUZZ_MAIN)
fuzz_fuzz_zone_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_zone_LDADD   = $(FLOOR0)
EXTRA_DIST += fuzz/zone.dict fuzz/corpus/zone
