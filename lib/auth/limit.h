/*
 * How many wrong passwords one client network may try at one account. Counted are *different* wrong
 * passwords: a phone that repeats an old one all day counts once (under SCRAM, where nobody can
 * tell one wrong password from another, each time). Over the bound nothing is checked (nor told)
 * for that pair until the time since its first wrong password is over; other networks and other
 * accounts do not notice. Bounded: the pair that failed longest ago is forgotten first. Thread
 * safe.
 */
#ifndef YB_AUTH_LIMIT_H
#define YB_AUTH_LIMIT_H

#include "lib/auth/cache.h"

#include <sys/socket.h>

struct yb_auth_limit;

struct yb_auth_limit_conf {
    unsigned attempts; /* different wrong passwords */
    int64_t window_ms; /* … in this time, from the first */
    size_t size;       /* pairs remembered */
};

/* Copies *conf. */
struct yb_auth_limit *yb_auth_limit_new(const struct yb_auth_limit_conf *conf) YB_MUST_USE;
void yb_auth_limit_free(struct yb_auth_limit **l);

/* The key of a pair: name (folded by the caller, lower-cased here), and the network of the peer
 * (yb_network_of()); NULL: nowhere. */
#define YB_AUTH_LIMIT_KEY 384
struct yb_str yb_auth_limit_key(struct yb_str name, const struct sockaddr *peer,
                                char out[YB_AUTH_LIMIT_KEY]);

enum yb_auth_limit_state {
    YB_AUTH_LIMIT_OPEN,
    YB_AUTH_LIMIT_KNOWN,  /* this very password was wrong before: need not be hashed again */
    YB_AUTH_LIMIT_BLOCKED /* say neither right nor wrong */
};
/* Before checking. `t` may be NULL when no password is known yet. */
enum yb_auth_limit_state yb_auth_limit_look(struct yb_auth_limit *l, struct yb_str key,
                                            const struct yb_auth_token *t, int64_t now_ms);
/* A wrong password; BLOCKED when the bound was reached meanwhile by others: then the verdict must
 * not be told, so that parallel guesses disclose no more than the bound. */
enum yb_auth_limit_state yb_auth_limit_wrong(struct yb_auth_limit *l, struct yb_str key,
                                             const struct yb_auth_token *t, int64_t now_ms);

#endif
