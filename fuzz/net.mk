FUZZ_TARGETS += fuzz/fuzz_input
fuzz_fuzz_input_SOURCES = fuzz/fuzz_input.c $(FUZZ_MAIN)
fuzz_fuzz_input_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_input_LDADD   = lib/net/libyb_net.a $(FLOOR0)
EXTRA_DIST += fuzz/input.dict fuzz/corpus/input

FUZZ_TARGETS += fuzz/fuzz_proxy
fuzz_fuzz_proxy_SOURCES = fuzz/fuzz_proxy.c $(FUZZ_MAIN)
fuzz_fuzz_proxy_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_proxy_LDADD   = lib/net/libyb_net.a $(FLOOR0)
EXTRA_DIST += fuzz/proxy.dict fuzz/corpus/proxy
