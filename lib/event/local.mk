noinst_LIBRARIES += lib/event/libyb_event.a
lib_event_libyb_event_a_SOURCES = \
	lib/event/event.h \
	lib/event/line.c \
	lib/event/reader.c \
	lib/event/segment.c lib/event/segment.h \
	lib/event/writer.c
