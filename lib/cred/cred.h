/*
 * Password schemes and SCRAM verifiers: pure functions over bytes, no policy, no I/O, thread safe.
 *
 * What is kept for a password is one string, the *verifier*, never the password:
 *     SCRAM-SHA-256$8192:<salt>$<StoredKey>:<ServerKey>    what we make (RFC 5803's form)
 * and, from imports, verified and replaced at the next login:
 *     {SHA512-CRYPT}$6$…  {SHA256-CRYPT}$5$…  {BLF-CRYPT}$2y$…  {SSHA512}…  {SSHA256}…
 * The crypt forms are also known without their braces.
 */
#ifndef YB_CRED_CRED_H
#define YB_CRED_CRED_H

#include "lib/base/err.h"
#include "lib/base/str.h"

#define YB_CRED_ITERATIONS 8192
#define YB_CRED_VERIFIER 256 /* bytes that hold any verifier we know, with its NUL */
#define YB_CRED_PASSWORD 512 /* longest password taken, in bytes, as typed */

enum yb_cred_scheme {
    YB_CRED_UNKNOWN,
    YB_CRED_SCRAM_SHA256,
    YB_CRED_SHA512_CRYPT,
    YB_CRED_SHA256_CRYPT,
    YB_CRED_BLF_CRYPT,
    YB_CRED_SSHA512,
    YB_CRED_SSHA256
};

/* The scheme of a verifier by its form; UNKNOWN when it is none of ours or is malformed. */
enum yb_cred_scheme yb_cred_scheme_of(struct yb_str verifier);
/* "SCRAM-SHA-256", "SHA512-CRYPT" …; never NULL. */
const char *yb_cred_scheme_name(enum yb_cred_scheme scheme);

/*
 * Is this a verifier we can check a password against? For imports: -1 with a PERM error that says
 * what is wrong with it ({PLAIN}, an MD5 scheme, a SCRAM string cut short …), never the string.
 */
int yb_cred_check(struct yb_str verifier, struct yb_err *err) YB_MUST_USE;

/*
 * The verifier of a new password, with a random salt, into out (YB_CRED_VERIFIER bytes).
 * `iterations` 0 means the default. PERM 5.7.8 for an empty or overlong password, one that is not
 * UTF-8, or one that holds control characters.
 */
int yb_cred_make(struct yb_str password, unsigned iterations, char out[YB_CRED_VERIFIER],
                 struct yb_err *err) YB_MUST_USE;
/* The same with a salt given: for vectors, and for fake verifiers. `salt` is 8 to 32 bytes. */
int yb_cred_make_salted(struct yb_str password, unsigned iterations, struct yb_str salt,
                        char out[YB_CRED_VERIFIER], struct yb_err *err) YB_MUST_USE;

enum yb_cred_verdict { YB_CRED_WRONG, YB_CRED_RIGHT };
/*
 * Costs what the verifier's scheme costs (milliseconds): behind a gate, on a worker. An unknown
 * scheme or an impossible password is WRONG, at once.
 */
enum yb_cred_verdict yb_cred_verify(struct yb_str verifier, struct yb_str password);
/* True when a right password should be stored anew: it is not a SCRAM verifier as it is used. One
 * with other iterations than ours stays: what a login may replace, whoever takes a daemon over may. */
bool yb_cred_needs_upgrade(struct yb_str verifier);

/* A SCRAM verifier taken apart; views into the string, base64 as it is. */
struct yb_cred_scram {
    unsigned iterations;
    struct yb_str salt, stored_key, server_key;
};
/* False when it is not a well-formed SCRAM-SHA-256 verifier. */
bool yb_cred_scram_parse(struct yb_str verifier, struct yb_cred_scram *out) YB_MUST_USE;
/* A verifier no password fits, whose salt depends on `secret` and `name` only: what SCRAM shows for
 * unknown users and for accounts without a SCRAM verifier. */
void yb_cred_fake(struct yb_str secret, struct yb_str name, unsigned iterations,
                  char out[YB_CRED_VERIFIER]);

/* A verifier no password fits that costs as much to check as `verifier` does: for names that nobody
 * has. Of an unknown scheme: a SCRAM verifier. */
void yb_cred_decoy(struct yb_str verifier, char out[YB_CRED_VERIFIER]);

/*
 * Password preparation for SCRAM (RFC 5802 §2.2: SASLprep, RFC 4013): non-ASCII spaces become
 * spaces, characters "commonly mapped to nothing" go, then NFKC; controls and the other prohibited
 * characters are refused. Code points younger than stringprep's Unicode 3.2 pass, and directions
 * are not checked: clients that mind do so themselves, the others must get in. `out` holds
 * YB_CRED_PREPARED bytes. False when there is no prepared form.
 */
#define YB_CRED_PREPARED (YB_CRED_PASSWORD * 4)
bool yb_cred_prepare(struct yb_str password, char *out, size_t *n) YB_MUST_USE;

/* --- app passwords: 128 random bits, for programs that keep them --- */

#define YB_CRED_APP_TEXT 32 /* "xxxxxx-xxxxxx-xxxxxxx-xxxxxxx" and NUL fit */
#define YB_CRED_APP_HASH 65 /* SHA-256 in lower-case hex, and NUL */
/* A new one in readable form (26 letters and digits without look-alikes, in groups), and its hash.
 */
void yb_cred_app_make(char text[YB_CRED_APP_TEXT], char hash[YB_CRED_APP_HASH]);
/* The hash of what somebody typed; false when it has not the form of an app password (spaces,
 * dashes, case and the look-alikes o, i and l do not matter), so that nothing needs comparing. */
bool yb_cred_app_hash(struct yb_str typed, char hash[YB_CRED_APP_HASH]) YB_MUST_USE;

#endif
