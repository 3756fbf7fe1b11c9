/*
 * Fault points: named places where a test build (--enable-faults) can be told to die, fail or
 * stop. In every other build they are nothing. The environment decides:
 *   YB_FAULT="store.L2:kill:3"     the third time the process reaches store.L2 it is SIGKILLed
 *   YB_FAULT="store.fsync:fail:2"  yb_fault_fails("store.fsync") is true the second time (errno
 * EIO) YB_FAULT_LOG=/path             every point reached is counted there as a line "name"
 *   YB_FAULT_ONCE=/folder          each fault acts once, however often the process is started
 * again: a file of the point's name is made there when it acts Several entries are separated by
 * commas.
 */
#ifndef YB_BASE_FAULT_H
#define YB_BASE_FAULT_H

#include "lib/base/base.h"

#ifdef YB_FAULTS
void yb_fault(const char *point);
bool yb_fault_fails(const char *point);
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
#endif

#endif
