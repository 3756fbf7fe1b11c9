/* One value from its text: what the types of conf.h mean. Used by conf*.c, and by who takes a value that is
 * written like those of the file. */
#ifndef YB_DAEMON_CONF_VALUE_H
#define YB_DAEMON_CONF_VALUE_H

#include "lib/base/arena.h"
#include "lib/daemon/conf.h"

/*
 * Parses `text` by the row and stores it in *field (of the row's C type), texts in the arena. -1
 * with a sentence of what is wrong and what would be right. FILES and SECRETS get their paths only.
 */
int yb_conf_value_parse(const struct yb_conf_option *o, struct yb_str text, struct yb_arena *a,
                        void *field, struct yb_err *err) YB_MUST_USE;
/* The type as the manual names it: "size", "list of addresses". */
const char *yb_conf_type_name(enum yb_conf_type type);
/* The allowed range for the manual: "2 to 1024", "1K to 50M", or "" where there is none to tell. */
void yb_conf_range_text(const struct yb_conf_option *o, char *out, size_t size);

#endif
