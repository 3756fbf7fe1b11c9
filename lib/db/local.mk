noinst_LIBRARIES += lib/db/libyb_db.a
lib_db_libyb_db_a_SOURCES =
