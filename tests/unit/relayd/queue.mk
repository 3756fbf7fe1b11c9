QUEUE_TEST_LIBS = relayd/librelayd.a lib/store/libyb_store.a lib/smtp/libyb_smtp.a $(FLOOR1) $(FLOOR1_LIBS) \
	$(SQLITE_LIBS) $(CHECK_LIBS)
QUEUE_TEST_HELP = tests/unit/relayd/qhelp.h tests/unit/relayd/qhelp.c

check_PROGRAMS += tests/unit/relayd/test_queue
tests_unit_relayd_test_queue_SOURCES  = tests/unit/relayd/test_queue.c $(QUEUE_TEST_HELP)
tests_unit_relayd_test_queue_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_relayd_test_queue_LDADD    = $(QUEUE_TEST_LIBS)

check_PROGRAMS += tests/unit/relayd/test_queue_trouble
tests_unit_relayd_test_queue_trouble_SOURCES  = tests/unit/relayd/test_queue_trouble.c \
	tests/unit/relayd/qdisk.h tests/unit/relayd/qdisk.c $(QUEUE_TEST_HELP)
tests_unit_relayd_test_queue_trouble_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_relayd_test_queue_trouble_LDADD    = $(QUEUE_TEST_LIBS)

check_PROGRAMS += tests/unit/relayd/test_known
tests_unit_relayd_test_known_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_relayd_test_known_LDADD    = $(QUEUE_TEST_LIBS)
