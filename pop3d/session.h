/*
 * One POP3 connection (RFC 1939, 2449, 2595, 3206, 5034): its state, and what all connections
 * share. A parked connection keeps a struct pop3d_session and, once logged in, its maildrop.
 * Above it stand, each on those before: errors as they are said (reply.h), the commands (cmd.h),
 * their table and its checks (dispatch.h), and the handlers for lib/net (service.h).
 */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

#include "lib/auth/auth.h"
#include "lib/auth/online.h"
#include "pop3d/maildrop.h"
#include "pop3d/stuff.h"

#include <stdatomic.h>

/* RFC 2449 §4 wants 255; AUTH with a long initial response needs more. */
#define POP3D_COMMAND_LINE 2048

/* What all connections share: the arg of their listeners. */
struct pop3d {
    struct yb_store *store;
    struct yb_auth *auth;
    struct yb_online *online; /* who is logged in; NULL: nobody keeps a list */
    struct yb_node_id node;   /* this one */
    /* yb_home_serves(); NULL: whatever logs in. */
    int (*serves)(void *home, struct yb_store_id store, struct yb_err *err);
    void *home;
    unsigned max_failures;
    unsigned max_per_account;
    int64_t login_timeout_ms, timeout_ms;
    atomic_bool draining; /* an orderly stop: no new logins */
    struct {
        _Atomic uint64_t sessions, in_use, retrieved, deleted, bytes;
    } counts;
};

/* RFC 1939 §3; USER is AUTHORIZATION between USER and PASS. */
enum pop3d_state { POP3D_AUTHORIZATION = 1, POP3D_USER = 2, POP3D_TRANSACTION = 4 };

struct pop3d_session {
    struct pop3d *pop3d;
    enum pop3d_state state;
    char *user;                       /* of USER, until PASS */
    struct yb_auth_session *exchange; /* AUTH in progress */
    unsigned failures, nonsense;      /* failed logins; commands that were none */
    struct pop3d_maildrop *drop;      /* TRANSACTION */
    struct yb_online_entry online;    /* likewise: in the table */
    uint64_t next;                    /* LIST, UIDL: number to write next */
    bool unique_ids;                  /* UIDL rather than LIST */
    int fd;                           /* RETR, TOP: the message, or -1 */
    off_t at;
    uint64_t size; /* of the message, as the mailbox tells it */
    struct pop3d_stuffer stuffer;
    bool whole; /* RETR rather than TOP */
    struct pop3d_top top;
    uint64_t retrieved, deleted, bytes; /* for the log */
    const char *end;                    /* how it ended, for the log */
};

#endif
