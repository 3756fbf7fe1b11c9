noinst_LIBRARIES += lib/smtp/libyb_smtp.a
lib_smtp_libyb_smtp_a_SOURCES = \
	lib/smtp/client.c lib/smtp/client.h \
	lib/smtp/commands.c \
	lib/smtp/data.c \
	lib/smtp/events.c \
	lib/smtp/figures.c lib/smtp/figures.h \
	lib/smtp/link.c lib/smtp/link.h \
	lib/smtp/msgbuf.c lib/smtp/msgbuf.h \
	lib/smtp/params.c lib/smtp/params.h \
	lib/smtp/relaycheck.c lib/smtp/relaycheck.h \
	lib/smtp/reply.c lib/smtp/reply.h \
	lib/smtp/server.c lib/smtp/server.h lib/smtp/session.h \
	lib/smtp/trace.c lib/smtp/trace.h \
	lib/smtp/xparam.c lib/smtp/xparam.h
