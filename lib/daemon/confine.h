/*
 * System calls that no daemon's child makes, and whoever has taken one over would like to: starting
 * programs, looking into other processes, mounts, namespaces, kernel modules, the large and seldom
 * used parts of the kernel. They fail with EPERM, whatever the unit's own filter says, also where
 * there is no systemd.
 */
#ifndef YB_DAEMON_CONFINE_H
#define YB_DAEMON_CONFINE_H

#include "lib/base/err.h"

/* A sanitizer starts a symbolizer, looks into its own process and maps terabytes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define YB_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define YB_SANITIZED 1
#endif
#endif
#ifndef YB_SANITIZED
#define YB_SANITIZED 0
#endif

/* For good, for this thread and those it starts, after no_new_privs. A kernel that has no such
 * filters is told of in the log; in sanitizer builds it does nothing. */
int yb_confine(struct yb_err *err) YB_MUST_USE;

#endif
