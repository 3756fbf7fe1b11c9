noinst_LIBRARIES += relayd/librelayd.a
relayd_librelayd_a_SOURCES = \
	relayd/conf.c relayd/conf.h \
	relayd/queue.h

# What waits, whose turn it is, and what follows: the scheduler, pure.
relayd_librelayd_a_SOURCES += \
	relayd/fate.c \
	relayd/heap.c relayd/heap.h \
	relayd/look.c \
	relayd/plan.c relayd/plan.h \
	relayd/rows.c relayd/rows.h \
	relayd/sched.c relayd/sched.h \
	relayd/turns.c relayd/turns.h
