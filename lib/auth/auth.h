/*
 * Who is it? Passwords and SASL exchanges of IMAP, POP3 and submission, over Cyrus SASL.
 *
 * One `struct yb_auth` a process, made before any thread is started. Every call here blocks
 * (directory, password hashing): worker threads only. All calls are thread safe; one exchange
 * belongs to one connection.
 *
 * How a daemon uses it, for AUTH / AUTHENTICATE:
 *
 *     yb_auth_facts_of(c, &facts);
 *     yb_conn_set_line_limit(c, YB_AUTH_LINE);
 *     initial = has_initial ? &word : NULL;
 *     switch (yb_auth_begin(auth, &s->exchange, mechanism, initial, &facts, &o)) {
 *     case YB_AUTH_CONTINUE: write "334 " or "+ ", o.challenge, CRLF; give the next line to
 *                            yb_auth_step(&s->exchange, line, &facts, &o), and so on
 *     case YB_AUTH_DONE:     o.user is logged in
 *     case YB_AUTH_FAILED:
 *     case YB_AUTH_CANCELLED: answer from o.err
 *     }
 *     in closed(): yb_auth_abandon(&s->exchange);
 *
 * What o.err says (kind, class and status → meaning), the same for every mechanism:
 *     CREDENTIALS PERM 5.7.8   wrong name or password (nobody learns which)
 *     DISABLED    PERM 5.7.13  right password, but account, domain or tenant is suspended, or the
 *                              user has switched this protocol off; the text says so
 *     BLOCKED     TEMP 4.7.0   too many wrong passwords for this account from this network; ends by
 *                              itself
 *     AWAY        TEMP 4.3.0   the database is away and nothing known about the account: 454,
 *                              [UNAVAILABLE]
 *     OTHER       TEMP 4.3.2   too busy hashing passwords
 *     NEED_TLS    PERM 5.7.11  no TLS yet
 *     UNSUPPORTED PERM 5.5.4   mechanism not offered here (SMTP 504)
 *     SYNTAX      PERM 5.5.2   not base64, not what the mechanism wants, or channel binding was
 *                              hidden from the client (SMTP 501, IMAP BAD)
 *     CANCELLED   PERM 5.7.0   the client sent "*" (SMTP 501, IMAP BAD)
 * Only CREDENTIALS is a wrong password and counts for BLOCKED.
 */
#ifndef YB_AUTH_AUTH_H
#define YB_AUTH_AUTH_H

#include "lib/auth/source.h"
#include "lib/net/conn.h"

/* Longest line of an exchange a daemon takes, in base64 (RFC 4954 §4 wants 12 288). */
#define YB_AUTH_LINE 12288

struct yb_auth;
struct yb_auth_session;

struct yb_auth_conf {
    const char *service;          /* SASL service name: "imap", "pop", "smtp" */
    struct yb_auth_source source; /* where accounts come from: yb_auth_source_directory() */
    struct yb_str mechanisms;     /* allowed, by spaces; empty: YB_AUTH_DEFAULT */
    struct yb_str secret;         /* the same on all nodes, for what unknown users are shown; empty:
                                   * random, so that an unknown user's salt changes at restart */
    unsigned hashing;             /* passwords hashed at once; 0: one a core */
    int64_t hashing_wait_ms;      /* how long a caller waits for its turn; 0: 2 s */
    int64_t cache_ms;        /* a verified password is remembered; 0: 10 minutes, < 0: not at all */
    size_t cache_size;       /* remembered passwords at most; 0: 65 536 */
    unsigned attempts;       /* wrong passwords for one account from one network; 0: 10 */
    int64_t attempts_ms;     /* … in this time, and the block's length; 0: 15 minutes */
    size_t attempts_size;    /* (account, network) pairs remembered; 0: 32 768 */
    int64_t (*now_ms)(void); /* a test's clock; NULL: yb_clock_ms */
};
/* All there are. */
#define YB_AUTH_MECHANISMS "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"
/*
 * Those offered where nobody says which. Not the one that binds to the TLS connection: stock mutt and
 * neomutt choose it and then have no channel binding, so that their users could not log in.
 */
