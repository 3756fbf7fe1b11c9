noinst_LIBRARIES += lib/net/libyb_net.a
lib_net_libyb_net_a_SOURCES =
