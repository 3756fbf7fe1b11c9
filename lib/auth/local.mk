noinst_LIBRARIES += lib/auth/libyb_auth.a
lib_auth_libyb_auth_a_CPPFLAGS = $(AM_CPPFLAGS) $(SASL_CFLAGS)
lib_auth_libyb_auth_a_SOURCES = \
	lib/auth/attempt.c lib/auth/attempt.h \
	lib/auth/auth.c lib/auth/auth.h \
	lib/auth/cache.c lib/auth/cache.h \
	lib/auth/limit.c lib/auth/limit.h \
	lib/auth/online.c lib/auth/online.h \
	lib/auth/sasl.c lib/auth/sasl.h \
	lib/auth/session.c \
	lib/auth/source.c lib/auth/source.h \
	lib/auth/still.c
