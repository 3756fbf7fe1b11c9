noinst_LIBRARIES += lib/smtp/libyb_smtp.a
lib_smtp_libyb_smtp_a_SOURCES = \
	lib/smtp/msgbuf.c lib/smtp/msgbuf.h \
	lib/smtp/reply.c lib/smtp/reply.h \
	lib/smtp/xparam.c lib/smtp/xparam.h
