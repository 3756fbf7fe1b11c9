noinst_LIBRARIES += lib/daemon/libyb_daemon.a
lib_daemon_libyb_daemon_a_SOURCES = \
	lib/daemon/certs.c lib/daemon/certs.h \
	lib/daemon/check.c lib/daemon/check.h \
	lib/daemon/child.c \
	lib/daemon/common_conf.c lib/daemon/common_conf.h \
	lib/daemon/condemned.c lib/daemon/condemned.h \
	lib/daemon/conf.c lib/daemon/conf.h \
	lib/daemon/conf_docs.c \
	lib/daemon/conf_errors.c \
	lib/daemon/conf_ini.c lib/daemon/conf_ini.h \
	lib/daemon/conf_source.c lib/daemon/conf_source.h \
	lib/daemon/conf_value.c lib/daemon/conf_value.h \
	lib/daemon/confine.c lib/daemon/confine.h \
	lib/daemon/control.c lib/daemon/control.h \
	lib/daemon/daemon.c lib/daemon/daemon.h \
	lib/daemon/events.c lib/daemon/events.h \
	lib/daemon/frame.c lib/daemon/frame.h \
	lib/daemon/heap.c lib/daemon/heap.h \
	lib/daemon/listen.c lib/daemon/listen.h \
	lib/daemon/metrics.c lib/daemon/metrics.h \
	lib/daemon/notes.c lib/daemon/notes.h \
	lib/daemon/parent.c \
	lib/daemon/privs.c lib/daemon/privs.h \
	lib/daemon/probe.c \
	lib/daemon/process.h \
	lib/daemon/roles.c lib/daemon/roles.h
