/*
 * Who is logged in to this daemon. A session that is in the table is looked at again whenever the
 * directory tells of a change that may concern it, and ends when what it logged in by would not let
 * it in any more: account, domain or tenant suspended, account deleted, the protocol switched off,
 * another password (or, of a session that used one, its app password taken away); or when his mailbox is
 * at home on another node now.
 *
 *   change of           looked at
 *   one address         at once, and again when a second change would be heard of
 *   a domain, a tenant  its sessions, likewise, a hundred in a question, 50 questions a second
 *   anything, unknown   all sessions, likewise
 *
 * With the database away nothing is concluded. Whoever is ended is told the reason: the table wakes
 * the connection, whose handler says it (yb_online_ended()); one that cannot be woken, because its
 * client takes nothing, is cut off after a few seconds.
 *
 * Thread safe. The table's own thread asks; handlers and the directory's thread never wait for it.
 */
#ifndef YB_AUTH_ONLINE_H
#define YB_AUTH_ONLINE_H

#include "lib/auth/source.h"
#include "lib/base/buf.h"
#include "lib/directory/directory.h"
#include "lib/net/conn.h"

#include <stdatomic.h>

struct yb_online;

/* Part of the session; the table links it. */
struct yb_online_entry {
    struct yb_online_entry *prev, *next;   /* all, in the order they came */
    struct yb_online_entry *chain, **link; /* those of its bucket; link NULL: not in the table */
    uint64_t number;                       /* in that order */
    struct yb_directory_hashes hash;       /* as changes tell of it; the bucket's is the address */
    struct yb_conn_ref conn;
    struct yb_session_id id;
    struct yb_account_id account;
    struct yb_tenant_id tenant;
    struct yb_auth_means by;
    char *address;
    const char *peer; /* the connection's */
    time_t since;
    _Atomic(char *) ended; /* the reason, once it is to end */
    int64_t cut_ms;        /* and by when at the latest */
};

struct yb_online_conf {
    struct yb_net *net;
    void (*wake)(struct yb_net *, struct yb_conn_ref); /* yb_net_wake() */
    void (*kick)(struct yb_net *, struct yb_conn_ref); /* yb_net_kick() */
    struct yb_online_source source;                    /* yb_online_source_directory() */
    int64_t cut_ms;                                    /* how long who is ended may stay; 0: 5 s */
    /* What counts for a session that may go on, at its login and whenever it was looked at again; under
     * the table's lock, so it must not wait, nor ask the table. NULL: nobody wants to know. */
    void (*heard)(void *arg, struct yb_online_entry *e, const struct yb_login *login);
    void *heard_arg;
    bool watch; /* false: only listed and kicked; who may go on is asked by yb_auth_still() */
};

struct yb_online *yb_online_new(const struct yb_online_conf *conf) YB_MUST_USE;
/* Before the directory is started: begins to hear of changes. Starts the thread. */
int yb_online_start(struct yb_online *o, struct yb_err *err) YB_MUST_USE;
/* Ends the thread; the directory must still be there, and must not call any more when
 * yb_online_free() is called. No session may be left by then. */
void yb_online_stop(struct yb_online *o);
void yb_online_free(struct yb_online **o);

/*
 * Somebody logged in; inside a handler of his connection. What changed since his login was judged
 * is found now: look at yb_online_ended() afterwards. `o` may be NULL: he is in no table, then.
 */
void yb_online_add(struct yb_online *o, struct yb_online_entry *e, struct yb_conn *c,
                   const struct yb_auth_user *user);
/* The session ends; nothing when it is in no table. */
void yb_online_remove(struct yb_online *o, struct yb_online_entry *e);
/* The reason why the session must end, or NULL. Inside a handler; valid until it is removed. */
const char *yb_online_ended(const struct yb_online_entry *e);

/*
 * May the user of an account go on by what he logged in by? -1: PERM 5.7.13 with the reason. A
 * password that an import brought is replaced by another verifier of the same password when it
 * proves right (lib/cred): within a minute of the login that is no change, and *by learns the new
 * one.
 */
int yb_auth_still(struct yb_account_id account, struct yb_auth_means *by,
                  const struct yb_login *login, enum yb_auth_protocol protocol, time_t since,
                  struct yb_err *err) YB_MUST_USE;

/*
 * Commands of the control socket (lib/daemon). `sessions NUMBER MOST [WHO]`: at most MOST sessions
 * behind that number, a line each: number, session id, address, tenant, client, and when it began
 * (seconds since 1970), with tabs between them. `kick WHO`: ends them, the answer is how many. WHO
 * is an address, a domain, or a session id.
 */
#define YB_ONLINE_MOST 5000 /* lines of the longest addresses fit an answer */
int yb_online_list(struct yb_online *o, struct yb_str rest, struct yb_buf *answer,
                   struct yb_err *err) YB_MUST_USE;
int yb_online_kick(struct yb_online *o, struct yb_str rest, struct yb_buf *answer,
                   struct yb_err *err) YB_MUST_USE;

/* For metrics: sessions in the table, ended for a change, and by kick. */
struct yb_online_stats {
    uint64_t sessions, ended, kicked;
};
void yb_online_stats_read(struct yb_online *o, struct yb_online_stats *out);

#endif
