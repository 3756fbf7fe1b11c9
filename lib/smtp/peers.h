/*
 * Who may hand over by LMTP: processes of certain users of this node, known by SO_PEERCRED. Root and our
 * own user always may.
 */
#ifndef YB_SMTP_PEERS_H
#define YB_SMTP_PEERS_H

#include "lib/net/conn.h"

#define YB_SMTP_PEERS_MOST 16

struct yb_smtp_peers {
    uid_t v[YB_SMTP_PEERS_MOST];
    size_t n;
};

/* Looks the users up, once: a node's users do not change while it runs. `unknown` hears each name (of the
 * first YB_SMTP_PEERS_MOST) that no user has. */
void yb_smtp_peers_find(struct yb_smtp_peers *p, const char *const *names, size_t n,
                        void (*unknown)(const char *name));
/* -1, YB_PERM 5.7.1: the peer may not; *uid is its user, (uid_t)-1: no process of this node. */
int yb_smtp_peers_check(const struct yb_smtp_peers *p, const struct yb_conn *c, uid_t *uid,
                        struct yb_err *err) YB_MUST_USE;

#endif
