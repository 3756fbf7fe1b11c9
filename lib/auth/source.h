/*
 * Where lib/auth learns about accounts: two questions, behind a table so that tests (and one day
 * another store of accounts) can answer them. Products use yb_auth_source_directory().
 */
#ifndef YB_AUTH_SOURCE_H
#define YB_AUTH_SOURCE_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/id.h"

struct yb_directory;

#define YB_AUTH_ADDRESS 320 /* local part 64, "@", domain 255 */
#define YB_AUTH_VERIFIER 256
#define YB_AUTH_TEXT 200

/* What somebody proved right by, to find out later whether it would still do: yb_auth_still(). */
struct yb_auth_means {
    uint64_t proof;    /* yb_auth_proof() of the verifier of his password */
    uint64_t replaced; /* of the imported one that this replaced, or 0 */
    bool app;          /* it was an app password */
    bool imported;     /* it was one that the next login replaces (lib/cred) */
};

/* Somebody who proved who he is. A plain value. */
struct yb_auth_user {
    struct yb_account_id account;
    struct yb_tenant_id tenant;
    struct yb_store_id store; /* that holds the mailbox */
    uint64_t quota;           /* bytes, 0: none */
    struct yb_auth_means by;
    char address[YB_AUTH_ADDRESS]; /* canonical, NUL-terminated */
};

struct yb_auth_record {
    bool found; /* false: nobody of that name; the rest is void */
    struct yb_auth_user user;
    char refused[YB_AUTH_TEXT]; /* suspended, or this protocol is off: the sentence to tell once
                                   the password proved right; empty: may log in */
    char verifier[YB_AUTH_VERIFIER];    /* as lib/cred knows it; empty: no password set */
    const struct yb_str *app_passwords; /* their hashes (lib/cred), in the caller's arena */
    size_t n_app_passwords;
};

struct yb_auth_source {
    void *arg;
    /* Fills *out for a login name as typed ("user@domain"). 0, or -1 with *err (YB_TEMP) when that
     * cannot be known now. */
    int (*lookup)(void *arg, struct yb_str name, struct yb_arena *arena, struct yb_auth_record *out,
                  struct yb_err *err);
    /* Replaces `old` (and nothing else) by `fresh` after a right password; may be NULL. */
    int (*upgrade)(void *arg, struct yb_account_id account, struct yb_str old, struct yb_str fresh,
                   struct yb_err *err);
};

/* By which one verifier is told from another later; it fits nothing. */
uint64_t yb_auth_proof(struct yb_str verifier);

/* What the user wants to use, for his own switches. */
enum yb_auth_protocol { YB_AUTH_IMAP, YB_AUTH_POP3, YB_AUTH_SUBMISSION };

struct yb_login;
struct yb_directory_change;
struct yb_directory_hashes;

/* Where online.h learns what became of accounts. */
struct yb_online_source {
    void *arg;
    enum yb_auth_protocol protocol;
    int64_t notice_ms; /* how long the second of two changes may take until it is heard of */
    /* As yb_directory_logins(), _hashes_of() and _on_change(); names are "local@domain". */
    int (*logins)(void *arg, const struct yb_str *names, size_t n, struct yb_arena *arena,
                  struct yb_login *out, bool *asked, struct yb_err *err);
    void (*hashes)(void *arg, struct yb_str name, struct yb_tenant_id tenant,
                   struct yb_directory_hashes *out);
    void (*on_change)(void *arg, void (*changed)(void *, const struct yb_directory_change *),
                      void *to);
    /* A mailbox in this store cannot be used here any more (yb_directory_elsewhere()); NULL: whoever logs in
     * uses none. */
    bool (*elsewhere)(void *arg, struct yb_store_id store);
};

/* Asks the directory. */
struct yb_auth_source yb_auth_source_directory(struct yb_directory *d, enum yb_auth_protocol p);
struct yb_online_source yb_online_source_directory(struct yb_directory *d, enum yb_auth_protocol p);

#endif
