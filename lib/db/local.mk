noinst_LIBRARIES += lib/db/libyb_db.a
lib_db_libyb_db_a_CPPFLAGS = $(AM_CPPFLAGS) $(LIBPQ_CFLAGS) $(OPENSSL_CFLAGS)
lib_db_libyb_db_a_SOURCES = \
	lib/db/conn.h \
	lib/db/connect.c lib/db/connect.h \
	lib/db/db.c lib/db/db.h \
	lib/db/keys.c \
	lib/db/listen.c lib/db/listen.h \
	lib/db/migrate.c lib/db/migrate.h \
	lib/db/params.c \
	lib/db/pool.c \
	lib/db/prepared.c lib/db/prepared.h \
	lib/db/result.c lib/db/result.h
