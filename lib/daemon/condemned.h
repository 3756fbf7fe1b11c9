/*
 * What was condemned, beyond the parent's life: a file of notes in the daemon's state folder. It is
 * of one build of the program: another one may have mended what was wrong, and tries again. The
 * operator may delete it.
 */
#ifndef YB_DAEMON_CONDEMNED_H
#define YB_DAEMON_CONDEMNED_H

#include "lib/base/err.h"
#include "lib/daemon/notes.h"

#define YB_CONDEMNED_FILE "condemned"

/* Adds one; over YB_NOTES_KNOWN the oldest goes. Only one process at a time may do that. */
int yb_condemned_add(const char *state_dir, const struct yb_note *note,
                     struct yb_err *err) YB_MUST_USE;
/* Those of this build, oldest first; none when the file is not there or makes no sense. */
size_t yb_condemned_read(const char *state_dir, struct yb_note notes[YB_NOTES_KNOWN]);

#endif
