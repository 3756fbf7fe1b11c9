/*
 * struct yb_err: why something failed, in the form every protocol can answer from. Set once where
 * it happens, logged once where it is handled; only the protocol's own mapper (smtp_reply_err,
 * pop3_reply_err, imap_reply_err …) turns it into an answer.
 */
#ifndef YB_BASE_ERR_H
#define YB_BASE_ERR_H

#include "lib/base/base.h"

enum yb_err_class {
    YB_OK = 0,
    YB_TEMP, /* try again later: 4xx, [UNAVAILABLE], [SYS/TEMP], exit 75 */
    YB_PERM, /* do not try again like this: 5xx, NO, BAD, exit 1 */
    YB_BUG   /* our own mistake: answered like YB_TEMP, logged loudly */
};

struct yb_err {
    enum yb_err_class class;
    bool internal;   /* the text names our own things: log it, tell the peer a general sentence */
    int sys;         /* errno where a system call failed, else 0 */
    char status[10]; /* enhanced status code (RFC 3463), "4.3.0" */
    char text[240];  /* one line, no CR or LF */
};

/* Each sets *err (unless err is NULL) and returns -1. CR, LF and controls in the text become '?'.
 */
int yb_err_set(struct yb_err *err, enum yb_err_class class, const char *status, const char *fmt,
               ...) YB_PRINTF(4, 5);
/* For a failed system call: appends strerror(errno); internal. ENOSPC and EDQUOT are told by
 * err->sys. errno is kept. */
int yb_err_sys(struct yb_err *err, enum yb_err_class class, const char *status, const char *fmt,
               ...) YB_PRINTF(4, 5);
/* What went wrong inside and is nobody else's business: internal, class as given. */
int yb_err_inside(struct yb_err *err, enum yb_err_class class, const char *status, const char *fmt,
                  ...) YB_PRINTF(4, 5);
/* The sentence a stranger may read: the text, or for internal errors a general one. */
const char *yb_err_public(const struct yb_err *err);

#endif
