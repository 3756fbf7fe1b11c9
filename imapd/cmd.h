/*
 * The commands, as the rows of dispatch.c name them, one file a family, and what goes on with one
 * after its line. Each reads its arguments from c->lex; it answers with imapd_ok() and returns 0,
 * or sets c->step and returns 0, or returns -1 with *err.
 */
#ifndef IMAPD_CMD_H
#define IMAPD_CMD_H

#include "imapd/parse.h"
#include "imapd/session.h"

/* cmd_auth.c */
/* Writes the capabilities of now, without line end: "CAPABILITY IMAP4rev1 …". */
void imapd_put_capability(struct imapd_cmd *c);
int imapd_cmd_capability(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_noop(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_logout(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_starttls(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_authenticate(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_login(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_id(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_enable(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
/* A line of an exchange that AUTHENTICATE began. */
void imapd_auth_line(struct yb_conn *conn, struct imapd_session *s, struct yb_str line);

/* cmd_folders.c */
int imapd_cmd_namespace(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_create(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_delete(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_rename(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_subscribe(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_unsubscribe(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_status(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
/* "* STATUS name (…)" of a mailbox, for LIST as well. */
int imapd_put_status(struct imapd_cmd *c, struct yb_str mailbox, unsigned items,
                     struct yb_err *err) YB_MUST_USE;

/* cmd_list.c */
int imapd_cmd_list(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_lsub(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;

/* cmd_select.c */
int imapd_cmd_select(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_examine(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_check(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_close(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_unselect(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_idle(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
/* The line that ends IDLE, and a notice while it lasts. */
void imapd_idle_line(struct yb_conn *conn, struct imapd_session *s, struct yb_str line);
void imapd_idle_woken(struct yb_conn *conn, struct imapd_session *s);

/* cmd_append.c: the only command whose literal is streamed. */
struct imapd_incoming;
/* An APPEND that came whole, which it never should: its message is missing. */
int imapd_cmd_append(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
/* After the literal's head: *size bytes follow. NULL with *err when the message is not wanted. */
struct imapd_incoming *imapd_append_begin(struct imapd_session *s, struct yb_str tag,
                                          const struct imapd_append *args, struct yb_err *err);
/* Takes a block; an error is kept for the answer. */
void imapd_append_data(struct imapd_incoming *in, struct yb_str block, unsigned flags);
/* The command is over (`rest`: what followed the literal on its line): answers. Frees *in. */
void imapd_append_end(struct yb_conn *conn, struct imapd_incoming **in, struct yb_str rest);
void imapd_append_abort(struct imapd_incoming **in);

/* cmd_fetch.c, cmd_store.c, cmd_search.c, cmd_copy.c, cmd_quota.c */
int imapd_cmd_fetch(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_store(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_search(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_copy(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_move(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_expunge(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_uid_expunge(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_getquota(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_getquotaroot(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;
int imapd_cmd_setquota(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;

#endif
