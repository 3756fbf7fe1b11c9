/*
 * Stands between a client and the PostgreSQL of a test, and counts how often the client waits for an
 * answer. One client at a time, over a socket in a new folder of /tmp. What fails here aborts.
 */
#ifndef YB_TESTS_RELAY_H
#define YB_TESTS_RELAY_H

#include "lib/base/base.h"

struct relay;

/* In front of the server that the connection string (host=FOLDER …) names. */
struct relay *relay_start(const char *conninfo) YB_MUST_USE;
/* The same database through the relay. Valid as long as the relay. */
const char *relay_conninfo(const struct relay *r);
/* Round trips so far: whatever the client sends until the server says something is one. */
unsigned relay_trips(struct relay *r);
/* No client may be connected any more. */
void relay_free(struct relay **r);

#endif
