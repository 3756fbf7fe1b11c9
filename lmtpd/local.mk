noinst_LIBRARIES += lmtpd/liblmtpd.a
lmtpd_liblmtpd_a_SOURCES = lmtpd/conf.c lmtpd/conf.h lmtpd/deliver.c lmtpd/deliver.h

sbin_PROGRAMS += lmtpd/yubin-lmtpd
lmtpd_yubin_lmtpd_SOURCES = lmtpd/main.c
lmtpd_yubin_lmtpd_LDADD = lmtpd/liblmtpd.a lib/home/libyb_home.a $(FLOOR3) $(FLOOR3_LIBS)
