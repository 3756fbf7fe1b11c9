/* The file format: libinih with line numbers and nothing accepted silently. Used by conf*.c only.
 */
#ifndef YB_DAEMON_CONF_INI_H
#define YB_DAEMON_CONF_INI_H

#include "lib/daemon/conf.h"

#define YB_CONF_LINE 4000 /* longest line */

/* One `option = value` of the file. */
struct yb_conf_entry {
    const char *section, *option; /* section is "" above the first one */
    struct yb_str value;
    int line;
};

/*
 * Calls fn for each entry in order. Lines that are neither empty, comment, section nor
 * `option = value` are told in *e (NULL: passed over), as of the file `path`.
 */
void yb_conf_ini_parse(const char *path, struct yb_str text,
                       void (*fn)(void *arg, const struct yb_conf_entry *entry), void *arg,
                       struct yb_conf_errors *e);

#endif
