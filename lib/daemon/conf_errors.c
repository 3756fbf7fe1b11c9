/* What is wrong with a configuration, as lines of text. */
#include "lib/daemon/conf.h"

#include <stdarg.h>
#include <stdio.h>

#define ERRORS_LIMIT (256u << 10)

void
yb_conf_errors_init(struct yb_conf_errors *e)
{
    e->n = 0;
    e->text = yb_buf_new(ERRORS_LIMIT);
}

void
yb_conf_errors_free(struct yb_conf_errors *e)
{
    yb_buf_free(&e->text);
}

void
yb_conf_errors_add(struct yb_conf_errors *e, const char *fmt, ...)
{
    char line[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    for (char *p = line; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            *p = '?';
    yb_buf_add(e->text, yb_str_from(line));
    yb_buf_add_c(e->text, '\n');
    e->n++;
}
