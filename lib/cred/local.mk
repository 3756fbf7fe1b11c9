noinst_LIBRARIES += lib/cred/libyb_cred.a
lib_cred_libyb_cred_a_SOURCES =
