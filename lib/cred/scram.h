/* SCRAM's keys (RFC 5802 §3) for the files of this folder; others use cred.h. */
#ifndef YB_CRED_SCRAM_H
#define YB_CRED_SCRAM_H

#include "lib/cred/cred.h"

#define SCRAM_KEY 32 /* bytes of SHA-256 */
#define SCRAM_SALT_MIN 8
#define SCRAM_SALT_MAX 32
#define SCRAM_ITERATIONS_MIN 4096 /* RFC 7677 §4 */
#define SCRAM_ITERATIONS_MAX                                                                       \
    1000000 /* about 0.3 s: more would let a row of the database stop a worker */

/* True when `password` (prepared here) gives the verifier's StoredKey. */
bool yb_scram_verify(const struct yb_cred_scram *v, struct yb_str password);

#endif
