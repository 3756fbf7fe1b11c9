noinst_LIBRARIES += lib/base/libyb_base.a
lib_base_libyb_base_a_SOURCES = \
	lib/base/arena.c lib/base/arena.h \
	lib/base/base.c lib/base/base.h \
	lib/base/budget.c lib/base/budget.h \
	lib/base/buf.c lib/base/buf.h \
	lib/base/clock.c lib/base/clock.h \
	lib/base/err.c lib/base/err.h \
	lib/base/fault.c lib/base/fault.h \
	lib/base/id.c lib/base/id.h \
	lib/base/io.c lib/base/io.h \
	lib/base/log.c lib/base/log.h \
	lib/base/logfmt.c lib/base/logfmt.h \
	lib/base/map.c lib/base/map.h \
	lib/base/str.c lib/base/str.h \
	lib/base/zone.c lib/base/zone.h
