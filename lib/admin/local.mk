noinst_LIBRARIES += lib/admin/libyb_admin.a
lib_admin_libyb_admin_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
lib_admin_libyb_admin_a_SOURCES = \
	lib/admin/account_sql.c lib/admin/admin.h \
	lib/admin/alias_sql.c \
	lib/admin/ask.c \
	lib/admin/audit_sql.c \
	lib/admin/domain_sql.c \
	lib/admin/fields.c \
	lib/admin/import.h lib/admin/import_lines.c \
	lib/admin/import_sql.c \
	lib/admin/list.c lib/admin/list.h \
	lib/admin/list_sql.c \
	lib/admin/look_sql.c \
	lib/admin/node_sql.c \
	lib/admin/problem.c \
	lib/admin/refuse.c \
	lib/admin/setting_sql.c \
	lib/admin/store_sql.c \
	lib/admin/subject.c \
	lib/admin/tenant_sql.c \
	lib/admin/tx.c lib/admin/verb.h \
	lib/admin/words.h lib/admin/words_sql.c
