#include "lib/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

YB_PRINTF(4, 0)
static void
err_fill(struct yb_err *err, enum yb_err_class class, const char *status, const char *fmt,
         va_list args)
{
    struct yb_err e = { .class = class }; /* apart: the arguments may point into *err */

    snprintf(e.status, sizeof(e.status), "%s", status);
    vsnprintf(e.text, sizeof(e.text), fmt, args);
    for (char *p = e.text; *p != '\0'; p++) {
        if ((unsigned char)*p < ' ' || *p == 127)
            *p = '?';
    }
    *err = e;
}

int
yb_err_set(struct yb_err *err, enum yb_err_class class, const char *status, const char *fmt, ...)
{
    va_list args;

    if (err == NULL)
        return -1;
    va_start(args, fmt);
    err_fill(err, class, status, fmt, args);
    va_end(args);
    return -1;
}

int
yb_err_as(struct yb_err *err, enum yb_err_kind kind, enum yb_err_class class, const char *status,
          const char *fmt, ...)
{
    va_list args;

    if (err == NULL)
        return -1;
    va_start(args, fmt);
    err_fill(err, class, status, fmt, args);
    va_end(args);
    err->kind = kind;
    return -1;
}

int
yb_err_inside(struct yb_err *err, enum yb_err_class class, const char *status, const char *fmt, ...)
{
    va_list args;

    if (err == NULL)
        return -1;
    va_start(args, fmt);
    err_fill(err, class, status, fmt, args);
    va_end(args);
    err->internal = true;
    return -1;
}

int
yb_err_sys(struct yb_err *err, enum yb_err_class class, const char *status, const char *fmt, ...)
{
    int sys = errno;
    char why[80];
    size_t n;
    va_list args;

    if (err == NULL)
        return -1;
    if (class == YB_TEMP && (sys == ENOSPC || sys == EDQUOT))
        status = "4.3.1"; /* RFC 3463: the mail system is full, whatever call found it out */
    va_start(args, fmt);
    err_fill(err, class, status, fmt, args);
    va_end(args);
    n = strlen(err->text);
    snprintf(err->text + n, sizeof(err->text) - n, ": %s", strerror_r(sys, why, sizeof(why)));
    err->internal = true;
    err->sys = sys;
    errno = sys;
    return -1;
}

const char *
yb_err_public(const struct yb_err *err)
{
    if (!err->internal)
        return err->text;
    if (err->sys == ENOSPC || err->sys == EDQUOT)
        return "Insufficient system storage, try again later";
    return err->class == YB_PERM ? "The request cannot be carried out"
                                 : "Temporary local problem, try again later";
}
