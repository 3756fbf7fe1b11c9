noinst_LIBRARIES += lib/receive/libyb_receive.a
lib_receive_libyb_receive_a_SOURCES = \
	lib/receive/envelope.c lib/receive/envelope.h \
	lib/receive/fate.c lib/receive/handover.c lib/receive/handover.h \
	lib/receive/head.c lib/receive/parcel.h \
	lib/receive/receiver.c lib/receive/receiver.h \
	lib/receive/refused.c lib/receive/refused.h \
	lib/receive/rest.c \
	lib/receive/room.c lib/receive/room.h
