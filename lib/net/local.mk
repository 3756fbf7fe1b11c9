noinst_LIBRARIES += lib/net/libyb_net.a
lib_net_libyb_net_a_SOURCES = \
	lib/net/accept.c \
	lib/net/addr.c lib/net/addr.h \
	lib/net/conn.c lib/net/conn.h \
	lib/net/engine.h \
	lib/net/fair.c lib/net/fair.h \
	lib/net/file.c lib/net/file.h \
	lib/net/gate.c lib/net/gate.h \
	lib/net/input.c lib/net/input.h \
	lib/net/loop.c \
	lib/net/net.c lib/net/net.h \
	lib/net/out.c lib/net/out.h \
	lib/net/peer.c \
	lib/net/pool.c lib/net/pool.h \
	lib/net/proxy.c lib/net/proxy.h \
	lib/net/run.c \
	lib/net/shared.c \
	lib/net/slot.c \
	lib/net/sock.c lib/net/sock.h \
	lib/net/stream.c \
	lib/net/timer.c lib/net/timer.h \
	lib/net/tls.c lib/net/tls.h \
	lib/net/wait.c
lib_net_libyb_net_a_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS)
