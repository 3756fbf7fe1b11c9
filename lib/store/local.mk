noinst_LIBRARIES += lib/store/libyb_store.a
lib_store_libyb_store_a_SOURCES =
