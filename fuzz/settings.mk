FUZZ_TARGETS += fuzz/fuzz_setting
fuzz_fuzz_setting_SOURCES = fuzz/fuzz_setting.c $(FUZZ_MAIN)
fuzz_fuzz_setting_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
fuzz_fuzz_setting_LDFLAGS = $(FUZZ_LINK)
fuzz_fuzz_setting_LDADD = lib/settings/libyb_settings.a $(FLOOR0) $(FLOOR1_LIBS)
EXTRA_DIST += fuzz/setting.dict fuzz/corpus/setting
