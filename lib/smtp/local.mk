noinst_LIBRARIES += lib/smtp/libyb_smtp.a
lib_smtp_libyb_smtp_a_SOURCES =
