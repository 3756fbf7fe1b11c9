/*
 * One IMAP session, from greeting to farewell, and one command of it.
 *
 *   state            ends by
 *   IMAPD_ST_START   LOGIN, AUTHENTICATE        → IMAPD_ST_USER
 *   IMAPD_ST_USER    SELECT, EXAMINE            → IMAPD_ST_BOX
 *   IMAPD_ST_BOX     CLOSE, UNSELECT, a SELECT that fails → IMAPD_ST_USER
 *   any              LOGOUT, a timeout, too many wrong commands → closed
 *
 * A session at rest keeps this struct and in it the numbers of its view: no rows, no lines, no
 * descriptor but its socket. imapd_resume() opens account and mailbox again when something happens
 * (at no cost while the store still has them open), imapd_rest() lets them go. What a command needs
 * beside lives in its arena.
 *
 * Above it stand, each on those before: what is new (sync.h), what is said (reply.h), the commands
 * (cmd.h), their table and its checks (dispatch.h), whole commands from lines and literals
 * (input.h), and the handlers for lib/net (service.h).
 */
#ifndef IMAPD_SESSION_H
#define IMAPD_SESSION_H

#include "lib/auth/auth.h"
#include "lib/auth/online.h"
#include "lib/base/log.h"
#include "lib/base/zone.h"
#include "lib/daemon/metrics.h"
#include "lib/daemon/notes.h"
#include "lib/net/net.h"
#include "lib/store/store.h"

#include "imapd/answer.h"
#include "imapd/conf.h"
#include "imapd/lex.h"
#include "imapd/push.h"
#include "imapd/zones.h"

/* --- what all sessions share --- */

enum imapd_counter {
    IMAPD_COUNT_LOGINS,
    IMAPD_COUNT_LOGIN_FAILURES,
    IMAPD_COUNT_COMMANDS,
    IMAPD_COUNT_BAD_COMMANDS,
    IMAPD_COUNT_FETCHED,
    IMAPD_COUNT_APPENDED,
    IMAPD_COUNT_PUSHED,
    IMAPD_COUNTERS
};
extern const struct yb_counter imapd_counter_rows[IMAPD_COUNTERS];

struct imapd_server {
    struct yb_net *net;
    struct yb_store *store;
    struct yb_auth *auth;
    struct imapd_push *push;
    struct yb_online *online;      /* who is logged in; NULL: nobody keeps a list */
    struct yb_budget_pool *memory; /* of all commands */
    int64_t slice_ms;              /* what a command works at a time */
    struct yb_notes *notes;        /* which messages are worked on; NULL: not noted */
    struct imapd_zones *zones;     /* of all accounts */
    struct yb_node_id node;        /* this one */
    /* yb_home_serves(); NULL: whatever logs in. */
    int (*serves)(void *home, struct yb_store_id store, struct yb_err *err);
    void *home;
    const struct imapd_conf *_Atomic conf; /* in force for new sessions */
    _Atomic bool stopping;                 /* who is woken is told to come back */
    _Atomic uint64_t counts[IMAPD_COUNTERS];
};

/* Any thread. */
void imapd_count(struct imapd_server *server, enum imapd_counter which, uint64_t by);

/* --- a session --- */

enum imapd_state { IMAPD_ST_START = 1, IMAPD_ST_USER = 2, IMAPD_ST_BOX = 4 };

/* What the next line or block is. */
enum imapd_input_mode {
    IMAPD_IN_COMMAND, /* a line of a command */
    IMAPD_IN_AUTH,    /* a line of an AUTHENTICATE exchange */
    IMAPD_IN_IDLE     /* DONE */
};

struct imapd_input;
struct imapd_cmd;

