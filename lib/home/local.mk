noinst_LIBRARIES += lib/home/libyb_home.a
lib_home_libyb_home_a_SOURCES = lib/home/here.c lib/home/home.c lib/home/room.c lib/home/round.c lib/home/settle.c lib/home/home.h