#define YB_AUTH_DEFAULT "SCRAM-SHA-256 PLAIN LOGIN"
/* What the options of the daemons say of it. */
#define YB_AUTH_PROSE                                                                              \
    "SASL mechanisms offered, between spaces: some of " YB_AUTH_MECHANISMS ". The first, which "   \
    "binds the login to the TLS connection, is not among the default: stock mutt and neomutt "     \
    "choose it and then have no channel binding, so that their users cannot log in. Accounts "     \
    "with an imported hash cannot use SCRAM before their first login with PLAIN."
/* Names of some of them, by spaces: or -1 with the first that is none. */
int yb_auth_mechanisms_check(struct yb_str mechanisms, struct yb_err *err) YB_MUST_USE;

/* Starts the SASL library (once a process; a second yb_auth_new() while one lives is an error).
 * Not thread safe: call it before threads start. `conf` is copied, but not what source.arg points
 * to. */
struct yb_auth *yb_auth_new(const struct yb_auth_conf *conf, struct yb_err *err) YB_MUST_USE;
void yb_auth_free(struct yb_auth **a);

/* What the verdict depends on beside name and password. */
struct yb_auth_facts {
    bool tls;
    bool has_exporter; /* tls_exporter holds the channel binding (RFC 9266) */
    uint8_t tls_exporter[32];
    const struct sockaddr *peer;  /* NULL: counted as one unknown network */
    const struct yb_log_ctx *log; /* for auth.* lines; may be NULL */
};
/* The facts of a connection; valid inside the handler. */
void yb_auth_facts_of(struct yb_conn *c, struct yb_auth_facts *facts);

/* What to announce, names separated by one space; empty before TLS. */
struct yb_str yb_auth_mechanisms(const struct yb_auth *a, const struct yb_auth_facts *facts);

enum yb_auth_result { YB_AUTH_CONTINUE, YB_AUTH_DONE, YB_AUTH_FAILED, YB_AUTH_CANCELLED };

struct yb_auth_outcome {
    enum yb_auth_result result;
    struct yb_str challenge;  /* CONTINUE: base64, perhaps empty; valid until the next step */
    struct yb_auth_user user; /* DONE */
    struct yb_err err;        /* FAILED, CANCELLED */
};

/*
 * Begins an exchange. `initial` is the initial response as the client wrote it (base64, "=" for an
 * empty one), or NULL. Sets *s only when the result (also returned) is CONTINUE; then
 * yb_auth_step() or yb_auth_abandon() must follow. The library's connection lives only as long as
 * the exchange.
 */
enum yb_auth_result yb_auth_begin(struct yb_auth *a, struct yb_auth_session **s,
                                  struct yb_str mechanism, const struct yb_str *initial,
                                  const struct yb_auth_facts *facts, struct yb_auth_outcome *out);
/* The next line of the client, without its end. *s is NULL after every result but CONTINUE.
 * `facts` are those of now: the same connection. */
enum yb_auth_result yb_auth_step(struct yb_auth_session **s, struct yb_str line,
                                 const struct yb_auth_facts *facts, struct yb_auth_outcome *out);
/* The connection is gone or talks of something else. NULL inside is fine. */
void yb_auth_abandon(struct yb_auth_session **s);

/* IMAP LOGIN, POP3 USER and PASS: name and password as they are. 0 with *user, or -1 with *err as
 * in the table above. */
int yb_auth_password(struct yb_auth *a, struct yb_str name, struct yb_str password,
                     const struct yb_auth_facts *facts, struct yb_auth_user *user,
                     struct yb_err *err) YB_MUST_USE;

/* For metrics. */
struct yb_auth_stats {
    uint64_t ok, wrong, suspended, limited, away;
    uint64_t hashed, remembered; /* verdicts by hashing, and by the verified-password cache */
};
void yb_auth_stats_read(struct yb_auth *a, struct yb_auth_stats *out);

#endif
