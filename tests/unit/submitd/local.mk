check_PROGRAMS += tests/unit/submitd/test_submit
tests_unit_submitd_test_submit_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_submitd_test_submit_LDADD = submitd/libsubmitd.a lib/auth/libyb_auth.a $(RECEIVE_TEST_LIBS)
