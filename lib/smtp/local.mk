noinst_LIBRARIES += lib/smtp/libyb_smtp.a
lib_smtp_libyb_smtp_a_SOURCES = \
	lib/smtp/client.c lib/smtp/client.h \
	lib/smtp/cmd.h lib/smtp/cmd_auth.c lib/smtp/cmd_data.c lib/smtp/cmd_mail.c lib/smtp/cmd_session.c \
	lib/smtp/dispatch.c lib/smtp/dispatch.h \
	lib/smtp/events.c lib/smtp/events.h \
	lib/smtp/figures.c lib/smtp/figures.h \
	lib/smtp/link.c lib/smtp/link.h \
	lib/smtp/msgbuf.c lib/smtp/msgbuf.h \
	lib/smtp/params.c lib/smtp/params.h \
	lib/smtp/peers.c lib/smtp/peers.h \
	lib/smtp/relaycheck.c lib/smtp/relaycheck.h \
	lib/smtp/reply.c lib/smtp/reply.h \
	lib/smtp/say.c lib/smtp/say.h \
	lib/smtp/server.c lib/smtp/server.h \
	lib/smtp/service.c \
	lib/smtp/session.c lib/smtp/session.h \
	lib/smtp/trace.c lib/smtp/trace.h \
	lib/smtp/xparam.c lib/smtp/xparam.h
