/*
 * Inside the server engine: what server.c (dispatch), commands.c and data.c share. Nobody outside
 * lib/smtp includes it.
 */
#ifndef YB_SMTP_SESSION_H
#define YB_SMTP_SESSION_H

#include "lib/smtp/server.h"

/* States of a session; a command's row names those it is allowed in. */
enum {
    ST_GREETED = 1, /* no HELO, EHLO or LHLO yet */
    ST_READY = 2,   /* between transactions */
    ST_MAIL = 4,
    ST_RCPT = 8,    /* at least one recipient accepted */
    ST_CHUNKS = 16, /* after a BDAT that was not the last */
    ST_AUTH = 32,   /* lines belong to an AUTH exchange: no command is allowed */
    ST_ANY = ST_GREETED | ST_READY | ST_MAIL | ST_RCPT | ST_CHUNKS
};

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

/* The octets of a message that are being received. */
struct smtp_stream {
    bool active, chunked, chunk_last, discard;
    bool after_cr; /* chunked: the octet before the next one was CR */
    unsigned flags;
    struct yb_err err; /* why the message will be refused; class 0: it is well so far */
};

/* Where the dialogue of a session stands; what hooks need is in struct yb_smtp_session. */
struct yb_smtp_engine {
    char *helo; /* NULL before */
    bool esmtp, authenticated;
    bool early; /* the client spoke before the greeting: its first line is refused */
    unsigned state;
    unsigned errors, idle_commands;
    size_t log_n;                   /* length of the log context outside a transaction */
    struct yb_smtp_rcpt *last_rcpt; /* of the transaction's list; NULL: it is empty */
    struct smtp_stream in;
};

struct yb_smtp_server {
    struct yb_smtp_conf conf;
    struct yb_smtp_hooks hooks;
    void *arg;
    const struct yb_smtp_command *table;
    size_t n_table;
    _Atomic bool draining;
    struct yb_smtp_counts counts;
};

extern const struct yb_smtp_command smtp_mx_commands[], smtp_submission_commands[],
    smtp_lmtp_commands[];
extern const size_t smtp_mx_n_commands, smtp_submission_n_commands, smtp_lmtp_n_commands;

/* --- server.c --- */

/* Writes one reply; `status` NULL: none. */
void smtp_reply(struct yb_smtp_session *s, int code, const char *status, const char *text);
void smtp_reply_str(struct yb_smtp_session *s, int code, bool more, const char *status,
                    struct yb_str text);
/* The only place where an error becomes a reply. */
void smtp_reply_err(struct yb_smtp_session *s, const struct yb_err *err);
/* Says 421 and lets the client go. */
void smtp_farewell(struct yb_smtp_session *s, const char *status, const char *text);
/* Counts a mistake of the client; the last one ends the session. */
void smtp_count_error(struct yb_smtp_session *s);
/* Begins and ends the transaction. */
void smtp_tx_begin(struct yb_smtp_session *s);
void smtp_tx_reset(struct yb_smtp_session *s);
/* A refusal of *r, or of more than one recipient (NULL): code, class, reason and, in a transaction,
 * from and mid. Also as events. */
void smtp_log_refusal(struct yb_smtp_session *s, const char *what, const struct yb_smtp_rcpt *r,
                      const struct yb_err *err);

/* --- events.c: the same for lib/event; nothing when the server has no writer --- */

/* A recipient was taken. */
void smtp_event_rcpt(struct yb_smtp_session *s, const struct yb_smtp_rcpt *r);
/* The message was, for all its recipients: an event for each. */
void smtp_event_accepted(struct yb_smtp_session *s);
/* A refusal of *r; `r` NULL: of all recipients there are, or of the transaction without any. */
void smtp_event_refused(struct yb_smtp_session *s, const char *what, const struct yb_smtp_rcpt *r,
                        const struct yb_err *err);

/* --- commands.c --- */

/* A line of an AUTH exchange. */
void smtp_auth_line(struct yb_smtp_session *s, struct yb_str line, unsigned flags);

/* --- data.c --- */

/* The commands DATA and BDAT, and the octets that follow them. */
int smtp_cmd_data(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
int smtp_cmd_bdat(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err);
void smtp_data_block(struct yb_smtp_session *s, struct yb_str block, bool last, unsigned flags);

#endif
