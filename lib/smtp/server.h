/*
 * The server side of SMTP (RFC 5321), message submission (RFC 6409) and LMTP (RFC 2033): one engine
 * with a command table per dialect. The dispatcher alone checks order, TLS, authentication,
 * arguments, limits and counts; what a daemon decides it decides in hooks. All hooks run on a
 * worker that holds the connection's run token: one at a time for a session, and they may block.
 *
 * Owner of everything below is the engine; hooks read it, and write only where it says so.
 */
#ifndef YB_SMTP_SERVER_H
#define YB_SMTP_SERVER_H

#include "lib/event/event.h"
#include "lib/mime/address.h"
#include "lib/net/addr.h"
#include "lib/net/conn.h"
#include "lib/smtp/msgbuf.h"
#include "lib/smtp/xparam.h"

#include <stdatomic.h>

struct yb_smtp_server;
struct yb_smtp_engine;

enum yb_smtp_dialect { YB_SMTP_MX, YB_SMTP_SUBMISSION, YB_SMTP_LMTP };

/* One accepted recipient; lives in the transaction's arena. */
struct yb_smtp_rcpt {
    struct yb_smtp_rcpt *next;
    struct yb_address address;
    struct yb_str text;    /* as it was written, without < and > and without a source route */
    struct yb_lmtp_rcpt x; /* LMTP: what the peer said */
    struct yb_tenant_id
        tenant;    /* for events, set by the `rcpt` hook: whose address it is, if known */
    void *data;    /* the hook's own, in the transaction's arena */
    unsigned code; /* refused: a reply code the hook chose itself; 0: by err's status */
    const struct yb_err *err; /* LMTP, set by the `message` hook: why not; NULL: delivered */
};

/* One transaction, from MAIL to the answer to the message, RSET or the end. */
struct yb_smtp_tx {
    struct yb_arena *arena;
    struct yb_message_id id; /* LMTP: the one the peer told */
    struct yb_address from;
    struct yb_str from_text; /* as it was written, without < and > */
    uint64_t declared;       /* SIZE=, 0 without */
    bool body_8bit, utf8;    /* BODY=8BITMIME, SMTPUTF8 */
    struct yb_lmtp_mail x;
    struct yb_smtp_rcpt *rcpts; /* in the order they came */
    size_t n_rcpts;
    struct yb_msgbuf *message; /* NULL where the daemon takes blocks */
    uint64_t size;             /* octets received */
    size_t n_stored, n_queued; /* SMTP, set by the `message` hook: mailboxes, for the log */
    void *data;                /* the hook's own, in the arena */
};

/* One connection. */
struct yb_smtp_session {
    struct yb_smtp_server *server;
    struct yb_conn *conn; /* of the handler that runs now */
    struct yb_smtp_tx *tx;
    struct yb_session_id id;      /* for XSESSION */
    struct yb_network network;    /* the client's */
    void *data;                   /* the hook's own, set by `connect`, freed by `closed` */
    struct yb_tenant_id tenant;   /* submission, for events, set by the hook at login: whose user */
    struct yb_account_id account; /* … and who */
    struct yb_str qualify; /* submission, set by the hook at login: the domain of addresses that
                            * were written without one (RFC 6409 §8.1); empty: none */
    struct yb_smtp_engine *engine; /* the engine's own: where the dialogue stands */
};

enum yb_smtp_auth { YB_SMTP_AUTH_CONTINUE, YB_SMTP_AUTH_DONE, YB_SMTP_AUTH_FAILED };

/*
 * What a daemon decides. `connect`, `rcpt` and `message` are required. A hook that fails sets *err;
 * its status and class choose the reply code (reply.h). An internal error is told as a general
 * sentence; the hook logs it.
 */
