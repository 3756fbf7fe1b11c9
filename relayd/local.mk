noinst_LIBRARIES += relayd/librelayd.a
relayd_librelayd_a_SOURCES = \
	relayd/conf.c relayd/conf.h \
	relayd/queue.h \
	relayd/run.h \
	relayd/sched.h
