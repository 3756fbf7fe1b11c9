check_PROGRAMS += tests/unit/lmtpd/test_deliver
tests_unit_lmtpd_test_deliver_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_lmtpd_test_deliver_LDADD = lmtpd/liblmtpd.a lib/store/libyb_store.a $(SMTP_TEST_LIBS)
