noinst_LIBRARIES += submitd/libsubmitd.a
submitd_libsubmitd_a_SOURCES = \
	submitd/auth.c \
	submitd/conf.c submitd/conf.h \
	submitd/data.c \
	submitd/sender.c submitd/submitd.h

sbin_PROGRAMS += submitd/yubin-submitd
submitd_yubin_submitd_SOURCES = submitd/main.c
submitd_yubin_submitd_LDADD = submitd/libsubmitd.a lib/auth/libyb_auth.a lib/receive/libyb_receive.a \
	$(FLOOR3) $(SASL_LIBS) $(FLOOR3_LIBS)