struct yb_smtp_hooks {
    /* Before the greeting. -1: the client hears 421 or 554 and is let go. */
    int (*connect)(struct yb_smtp_session *s, struct yb_err *err);
    /* Submission. What to announce; empty: AUTH is not announced (and refused). */
    struct yb_str (*mechanisms)(struct yb_smtp_session *s);
    /* Begins and goes on with an exchange. `initial` is NULL without an initial response. CONTINUE
     * sets *challenge (base64, valid until the next call), FAILED *err. */
    enum yb_smtp_auth (*auth_begin)(struct yb_smtp_session *s, struct yb_str mechanism,
                                    const struct yb_str *initial, struct yb_str *challenge,
                                    struct yb_err *err);
    enum yb_smtp_auth (*auth_step)(struct yb_smtp_session *s, struct yb_str line,
                                   struct yb_str *challenge, struct yb_err *err);
    /* MAIL: s->tx is new. -1: it is dropped again. */
    int (*mail)(struct yb_smtp_session *s, struct yb_err *err);
    /* NOOP: whoever asks whether somebody is there has mail. -1: the client hears 421 and is let go. */
    int (*noop)(struct yb_smtp_session *s, struct yb_err *err);
    /* RCPT: *r lies in scratch memory; with 0 it is copied into the transaction. r->data must be in
     * the transaction's arena. */
    int (*rcpt)(struct yb_smtp_session *s, struct yb_smtp_rcpt *r, struct yb_err *err);
    /* Before 354, or before the first chunk. */
    int (*data)(struct yb_smtp_session *s, struct yb_err *err);
    /* A daemon that takes octets as they come (lmtpd); else they go to tx->message. */
    int (*block)(struct yb_smtp_session *s, struct yb_str block, struct yb_err *err);
    /*
     * The message is whole. SMTP: 0 is 250 with `answer` as text (in the arena; may stay empty).
     * LMTP: 0, and each recipient's err says its answer; -1 answers all recipients alike.
     */
    int (*message)(struct yb_smtp_session *s, struct yb_str *answer, struct yb_err *err);
    /* The transaction ends, however: release what tx->data and rcpt->data hold. */
    void (*reset)(struct yb_smtp_session *s);
    /* Woken (yb_net_wake()): why the session must end, or NULL. The client hears 421. */
    const char *(*ended)(struct yb_smtp_session *s);
    /* The connection ends; s->conn is still there, writing does nothing. */
    void (*closed)(struct yb_smtp_session *s);
};

/* Defaults in brackets are put in for 0. Strings must stay valid as long as the server. */
struct yb_smtp_conf {
    enum yb_smtp_dialect dialect;
    const char *name;               /* "smtp", "submission", "lmtp": log events begin with it */
    const char *hostname;           /* in greeting, EHLO and Received */
    uint64_t max_message;           /* announced as SIZE */
    size_t max_rcpt;                /* [100] RFC 5321 §4.5.3.1.8 */
    unsigned max_errors;            /* [20] wrong commands and failed logins until 421 */
    unsigned max_idle;              /* [100] commands in a row that further nothing until 421 */
    unsigned max_hops;              /* [100] Received fields: RFC 5321 §6.3 */
    int64_t command_timeout_ms;     /* [300 000] §4.5.3.2.7 */
    int64_t data_timeout_ms;        /* [300 000] between two blocks; §4.5.3.2.5 asks for 3 min */
    int64_t data_total_ms;          /* [7 200 000] for one message */
    struct yb_msgbuf_pool *pool;    /* where messages lie; NULL with a `block` hook */
    struct yb_event_writer *events; /* what is decided is told there; NULL: nowhere */
};

/* Counters for metrics. Commands are counted by the rows of yb_smtp_count_name(). */
#define YB_SMTP_COMMANDS 20
struct yb_smtp_counts {
    _Atomic uint64_t commands[YB_SMTP_COMMANDS]; /* in the order of the table; the last: unknown */
    _Atomic uint64_t accepted, refused;          /* messages */
    _Atomic uint64_t rcpt_refused, bytes;
};

/* Ready to be a listener's arg: the engine finds it by yb_conn_listener_arg(). Thread safe. */
struct yb_smtp_server *yb_smtp_server_new(const struct yb_smtp_conf *conf,
                                          const struct yb_smtp_hooks *hooks, void *arg) YB_MUST_USE;
/* All sessions must be gone. */
void yb_smtp_server_free(struct yb_smtp_server **srv);
/* What was given to yb_smtp_server_new(). */
void *yb_smtp_server_arg(const struct yb_smtp_server *srv);
/* They go on counting. */
const struct yb_smtp_counts *yb_smtp_server_counts(const struct yb_smtp_server *srv);
/* The verb of commands[i], "unknown" for the last; NULL past it. */
const char *yb_smtp_count_name(const struct yb_smtp_server *srv, size_t i);
/* From now on every new transaction hears 421 (shut-down); any thread. */
void yb_smtp_server_drain(struct yb_smtp_server *srv);

/* For hooks: a log line about this session, "<name>.<what>", to be filled and ended. */
void yb_smtp_log_begin(struct yb_smtp_session *s, struct yb_log_line *l, enum yb_log_level level,
                       const char *what);
/* For the message hook: the begin of the message, with its whole header, or YB_SMTP_HEADER_MAX
 * octets of a longer one; valid until the running handler returns. A header that a mail program
 * writes is far below. */
#define YB_SMTP_HEADER_MAX (512u * 1024)
int yb_smtp_message_begin(struct yb_smtp_session *s, struct yb_str *begin,
                          struct yb_err *err) YB_MUST_USE;

/* The handlers for lib/net, the same for all three dialects. */
extern const struct yb_service yb_smtp_service;       /* "smtp" */
extern const struct yb_service yb_submission_service; /* "submission" */
extern const struct yb_service yb_lmtp_service;       /* "lmtp" */

#endif