struct imapd_session {
    struct imapd_server *server;
    const struct imapd_conf *conf;
    enum imapd_state state;
    enum imapd_input_mode mode;
    bool condstore;  /* enabled (RFC 7162 §3.1) */
    bool closing;    /* BYE is said */
    bool identified; /* ID was logged: once is enough */
    unsigned bad;    /* wrong commands: before login so far, then in a row */
    struct yb_account_id account_id;
    uint64_t quota; /* bytes, 0: none */
    /* The setting time_zone, whose days dates mean; NULL: UTC. By the thread of `online`. */
    _Atomic(const struct yb_zone *) zone;
    struct yb_store_account *account;   /* NULL at rest */
    struct yb_mailbox *mailbox;         /* the same */
    const struct yb_keywords *keywords; /* the same, of the mailbox: imapd_cmd_keywords() */
    char *folder;                       /* IMAPD_ST_BOX: what mailbox is opened by; NULL: "" */
    struct yb_view view;
    struct imapd_push_entry push;  /* IMAPD_ST_BOX: in the table */
    struct yb_online_entry online; /* in the table from login on */
    struct yb_auth_session *exchange;
    struct imapd_input *input; /* a command that is not whole yet, or an APPEND under way */
    struct imapd_cmd *running; /* a command that answers piece by piece */
    struct yb_budget budget;   /* of the command under way */
    char *tag;                 /* of AUTHENTICATE or IDLE under way */
};

/* Text of a command before login and after, literals included. ID may be as long as RFC 2971 §3.3
 * allows before login, too: 30 fields, names of 30 octets, values of 1024, each with a quoting. */
#define IMAPD_COMMAND_BEFORE_LOGIN 8192
#define IMAPD_COMMAND_MAX 65536

/* How long the client may be silent, in the session's state. */
void imapd_set_timeout(struct yb_conn *conn, const struct imapd_session *s);
/* The same, and how long lines may be. */
void imapd_set_limits(struct yb_conn *conn, const struct imapd_session *s);
/* Makes `m`, of which *view was begun, the selected mailbox; `watched`: yb_mailbox_watch()'s. */
void imapd_session_select(struct imapd_session *s, struct yb_conn *conn, struct yb_mailbox *m,
                          const struct yb_view *view, uint32_t watched);
/* Ends IMAPD_ST_BOX, if it is that: view, watch and mailbox are let go. */
void imapd_deselect(struct imapd_session *s);
/* The account of a session that may have rested; with it the mailbox, if one is selected. PERM: it
 * is gone. */
int imapd_resume_account(struct imapd_session *s, struct yb_err *err) YB_MUST_USE;
int imapd_resume(struct imapd_session *s, struct yb_err *err) YB_MUST_USE;
/* Between two commands: nothing is kept open. */
void imapd_rest(struct imapd_session *s);
/* After a successful LOGIN or AUTHENTICATE. -1: the account cannot be served here now. */
int imapd_login(struct yb_conn *conn, struct imapd_session *s, const struct yb_auth_user *user,
                struct yb_err *err) YB_MUST_USE;

/* For struct yb_online_conf: what counts for a session, whose `online` e is; `arg` is the server. */
void imapd_session_heard(void *arg, struct yb_online_entry *e, const struct yb_login *login);

/* --- a command --- */

struct imapd_command;

/* What a command works at a time before others get the worker: nobody notices that he waits so long,
 * and to begin again costs far less. */
#define IMAPD_SLICE_MS 20

/* Lives as long as its command, in `arena`. `conn`, `out` and `scratch` are those of the handler
 * call that is running. */
struct imapd_cmd {
    struct yb_conn *conn;
    struct imapd_session *s;
    const struct imapd_command *row;
    struct yb_str tag;
    bool uid;             /* UID FETCH … */
    bool no_expunge;      /* its numbers must hold until it is answered (RFC 3501 §7.4.1) */
    bool untold;          /* there are expunges that were not told when it was last looked */
    struct imapd_lex lex; /* stands at the arguments */
    struct yb_arena *arena;
    struct yb_arena *own_arena; /* the same, for a command that may last over several calls */
    struct yb_arena *scratch;   /* until the handler call returns */
    struct yb_buf *out;         /* written to the connection when the call returns */
    struct yb_budget *budget;   /* `out` and `own_arena` are charged to it, and what takes more */
    int64_t until;              /* by yb_clock_ms(): when the slice of this call is over */
    bool has_keywords;          /* the session's are those of this step */
    /* A command that answers piece by piece: called until it returns 0 (answered) or -1; 1: again,
     * when what it wrote is sent. */
    int (*step)(struct imapd_cmd *c, struct yb_err *err);
    /* Releases what `job` holds, whatever happened. May be NULL. */
    void (*end)(struct imapd_cmd *c);
    /* The client takes nothing for now: lets go of what can be had again. May be NULL. */
    void (*pause)(struct imapd_cmd *c);
    bool answering; /* half an answer is written: nothing else may follow it */
    void *job;
};

#endif
