/*
 * The other side for the tests of lib/auth: accounts in memory, a clock that is moved by hand, and
 * the client half of Cyrus SASL, so that both halves of each mechanism are not ours.
 */
#ifndef YB_TESTS_AUTH_CLIENT_H
#define YB_TESTS_AUTH_CLIENT_H

#include "lib/auth/auth.h"

#include <pthread.h>
#include <stdatomic.h>

struct account {
    const char *name, *password; /* password: for who writes tests; NULL: see verifier */
    const char *refused;
    const char *app; /* hash of an app password, or NULL */
    char verifier[YB_AUTH_VERIFIER];
};

struct accounts {
    struct account *v;
    size_t n;
    pthread_mutex_t lock; /* upgrades change verifiers */
    atomic_bool away;     /* the database does not answer */
    atomic_bool stuck;    /* upgrades do not come back */
    atomic_uint asked, upgrading, upgraded;
};

/* Makes verifiers where `password` is set and `verifier` is empty. */
void accounts_init(struct accounts *a, struct account *v, size_t n);
struct yb_auth_source accounts_source(struct accounts *a);

/* The clock of conf.now_ms, moved by clock_move(). */
int64_t clock_now(void);
void clock_move(int64_t ms);

enum binding { NO_BINDING, SAME_BINDING, OTHER_BINDING };

struct login {
    const char *mechanism, *user, *password;
    enum binding client; /* what the client binds to */
    bool server_binding; /* the connection has a TLS exporter */
    const char *authzid;
    const char *list; /* what the client is told we offer; NULL: just the mechanism */
    bool no_initial;  /* the client keeps its first message for the first challenge */
};

/* Starts the client library, once. */
void client_start(void);
void client_stop(void);
/* A whole exchange as a daemon does it. -1: the client side gave up (then nothing is in *out). */
int client_login(struct yb_auth *a, const struct login *l, struct yb_auth_outcome *out);

#endif
