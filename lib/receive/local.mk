noinst_LIBRARIES += lib/receive/libyb_receive.a
lib_receive_libyb_receive_a_SOURCES = \
	lib/receive/handover.c lib/receive/handover.h \
	lib/receive/noroom.c lib/receive/noroom.h \
	lib/receive/receiver.c lib/receive/receiver.h
