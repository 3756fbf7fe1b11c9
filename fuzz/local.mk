# A fuzz target is fuzz/fuzz_<what>.c (it defines LLVMFuzzerTestOneInput and nothing else) with seeds
# in fuzz/corpus/<what>/ and, where words matter, a dictionary fuzz/<what>.dict; options of libFuzzer
# that one target alone wants are lines of fuzz/<what>.options. Each room lists its targets in its
# fuzz/<room>.mk like this:
#
#   FUZZ_TARGETS += fuzz/fuzz_address
#   fuzz_fuzz_address_SOURCES = fuzz/fuzz_address.c $(FUZZ_MAIN)
#   fuzz_fuzz_address_LDFLAGS = $(FUZZ_LINK)
#   fuzz_fuzz_address_LDADD   = lib/mime/libyb_mime.a $(FLOOR0) $(FLOOR1_LIBS)
#   EXTRA_DIST += fuzz/address.dict fuzz/corpus/address
#
# In an ordinary build fuzz/replay.c is the main program: `make check` runs each target over its
# seeds and all their beginnings. With --enable-fuzzers (clang) the targets are libFuzzer programs:
#
#   ../configure CC=clang --enable-fuzzers --enable-asan --enable-ubsan && make fuzzers
#   ../fuzz/run . 60              every target for 60 seconds, new finds in fuzz/found/<what>/; the
#                                 stretch pass before (fuzz/stretch.h), executions a second behind
#   ../fuzz/run . 600 address     only this one
#
# What a target asserts with yb_assert() are invariants (whole input and byte by byte give the same,
# offsets lie inside, written again and parsed again is equal), never the outcome for a given input.
# A crash becomes a seed (named after what it shows) in the commit that fixes it.
#
# What every input costs is counted and bounded (fuzz/cost.h); each target states its bound, and the
# length of its inputs, in fuzz/bounds.c: a new one begins with a wide bound and
# `fuzz/fuzz_<what> --stretch-all ../fuzz/corpus/<what>`, which tells what it costs. The linker puts the counting between the callers and the functions that COST_LINK names.
FUZZ_TARGETS =
FUZZ_COST = fuzz/cost.c fuzz/cost.h fuzz/bounds.c fuzz/stretch.c fuzz/stretch.h
COST_LINK = -Wl,--wrap=LLVMFuzzerTestOneInput,--wrap=malloc,--wrap=calloc,--wrap=realloc
if FUZZERS
COST_LINK += -Wl,--wrap=__sanitizer_cov_trace_pc_guard,--wrap=__sanitizer_cov_trace_pc_guard_init \
	-Wl,--wrap=memcpy,--wrap=memmove,--wrap=memset,--wrap=memchr,--wrap=memrchr,--wrap=memmem \
	-Wl,--wrap=__asan_memcpy,--wrap=__asan_memmove,--wrap=__asan_memset \
	-Wl,--wrap=strlen,--wrap=strchr,--wrap=memcmp,--wrap=bcmp
FUZZ_MAIN = fuzz/initialize.c $(FUZZ_COST)
FUZZ_LINK = $(AM_LDFLAGS) $(COST_LINK) -fsanitize=fuzzer
else
FUZZ_MAIN = fuzz/replay.c $(FUZZ_COST)
FUZZ_LINK = $(AM_LDFLAGS) $(COST_LINK)
endif
EXTRA_DIST += fuzz/run fuzz/initialize.c fuzz/replay.c

include fuzz/base.mk
include fuzz/net.mk
include fuzz/mime.mk
include fuzz/event.mk
include fuzz/cred.mk
include fuzz/settings.mk
include fuzz/daemon.mk
include fuzz/db.mk
include fuzz/directory.mk
include fuzz/store.mk
include fuzz/auth.mk
include fuzz/admin.mk
include fuzz/smtp.mk
include fuzz/relayd.mk
include fuzz/imapd.mk
include fuzz/pop3d.mk

if FUZZERS
EXTRA_PROGRAMS = $(FUZZ_TARGETS)
CLEANFILES += $(FUZZ_TARGETS)
else
check_PROGRAMS += $(FUZZ_TARGETS)
endif
.PHONY: fuzzers
fuzzers: $(FUZZ_TARGETS)
