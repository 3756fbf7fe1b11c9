noinst_LIBRARIES += lib/settings/libyb_settings.a
lib_settings_libyb_settings_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
lib_settings_libyb_settings_a_SOURCES = \
	lib/settings/effective.c \
	lib/settings/registry.c lib/settings/registry.h \
	lib/settings/settings.def \
	lib/settings/settings.h \
	lib/settings/value.c
