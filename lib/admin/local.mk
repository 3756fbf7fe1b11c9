noinst_LIBRARIES += lib/admin/libyb_admin.a
lib_admin_libyb_admin_a_SOURCES =
