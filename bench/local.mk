noinst_PROGRAMS += bench/net
bench_net_SOURCES  = bench/net.c
bench_net_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS)
bench_net_LDADD    = lib/net/libyb_net.a $(FLOOR0) $(OPENSSL_LIBS)
noinst_PROGRAMS += bench/store-bench
bench_store_bench_SOURCES = bench/store-bench.c
bench_store_bench_LDADD   = lib/store/libyb_store.a $(FLOOR0) $(UNISTRING_LIBS)
