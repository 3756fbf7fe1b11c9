noinst_LIBRARIES += pop3d/libpop3d.a
pop3d_libpop3d_a_SOURCES = \
	pop3d/cmd.h pop3d/cmd_login.c pop3d/cmd_transaction.c \
	pop3d/conf.c pop3d/conf.h \
	pop3d/dispatch.c pop3d/dispatch.h \
	pop3d/maildrop.c pop3d/maildrop.h \
	pop3d/reply.c pop3d/reply.h \
	pop3d/service.c pop3d/service.h \
	pop3d/session.h \
	pop3d/sizes.c pop3d/sizes.h \
	pop3d/stuff.c pop3d/stuff.h

sbin_PROGRAMS += pop3d/yubin-pop3d
pop3d_yubin_pop3d_SOURCES = pop3d/main.c
pop3d_yubin_pop3d_LDADD = pop3d/libpop3d.a lib/auth/libyb_auth.a lib/home/libyb_home.a $(FLOOR3) $(FLOOR4_LIBS)
