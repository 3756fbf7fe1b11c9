noinst_LIBRARIES += lib/directory/libyb_directory.a
lib_directory_libyb_directory_a_SOURCES =
