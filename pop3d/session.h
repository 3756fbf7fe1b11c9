/*
 * One POP3 connection (RFC 1939, 2449, 2595, 3206, 5034): its state, the table of commands, and
 * what its handlers share. A parked connection keeps a struct pop3d_session and, once logged in,
 * its maildrop.
 */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

#include "lib/auth/auth.h"
#include "pop3d/maildrop.h"
#include "pop3d/reply.h"
#include "pop3d/stuff.h"

#include <stdatomic.h>

/* What all connections share: the arg of their listeners. */
struct pop3d {
    struct yb_store *store;
    struct yb_auth *auth;
    struct yb_node_id node;
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

extern const struct yb_service pop3d_service;

typedef void pop3d_command(struct yb_conn *c, struct pop3d_session *s, struct yb_str arg);
pop3d_command pop3d_capa, pop3d_stls, pop3d_user, pop3d_pass, pop3d_auth;
pop3d_command pop3d_stat, pop3d_list, pop3d_uidl, pop3d_retr, pop3d_top_command, pop3d_dele;
pop3d_command pop3d_noop, pop3d_rset, pop3d_quit;

/* The next line of an AUTH exchange. */
void pop3d_auth_line(struct yb_conn *c, struct pop3d_session *s, struct yb_str line);

/* Counts one more command that was none (it was answered); who talks so for too long is let go. */
void pop3d_nonsense(struct yb_conn *c, struct pop3d_session *s);
/* A number of at most ten digits; false for anything else. */
bool pop3d_number(struct yb_str word, uint64_t *out) YB_MUST_USE;

#endif
