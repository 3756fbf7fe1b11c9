noinst_LIBRARIES += lib/directory/libyb_directory.a
lib_directory_libyb_directory_a_SOURCES = \
	lib/directory/cache.c lib/directory/cache.h \
	lib/directory/directory.c lib/directory/directory.h \
	lib/directory/inside.h \
	lib/directory/notice.c lib/directory/notice.h \
	lib/directory/operator.c \
	lib/directory/places.c lib/directory/places.h \
	lib/directory/resolve.c \
	lib/directory/step.c lib/directory/step.h \
	lib/directory/usage.c lib/directory/usage.h
