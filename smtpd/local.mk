noinst_LIBRARIES += smtpd/libsmtpd.a
smtpd_libsmtpd_a_SOURCES = \
	smtpd/conf.c smtpd/conf.h \
	smtpd/data.c \
	smtpd/limits.c smtpd/limits.h \
	smtpd/rcpt.c smtpd/smtpd.h
