noinst_LIBRARIES += submitd/libsubmitd.a
submitd_libsubmitd_a_SOURCES = \
	submitd/auth.c \
	submitd/conf.c submitd/conf.h \
	submitd/data.c \
	submitd/sender.c submitd/submitd.h
