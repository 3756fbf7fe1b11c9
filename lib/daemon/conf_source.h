/* What conf.c may see of a source. Used by conf*.c only. */
#ifndef YB_DAEMON_CONF_SOURCE_H
#define YB_DAEMON_CONF_SOURCE_H

#include "lib/daemon/conf.h"

/* Where it was read from, and what the file said; valid as long as the source. */
const char *yb_conf_source_path(const struct yb_conf_source *s);
struct yb_str yb_conf_source_content(const struct yb_conf_source *s);
/* The bytes of a file that the configuration names. False when it was not read with it. */
bool yb_conf_source_file(const struct yb_conf_source *s, const char *path, struct yb_str *bytes);
/* The row of a section's option, or NULL; *table is set when the section is known. */
const struct yb_conf_option *yb_conf_find(const struct yb_conf_table *const *tables, size_t n,
                                          const char *section, const char *option, size_t *table);

#endif
