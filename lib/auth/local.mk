noinst_LIBRARIES += lib/auth/libyb_auth.a
lib_auth_libyb_auth_a_SOURCES =
