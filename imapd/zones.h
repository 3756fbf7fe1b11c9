/*
 * The time zones of those who are logged in, by name: each is read once, kept as long as the process
 * lives and shared by all sessions. There are as many as tzdata has, at most. Thread safe.
 */
#ifndef IMAPD_ZONES_H
#define IMAPD_ZONES_H

#include "lib/base/zone.h"

struct imapd_zones;

struct imapd_zones *imapd_zones_new(void) YB_MUST_USE;
/* No session may be left. */
void imapd_zones_free(struct imapd_zones **z);
/* NULL for UTC, and for a name that this machine's tzdata does not have: that is told in the log. */
const struct yb_zone *imapd_zone(struct imapd_zones *z, struct yb_str name);

#endif
