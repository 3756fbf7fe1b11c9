IMAPD_FUZZ_LIBS = imapd/libimapd.a lib/store/libyb_store.a lib/mime/libyb_mime.a $(FLOOR0) $(IDN2_LIBS) $(UNISTRING_LIBS)

FUZZ_TARGETS += fuzz/fuzz_imap_command
fuzz_fuzz_imap_command_SOURCES = fuzz/fuzz_imap_command.c $(FUZZ_MAIN)
fuzz_fuzz_imap_command_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_imap_command_LDADD   = $(IMAPD_FUZZ_LIBS)
EXTRA_DIST += fuzz/imap_command.dict fuzz/corpus/imap_command

FUZZ_TARGETS += fuzz/fuzz_imap_utf7
fuzz_fuzz_imap_utf7_SOURCES = fuzz/fuzz_imap_utf7.c $(FUZZ_MAIN)
fuzz_fuzz_imap_utf7_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_imap_utf7_LDADD   = $(IMAPD_FUZZ_LIBS)
EXTRA_DIST += fuzz/corpus/imap_utf7

FUZZ_TARGETS += fuzz/fuzz_imap_set
fuzz_fuzz_imap_set_SOURCES = fuzz/fuzz_imap_set.c $(FUZZ_MAIN)
fuzz_fuzz_imap_set_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_imap_set_LDADD   = $(IMAPD_FUZZ_LIBS)
EXTRA_DIST += fuzz/corpus/imap_set

FUZZ_TARGETS += fuzz/fuzz_imap_parsed
fuzz_fuzz_imap_parsed_SOURCES = fuzz/fuzz_imap_parsed.c $(FUZZ_MAIN)
fuzz_fuzz_imap_parsed_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_imap_parsed_LDADD   = $(IMAPD_FUZZ_LIBS)
EXTRA_DIST += fuzz/imap_parsed.dict fuzz/corpus/imap_parsed

FUZZ_TARGETS += fuzz/fuzz_imap_session
fuzz_fuzz_imap_session_SOURCES = fuzz/fuzz_imap_session.c $(FUZZ_MAIN)
fuzz_fuzz_imap_session_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_imap_session_LDADD   = $(IMAPD_RIG_LIBS)
EXTRA_DIST += fuzz/imap_session.dict fuzz/imap_session.options fuzz/corpus/imap_session
