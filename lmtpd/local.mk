noinst_LIBRARIES += lmtpd/liblmtpd.a
lmtpd_liblmtpd_a_SOURCES = lmtpd/conf.c lmtpd/conf.h lmtpd/deliver.c lmtpd/deliver.h
