noinst_LIBRARIES += lib/store/libyb_store.a
lib_store_libyb_store_a_SOURCES = \
	lib/store/store.h lib/store/private.h lib/store/sum.h \
	lib/store/sys.h lib/store/sys.c \
	lib/store/name.h lib/store/name.c \
	lib/store/foldername.h lib/store/foldername.c \
	lib/store/uidfile.h lib/store/uidfile.c \
	lib/store/lockfile.h lib/store/lockfile.c \
	lib/store/index.h lib/store/index.c \
	lib/store/scan.h lib/store/scan.c \
	lib/store/table.h lib/store/table.c \
	lib/store/root.c lib/store/account.c lib/store/lock.c lib/store/mailbox.c \
	lib/store/put.c lib/store/flags.c lib/store/copy.c lib/store/folder.c lib/store/check.c lib/store/expunge.c lib/store/view.c lib/store/rebuild.c \
	lib/store/keywords.c lib/store/cache.c lib/store/notify.c lib/store/tidy.c
