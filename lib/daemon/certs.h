/* The certificates and keys that a configuration names, as the engine wants them. */
#ifndef YB_DAEMON_CERTS_H
#define YB_DAEMON_CERTS_H

#include "lib/daemon/conf.h"
#include "lib/net/tls.h"

/* They as a set; *out is NULL when the configuration names none. */
int yb_certs_load(const struct yb_conf *conf, struct yb_tls_set **out,
                  struct yb_err *err) YB_MUST_USE;
/* Calls fn for each chain that ends within two weeks, or has ended: "ends on 2027-01-31". Whoever
 * renews them has two weeks to hear of it; the tools that do so by themselves renew a month before. */
void yb_certs_ending(const struct yb_conf *conf,
                     void (*fn)(void *arg, const char *path, const char *what), void *arg);

#endif
