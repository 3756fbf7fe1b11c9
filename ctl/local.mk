noinst_LIBRARIES += ctl/libctl.a
ctl_libctl_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) -DYB_VERSION='"$(PACKAGE_VERSION)"'
ctl_libctl_a_SOURCES = \
	ctl/account.c \
	ctl/alias.c \
	ctl/arguments.c \
	ctl/audit.c \
	ctl/config.c \
	ctl/ctl.c ctl/ctl.h \
	ctl/event.c \
	ctl/list.c \
	ctl/node.c \
	ctl/print.c \
	ctl/queue.c \
	ctl/relay.c \
	ctl/session.c \
	ctl/setting.c \
	ctl/store.c \
	ctl/tenant.c
# The option tables of all programs, for yubin config.
CTL_TABLES = smtpd/conf.c submitd/conf.c relayd/conf.c lmtpd/conf.c imapd/conf.c pop3d/conf.c

bin_PROGRAMS += ctl/yubin
ctl_yubin_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
ctl_yubin_SOURCES = ctl/main.c $(CTL_TABLES)
ctl_yubin_LDADD = ctl/libctl.a $(FLOOR4) $(FLOOR4_LIBS)
