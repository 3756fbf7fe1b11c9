/*
 * How a command is answered: tagged OK, NO and BAD (RFC 3501 §7.1). Errors become response codes
 * (RFC 3501, RFC 5530) by one table here, and nowhere else.
 */
#ifndef IMAPD_REPLY_H
#define IMAPD_REPLY_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

struct imapd_cmd;

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
