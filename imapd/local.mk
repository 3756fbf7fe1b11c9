noinst_LIBRARIES += imapd/libimapd.a
imapd_libimapd_a_SOURCES = \
	imapd/answer.c imapd/answer.h \
	imapd/cmd.h \
	imapd/cmd_append.c \
	imapd/cmd_auth.c \
	imapd/cmd_copy.c \
	imapd/cmd_fetch.c \
	imapd/cmd_folders.c \
	imapd/cmd_list.c \
	imapd/cmd_quota.c \
	imapd/cmd_search.c \
	imapd/cmd_select.c \
	imapd/cmd_store.c \
	imapd/conf.c imapd/conf.h \
	imapd/dispatch.c imapd/dispatch.h \
	imapd/fields.c imapd/fields.h \
	imapd/fromindex.c imapd/fromindex.h \
	imapd/input.c imapd/input.h \
	imapd/lex.c imapd/lex.h \
	imapd/match.c imapd/match.h \
	imapd/message.c imapd/message.h \
	imapd/parse.c imapd/parse.h imapd/parse_fetch.c imapd/parse_search.c \
	imapd/parsed.c imapd/parsed.h \
	imapd/probe.c \
	imapd/push.c imapd/push.h \
	imapd/reply.c imapd/reply.h \
	imapd/seek.c imapd/seek.h \
	imapd/service.c imapd/service.h \
	imapd/session.c imapd/session.h \
	imapd/set.c imapd/set.h \
	imapd/structure.c imapd/structure.h \
	imapd/suspect.c imapd/suspect.h \
	imapd/sync.c imapd/sync.h \
	imapd/text.c imapd/text.h \
	imapd/utf7.c imapd/utf7.h \
	imapd/zones.c imapd/zones.h

sbin_PROGRAMS += imapd/yubin-imapd
imapd_yubin_imapd_SOURCES = imapd/main.c
imapd_yubin_imapd_LDADD = imapd/libimapd.a lib/auth/libyb_auth.a lib/home/libyb_home.a $(FLOOR3) $(FLOOR4_LIBS)
