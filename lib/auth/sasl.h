/*
 * Cyrus SASL as the rest of lib/auth uses it. The library is global to the process; what we hand it
 * is reached through the callbacks of each connection.
 */
#ifndef YB_AUTH_SASL_H
#define YB_AUTH_SASL_H

#include "lib/auth/attempt.h"

/* Starts the library for `a`; once at a time in a process. */
int yb_auth_sasl_start(struct yb_auth *a, struct yb_err *err) YB_MUST_USE;
void yb_auth_sasl_stop(struct yb_auth *a);
const char *yb_auth_mechanism_name(enum mechanism m);

#endif
