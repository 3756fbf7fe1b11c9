/*
 * Fault points: named places where a test build (--enable-faults) can be told to die, fail or
 * stop. In every other build they are nothing. The environment decides:
 *   YB_FAULT="store.L2:kill:3"     the third time the process reaches store.L2 it is SIGKILLed
 *   YB_FAULT="store.fsync:fail:2"  yb_fault_fails("store.fsync") is true the second time (EIO)
 *                                  (several entries are separated by commas)
 *   YB_FAULT_LOG=/path             every point reached is counted there as a line "name"
 *   YB_FAULT_ONCE=/folder          each fault acts once, however often the process is started
 *                                  again: a file of the point's name is made there when it acts
 *   YB_FAULT_MARK="imapd.parse:text"  who comes to imapd.parse with bytes in which the text stands
 *                                  aborts, every time
 *   YB_BOOT_ID=32 hex digits       what the store takes for the id of this boot
 *   YB_PORTABLE=1                  the store's form for any file system, whatever it lies on
 */
#ifndef YB_BASE_FAULT_H
#define YB_BASE_FAULT_H

#include "lib/base/str.h"

#ifdef YB_FAULTS
void yb_fault(const char *point);
bool yb_fault_fails(const char *point);
void yb_fault_marked(const char *point, struct yb_str bytes);
/* A variable of the environment that only a test build looks at; NULL when it is not set. */
const char *yb_fault_setting(const char *name);
#else
static inline void
yb_fault(const char *point YB_UNUSED)
{
}
static inline bool
yb_fault_fails(const char *point YB_UNUSED)
{
    return false;
}
static inline void
yb_fault_marked(const char *point YB_UNUSED, struct yb_str bytes YB_UNUSED)
{
}
static inline const char *
yb_fault_setting(const char *name YB_UNUSED)
{
    return NULL;
}
#endif

#endif
