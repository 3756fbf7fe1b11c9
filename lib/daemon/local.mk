noinst_LIBRARIES += lib/daemon/libyb_daemon.a
lib_daemon_libyb_daemon_a_SOURCES =
