noinst_LIBRARIES += smtpd/libsmtpd.a
smtpd_libsmtpd_a_SOURCES = \
	smtpd/conf.c smtpd/conf.h \
	smtpd/data.c \
	smtpd/limits.c smtpd/limits.h \
	smtpd/rcpt.c smtpd/smtpd.h

sbin_PROGRAMS += smtpd/yubin-smtpd
smtpd_yubin_smtpd_SOURCES = smtpd/main.c
smtpd_yubin_smtpd_LDADD = smtpd/libsmtpd.a lib/receive/libyb_receive.a $(FLOOR3) $(FLOOR3_LIBS)
