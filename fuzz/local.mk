# A fuzz target is fuzz/fuzz_<what>.c with seeds in fuzz/corpus/<what>/. Built by clang with
# --enable-fuzzers it is a libFuzzer program; otherwise fuzz/replay.c runs it over its seeds in `make check`.
include fuzz/base.mk
include fuzz/net.mk
include fuzz/mime.mk
include fuzz/event.mk
include fuzz/cred.mk
include fuzz/daemon.mk
include fuzz/db.mk
include fuzz/directory.mk
include fuzz/store.mk
include fuzz/auth.mk
include fuzz/admin.mk
include fuzz/smtp.mk
include fuzz/imapd.mk
include fuzz/pop3d.mk
