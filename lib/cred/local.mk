noinst_LIBRARIES += lib/cred/libyb_cred.a
lib_cred_libyb_cred_a_SOURCES = \
	lib/cred/app.c \
	lib/cred/cred.c lib/cred/cred.h \
	lib/cred/prepare.c \
	lib/cred/scram.c lib/cred/scram.h
