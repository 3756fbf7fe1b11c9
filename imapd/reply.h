/*
 * How a command is answered: tagged OK, NO and BAD (RFC 3501 §7.1), and what it wrote is sent.
 * Errors become response codes (RFC 3501, RFC 5530) by one table here, and nowhere else.
 */
#ifndef IMAPD_REPLY_H
#define IMAPD_REPLY_H

#include "imapd/session.h"

/* A command that is made for an occasion: woken in IDLE, the end of APPEND. */
void imapd_cmd_begin(struct imapd_cmd *c, struct yb_conn *conn, struct yb_str tag);
/* Where a later call for the same command begins to write: c->out. */
void imapd_out_begin(struct imapd_cmd *c);
/* Sends what the call wrote; a session that is closing closes behind it. */
void imapd_cmd_flush(struct imapd_cmd *c);
/* Says BYE with this text and closes. */
void imapd_bye(struct yb_conn *conn, struct imapd_session *s, struct yb_str text);

/* `tag NO [CODE] text`, or `tag BAD text` where what the client said was wrong. */
void imapd_put_err(struct yb_buf *b, struct yb_str tag, const struct yb_err *err);

/* Tells what is new in the selected mailbox (where the command allows it), then `tag OK text`. The
 * text may begin with a response code. */
void imapd_ok(struct imapd_cmd *c, struct yb_str text);
/* The same with an error, by imapd_put_err(). */
void imapd_no(struct imapd_cmd *c, const struct yb_err *err);
/* `tag BAD text`, counted; `* BAD text` without a tag. */
void imapd_bad(struct imapd_cmd *c, struct yb_str text);
/* What a command came to: as imapd_bad() when the client's words were wrong, else as imapd_no(). */
void imapd_refuse(struct imapd_cmd *c, const struct yb_err *err);
/* What an argument parser said, as an error for the handler to return. */
int imapd_wrong(struct imapd_cmd *c, struct yb_err *err) YB_MUST_USE;

#endif
