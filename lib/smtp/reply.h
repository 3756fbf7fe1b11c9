/*
 * SMTP and LMTP replies: three digits, an enhanced status code of the same class (RFC 2034,
 * RFC 3463) and a text without meaning. Pure functions; the session writes what they make.
 */
#ifndef YB_SMTP_REPLY_H
#define YB_SMTP_REPLY_H

#include "lib/base/err.h"
#include "lib/base/str.h"

/* Longest reply line with its CRLF (RFC 5321 §4.5.3.1.5). */
#define YB_SMTP_REPLY_LINE 512

/* One reply as it was read from a server: the text of its last line. */
struct yb_smtp_reply {
    int code;        /* 200-599 */
    char status[10]; /* "2.1.5"; made from the code where the server sent none */
    char text[200];  /* without the codes; controls replaced */
};

/*
 * "250 2.1.0 text" CRLF into `out`, cut to the limit of a line; `more` makes it "250-". Returns the
 * number of bytes. The class of `status` must be that of `code`, or it is NULL: no enhanced code
 * (220 greeting, 354, the EHLO lines; RFC 2034 §4).
 */
size_t yb_smtp_reply_format(char out[YB_SMTP_REPLY_LINE], int code, bool more, const char *status,
                            struct yb_str text);
/*
 * The reply code that an error is answered with; `status` becomes its enhanced code with the class
 * put right: a YB_TEMP error is 4xx whatever its status says, YB_BUG too.
 */
int yb_smtp_reply_code(const struct yb_err *err, char status[10]);
/* The same for a failed AUTH, whose codes are its own. */
int yb_smtp_reply_auth_code(const struct yb_err *err, char status[10]);

enum yb_smtp_reply_part { YB_REPLY_LAST, YB_REPLY_MORE, YB_REPLY_BAD };
/*
 * Reads one line of a server's reply into *r. `first` is true for the first line of a reply; the
 * lines of one reply must carry the same code (RFC 5321 §4.2.1).
 */
enum yb_smtp_reply_part yb_smtp_reply_line(struct yb_str line, bool first, struct yb_smtp_reply *r);
/* A negative reply as an error: 4xx is YB_TEMP, 5xx YB_PERM, its kind what the enhanced status
 * says of recipient, mailbox and content; anything else is YB_TEMP 4.5.0. */
int yb_smtp_reply_to_err(const struct yb_smtp_reply *r, struct yb_err *err);

#endif
