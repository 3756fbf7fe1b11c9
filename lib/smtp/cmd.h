/*
 * Inside the server engine: the commands, as the rows of dispatch.c name them, and what goes on
 * with one after its line.
 */
#ifndef YB_SMTP_CMD_H
#define YB_SMTP_CMD_H

#include "lib/smtp/session.h"

/* 0: it has replied. -1: *err is the reply. */
int smtp_cmd_ehlo(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
int smtp_cmd_helo(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
int smtp_cmd_starttls(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
int smtp_cmd_auth(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
int smtp_cmd_mail(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
int smtp_cmd_rcpt(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
int smtp_cmd_data(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
int smtp_cmd_bdat(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
int smtp_cmd_rset(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
int smtp_cmd_noop(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
int smtp_cmd_vrfy(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
int smtp_cmd_expn(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
int smtp_cmd_help(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
int smtp_cmd_quit(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);

/* A line of an AUTH exchange. */
void smtp_auth_line(struct yb_smtp_session *s, struct yb_str line, unsigned flags);
/* Octets that follow DATA or BDAT. */
void smtp_data_block(struct yb_smtp_session *s, struct yb_str block, bool last, unsigned flags);

#endif
