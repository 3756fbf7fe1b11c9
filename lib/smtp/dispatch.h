/* Inside the server engine: from a line to its command. */
#ifndef YB_SMTP_DISPATCH_H
#define YB_SMTP_DISPATCH_H

#include "lib/smtp/session.h"

/* What a command needs, and what it does to those who misuse it. */
enum {
    NEED_AUTH = 1,
    NO_TLS = 2,   /* STARTTLS: not twice */
    LAST = 4,     /* nothing may be pipelined behind it (RFC 2920 §3.1) */
    IDLE = 8,     /* furthers nothing: too many in a row end the session */
    PROGRESS = 16 /* ends a row of IDLE ones, when it succeeds */
};

enum arg_kind { ARG_NONE, ARG_REQUIRED, ARG_OPTIONAL };

struct yb_smtp_command {
    struct yb_str verb;
    /* 0: it has replied. -1: *err is the reply, and an error of the client is counted. */
    int (*run)(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
    unsigned states, needs;
    enum arg_kind arg;
};

/* The table of a dialect and its length. */
const struct yb_smtp_command *smtp_commands(enum yb_smtp_dialect dialect, size_t *n);
/* A line of the client: what is no line of SMTP is refused, the rest is a command or belongs to an
 * AUTH exchange. */
void smtp_dispatch(struct yb_smtp_session *s, struct yb_str line, unsigned flags);

#endif
