/*
 * One attempt to log in, whatever the mechanism: the account looked up once, the limit, the app
 * passwords, the remembered password, the hash, and one verdict. Only files of lib/auth include it.
 *
 * The verdict is kept here and not taken from the SASL library, which forgets why a check failed.
 */
#ifndef YB_AUTH_ATTEMPT_H
#define YB_AUTH_ATTEMPT_H

#include "lib/auth/auth.h"
#include "lib/auth/cache.h"
#include "lib/auth/limit.h"
#include "lib/cred/cred.h"
#include "lib/net/gate.h"

#include <pthread.h>
#include <sasl/sasl.h>

#define DECOYS 64

enum mechanism { MECH_SCRAM_PLUS, MECH_SCRAM, MECH_PLAIN, MECH_LOGIN, MECH_COUNT };

struct counters {
    _Atomic uint64_t ok, wrong, suspended, limited, away, hashed, remembered;
};

struct yb_auth {
    struct yb_auth_conf conf; /* defaults filled in; its strings are not used after _new() */
    bool offered[MECH_COUNT];
    char announced[2][64]; /* names by spaces: without, and with channel binding */
    char secret[32];       /* for fake salts: the same on all nodes */
    char process_key[32];  /* for tokens: never leaves the process */
    struct yb_gate *hashing;
    struct yb_auth_cache *cache; /* NULL: not wanted */
    struct yb_auth_limit *limit;
    struct counters counters;
    pthread_mutex_t decoys_lock;
    char decoys[DECOYS][YB_CRED_VERIFIER]; /* what checks cost here: see decoy_learn() */
    sasl_callback_t callbacks[4];          /* the library keeps a pointer to them */
};

struct yb_auth_attempt {
    struct yb_auth *auth;
    const struct yb_auth_facts *facts; /* of the call that runs */
    const char *mechanism;             /* for the log */
    struct yb_arena *arena;
    struct yb_str name;   /* as typed; in the arena */
    struct yb_str folded; /* the same for every way of writing it */
    struct yb_str limit_key;
    struct yb_auth_record record; /* valid once a name was given */
    const char *how;              /* "hash", "remembered", "app", "scram" */
    bool decided;
    struct yb_err verdict; /* class YB_OK: he is who he says */
};

/*
 * Looks the name up; the first call counts, a mechanism may ask again. -1: decided already
 * (blocked, or the database is away).
 */
int yb_auth_attempt_name(struct yb_auth_attempt *at, struct yb_str name) YB_MUST_USE;
/* Checks a password typed in clear (under TLS) for that name. Decides. */
void yb_auth_attempt_password(struct yb_auth_attempt *at, struct yb_str password);
/* The verifier SCRAM works with: the account's, or one that fits nobody; YB_CRED_VERIFIER bytes. */
void yb_auth_attempt_scram(struct yb_auth_attempt *at, char out[YB_CRED_VERIFIER]);
/* SCRAM's outcome: the proof did not fit, or it did. Decides. Which password made a wrong proof
 * cannot be known, so that each one counts. */
void yb_auth_attempt_wrong(struct yb_auth_attempt *at);
void yb_auth_attempt_right(struct yb_auth_attempt *at);
/* The verdict is *err, whatever was decided before. */
void yb_auth_attempt_refuse(struct yb_auth_attempt *at, const struct yb_err *err);
/* Once, at the end of an attempt that came to a verdict: counts and logs it. */
void yb_auth_attempt_report(const struct yb_auth_attempt *at);

#endif
