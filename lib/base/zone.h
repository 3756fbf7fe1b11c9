/*
 * Time zones by their IANA names ("Asia/Tokyo"), from the files of tzdata (RFC 8536): how far local
 * time is from UTC at a moment, daylight saving and its changes in history included. libc has one
 * zone a process, by an environment variable; these are values, read once and never changed, for any
 * number of threads. UTC needs no file: it is NULL.
 */
#ifndef YB_BASE_ZONE_H
#define YB_BASE_ZONE_H

#include "lib/base/err.h"
#include "lib/base/str.h"

struct yb_zone;

/* *out is NULL for UTC. PERM with a sentence for the operator: not a name, or no such zone here. */
int yb_zone_open(struct yb_str name, struct yb_zone **out, struct yb_err *err) YB_MUST_USE;
/* From the octets of a file; NULL when they are none of tzdata's. Pure. */
struct yb_zone *yb_zone_parse(struct yb_str tzif) YB_MUST_USE;
void yb_zone_free(struct yb_zone **zone);

/* Minutes east of UTC at that moment (seconds since 1970), rounded down: before there were zones,
 * local times had seconds. */
int32_t yb_zone_offset(const struct yb_zone *zone, int64_t utc);
/* The local day, in days since 1970. */
int64_t yb_zone_day(const struct yb_zone *zone, int64_t utc);

#endif
