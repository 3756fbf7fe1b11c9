noinst_LIBRARIES += relayd/librelayd.a
relayd_librelayd_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
relayd_librelayd_a_SOURCES = \
	relayd/conf.c relayd/conf.h \
	relayd/control.c relayd/control.h \
	relayd/filter.c relayd/filter.h \
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

# The queue on disk.
relayd_librelayd_a_SOURCES += \
	relayd/apply.c relayd/apply.h \
	relayd/body.c relayd/body.h \
	relayd/check.c relayd/check.h \
	relayd/disk.c relayd/disk.h \
	relayd/known.c relayd/known.h \
	relayd/look_sql.c relayd/look_sql.h \
	relayd/open_sql.c relayd/open_sql.h \
	relayd/queue.c \
	relayd/queue_sql.c relayd/queue_sql.h \
	relayd/room.c relayd/room.h \
	relayd/scan_sql.c relayd/scan_sql.h \
	relayd/sql.c relayd/sql.h \
	relayd/writer.c relayd/writer.h

# Threads, and the way in and out.
relayd_librelayd_a_SOURCES += \
	relayd/changes.c relayd/changes.h \
	relayd/deliver.c relayd/deliver.h \
	relayd/intake.c relayd/intake.h \
	relayd/mail.c relayd/mail.h \
	relayd/run.c relayd/run.h \
	relayd/tell.c relayd/tell.h

sbin_PROGRAMS += relayd/yubin-relayd
relayd_yubin_relayd_SOURCES = relayd/main.c
relayd_yubin_relayd_LDADD = relayd/librelayd.a $(FLOOR3) $(FLOOR3_LIBS) $(SQLITE_LIBS)
