noinst_LIBRARIES += lib/mime/libyb_mime.a
lib_mime_libyb_mime_a_SOURCES = \
	lib/mime/address.c lib/mime/address.h \
	lib/mime/addresses.c lib/mime/addresses.h \
	lib/mime/charset.c lib/mime/charset.h \
	lib/mime/content.c lib/mime/content.h \
	lib/mime/convert.c lib/mime/convert.h \
	lib/mime/date.c lib/mime/date.h \
	lib/mime/envelope.c lib/mime/envelope.h \
	lib/mime/header.c lib/mime/header.h \
	lib/mime/japanese.c lib/mime/japanese.h \
	lib/mime/labels.c lib/mime/labels.h \
	lib/mime/raw.c lib/mime/raw.h \
	lib/mime/terms.c lib/mime/terms.h \
	lib/mime/transfer.c lib/mime/transfer.h \
	lib/mime/tree.c lib/mime/tree.h \
	lib/mime/words.c lib/mime/words.h
