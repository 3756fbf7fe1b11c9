/*
 * Inside the server engine, and never included outside lib/smtp: the state of server and sessions.
 * Above it stand, each on those before: what is said and logged (say.h, events.h), the commands
 * (cmd.h), the tables and checks (dispatch.h), and the handlers for lib/net (service.c).
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

/* Begins the transaction. */
void smtp_tx_begin(struct yb_smtp_session *s);
/* The one place where it ends, however it went; nothing when there is none. */
void smtp_tx_reset(struct yb_smtp_session *s);

#endif
