FUZZ_TARGETS += fuzz/fuzz_address
fuzz_fuzz_address_SOURCES = fuzz/fuzz_address.c $(FUZZ_MAIN)
fuzz_fuzz_address_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_address_LDADD   = $(MIME_LIBS)
EXTRA_DIST += fuzz/address.dict fuzz/corpus/address

FUZZ_TARGETS += fuzz/fuzz_addresses
fuzz_fuzz_addresses_SOURCES = fuzz/fuzz_addresses.c $(FUZZ_MAIN)
fuzz_fuzz_addresses_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_addresses_LDADD   = $(MIME_LIBS)
EXTRA_DIST += fuzz/addresses.dict fuzz/corpus/addresses

FUZZ_TARGETS += fuzz/fuzz_charset
fuzz_fuzz_charset_SOURCES = fuzz/fuzz_charset.c $(FUZZ_MAIN)
fuzz_fuzz_charset_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_charset_LDADD   = $(MIME_LIBS)
EXTRA_DIST += fuzz/charset.dict fuzz/corpus/charset

FUZZ_TARGETS += fuzz/fuzz_date
fuzz_fuzz_date_SOURCES = fuzz/fuzz_date.c $(FUZZ_MAIN)
fuzz_fuzz_date_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_date_LDADD   = $(MIME_LIBS)
EXTRA_DIST += fuzz/date.dict fuzz/corpus/date

FUZZ_TARGETS += fuzz/fuzz_terms
fuzz_fuzz_terms_SOURCES = fuzz/fuzz_terms.c $(FUZZ_MAIN)
fuzz_fuzz_terms_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_terms_LDADD   = $(MIME_LIBS)
EXTRA_DIST += fuzz/terms.dict fuzz/corpus/terms

FUZZ_TARGETS += fuzz/fuzz_transfer
fuzz_fuzz_transfer_SOURCES = fuzz/fuzz_transfer.c $(FUZZ_MAIN)
fuzz_fuzz_transfer_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_transfer_LDADD   = $(MIME_LIBS)
EXTRA_DIST += fuzz/transfer.dict fuzz/corpus/transfer

FUZZ_TARGETS += fuzz/fuzz_tree
fuzz_fuzz_tree_SOURCES = fuzz/fuzz_tree.c $(FUZZ_MAIN)
fuzz_fuzz_tree_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_tree_LDADD   = $(MIME_LIBS)
EXTRA_DIST += fuzz/tree.dict fuzz/corpus/tree

FUZZ_TARGETS += fuzz/fuzz_words
fuzz_fuzz_words_SOURCES = fuzz/fuzz_words.c $(FUZZ_MAIN)
fuzz_fuzz_words_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_words_LDADD   = $(MIME_LIBS)
EXTRA_DIST += fuzz/words.dict fuzz/corpus/words
