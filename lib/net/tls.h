/*
 * Certificates and keys as one immutable, reference-counted set with an SNI table; a reload makes
 * a new set. Keys are read by the daemon's parent and come as bytes, so nothing here opens files.
 * TLS 1.2+, stateless tickets under keys shared by all nodes, no renegotiation, no session cache.
 */
#ifndef YB_NET_TLS_H
#define YB_NET_TLS_H

#include "lib/base/err.h"
#include "lib/base/str.h"

struct yb_tls_set;

struct yb_tls_pair {
    struct yb_str chain_pem, key_pem;
};

/*
 * The first pair is the default; each serves the names in its certificate (exact and one-label
 * wildcard). A key that does not fit its certificate is an error of the whole set.
 * `ticket_secret` (32 bytes, may be empty: random for this process) and the clock give the ticket
 * keys of the day and of the day before. `min_version` is 0x0303 or 0x0304. NULL with *err set.
 */
struct yb_tls_set *yb_tls_set_new(const struct yb_tls_pair *pairs, size_t n,
                                  struct yb_str ticket_secret, int min_version,
                                  struct yb_err *err) YB_MUST_USE;
/* When the first certificate of a chain ends (seconds since 1970); 0 when there is none. */
int64_t yb_tls_chain_ends(struct yb_str chain_pem);
/* Sets are shared between the daemon, the engine and the connections. _unref() sets *s to NULL. */
struct yb_tls_set *yb_tls_set_ref(struct yb_tls_set *s) YB_MUST_USE;
void yb_tls_set_unref(struct yb_tls_set **s);

#endif
