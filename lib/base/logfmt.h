/*
 * logfmt: `key=value key="value with spaces"` on one line, the form of log lines and event
 * segments. A value is quoted when it is empty or has a space, '"', '=', '\', a control or a byte
 * above 126; inside quotes '"' and '\' get a backslash, controls and high bytes become \xNN. What
 * is written reads back exactly. Pure functions.
 */
#ifndef YB_BASE_LOGFMT_H
#define YB_BASE_LOGFMT_H

#include "lib/base/arena.h"

/*
 * Appends ` key=value` to the n bytes of `to` that has `size`; returns the new length. A value that
 * does not fit is cut (and its quotes closed), a field whose key does not fit is left out.
 */
size_t yb_logfmt_put(char *to, size_t n, size_t size, const char *key, struct yb_str value);

/* Takes the next field off *line; 1 for a field, 0 at the end, -1 when it is not logfmt. The value
 * points into the line, or into the arena where it had escapes. */
int yb_logfmt_next(struct yb_str *line, struct yb_arena *arena, struct yb_str *key,
                   struct yb_str *value) YB_MUST_USE;

#endif
