noinst_LIBRARIES += lib/store/libyb_store.a
# From below: formats, handles, truth, deeds, life (tools/floors).
lib_store_libyb_store_a_SOURCES = \
	lib/store/store.h lib/store/sum.h lib/store/sum.c \
	lib/store/sys.h lib/store/sys.c \
	lib/store/name.h lib/store/name.c \
	lib/store/foldername.h lib/store/foldername.c \
	lib/store/uidfile.h lib/store/uidfile.c \
	lib/store/lockfile.h lib/store/lockfile.c \
	lib/store/index.h lib/store/index.c \
	lib/store/scan.h lib/store/scan.c \
	lib/store/keywordtable.h lib/store/keywordtable.c lib/store/keywordfile.h lib/store/keywordfile.c \
	lib/store/form.h lib/store/form.c \
	lib/store/handles.h \
	lib/store/root.c lib/store/room.c lib/store/folders.c lib/store/place.c lib/store/rename.c \
	lib/store/account.c lib/store/usage.c lib/store/queue.c lib/store/mailbox.c lib/store/head.c \
	lib/store/table.h lib/store/table.c \
	lib/store/cache.h lib/store/cache.c \
	lib/store/notify.h lib/store/notify.c \
	lib/store/dirty.h lib/store/dirty.c \
	lib/store/truth.h \
	lib/store/lock.c lib/store/state.c lib/store/repair.c lib/store/trash.c lib/store/identity.c lib/store/enter.c lib/store/open.c \
	lib/store/merge.h lib/store/merge.c lib/store/rebuild.c \
	lib/store/deeds.h \
	lib/store/put.c lib/store/flags.c lib/store/copy.c lib/store/expunge.c lib/store/view.c \
	lib/store/recent.c lib/store/remember.c lib/store/memo.c lib/store/first.h lib/store/first.c \
	lib/store/keywords.c lib/store/folder.c lib/store/subscribe.c \
	lib/store/life.h \
	lib/store/start.c lib/store/listen.c lib/store/watch.c lib/store/tidy.c lib/store/check.c lib/store/list.c lib/store/remove.c lib/store/round.c
