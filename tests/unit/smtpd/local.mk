check_PROGRAMS += tests/unit/smtpd/test_rcpt
tests_unit_smtpd_test_rcpt_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_smtpd_test_rcpt_LDADD = smtpd/libsmtpd.a $(RECEIVE_TEST_LIBS)
