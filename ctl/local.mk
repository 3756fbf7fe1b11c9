bin_PROGRAMS += ctl/yubin
ctl_yubin_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) -DYB_VERSION='"$(PACKAGE_VERSION)"'
ctl_yubin_SOURCES = \
	ctl/account.c ctl/alias.c ctl/config.c ctl/ctl.c ctl/ctl.h ctl/event.c ctl/main.c ctl/node.c ctl/print.c \
	ctl/tenant.c \
	smtpd/conf.c submitd/conf.c lmtpd/conf.c imapd/conf.c pop3d/conf.c
ctl_yubin_LDADD = $(FLOOR4) $(FLOOR4_LIBS)
