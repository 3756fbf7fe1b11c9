check_PROGRAMS += tests/unit/pop3d/test_stuff tests/unit/pop3d/test_session
tests_unit_pop3d_test_stuff_SOURCES = tests/unit/pop3d/test_stuff.c
tests_unit_pop3d_test_stuff_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_pop3d_test_stuff_LDADD = pop3d/libpop3d.a $(FLOOR0) $(CHECK_LIBS)
# fake.c stands for lib/net's connections and lib/store.
tests_unit_pop3d_test_session_SOURCES = tests/unit/pop3d/test_session.c \
	tests/unit/pop3d/fake.c tests/unit/pop3d/fake.h
tests_unit_pop3d_test_session_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_unit_pop3d_test_session_LDADD = pop3d/libpop3d.a lib/auth/libyb_auth.a $(FLOOR1) \
	$(SASL_LIBS) $(FLOOR1_LIBS) $(CHECK_LIBS)
