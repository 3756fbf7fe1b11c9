#include "lib/base/log.h"

#include "lib/base/clock.h"
#include "lib/base/logfmt.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* Set once by yb_log_init() before threads start. */
static char program[32] = "yubin";
static enum yb_log_level lowest_level = YB_LOG_INFO;

void
yb_log_init(const char *name, enum yb_log_level lowest)
{
    snprintf(program, sizeof(program), "%s", name);
    lowest_level = lowest;
}

void
yb_log_ctx_add(struct yb_log_ctx *ctx, const char *key, struct yb_str value)
{
    char fields[YB_LOG_CTX_MOST];
    size_t n;

    if (ctx->n > 0)
        memcpy(fields, ctx->fields, ctx->n);
    n = yb_logfmt_put(fields, ctx->n, sizeof(fields), key, value);
    if (n > ctx->room) {
        ctx->room = (uint16_t)n;
        ctx->fields = yb_realloc(ctx->fields, n, 1);
    }
    if (n > ctx->n)
        memcpy(ctx->fields + ctx->n, fields + ctx->n, n - ctx->n);
    ctx->n = (uint16_t)n;
}

void
yb_log_ctx_cut(struct yb_log_ctx *ctx, size_t n)
{
    yb_assert(n <= ctx->n);
    ctx->n = (uint16_t)n;
}

void
yb_log_ctx_free(struct yb_log_ctx *ctx)
{
    yb_free(ctx->fields);
    *ctx = (struct yb_log_ctx){ 0 };
}

void
yb_log_begin(struct yb_log_line *l, enum yb_log_level level, const struct yb_log_ctx *ctx,
             const char *event)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    int64_t us = yb_clock_now_us();
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;

    l->level = level;
    l->n = 0;
    if (level < lowest_level)
        return;
    gmtime_r(&seconds, &tm);
    l->n = strftime(l->text, sizeof(l->text), "ts=%Y-%m-%dT%H:%M:%S", &tm);
    l->n +=
        (size_t)snprintf(l->text + l->n, sizeof(l->text) - l->n, ".%06dZ level=%s prog=%s event=%s",
                         (int)(us % 1000000), names[level], program, event);
    if (ctx != NULL && ctx->n > 0) {
        memcpy(l->text + l->n, ctx->fields, ctx->n);
        l->n += ctx->n;
    }
}

void
yb_log_str(struct yb_log_line *l, const char *key, struct yb_str value)
{
    if (l->level >= lowest_level)
        l->n = yb_logfmt_put(l->text, l->n, sizeof(l->text) - 1, key, value);
}

void
yb_log_num(struct yb_log_line *l, const char *key, int64_t value)
{
    yb_log_fmt(l, key, "%lld", (long long)value);
}

void
yb_log_fmt(struct yb_log_line *l, const char *key, const char *fmt, ...)
{
    char text[512];
    va_list args;

    if (l->level < lowest_level)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    yb_log_str(l, key, yb_str_from(text));
}

void
yb_log_end(struct yb_log_line *l)
{
    ssize_t rc;

    if (l->level < lowest_level)
        return;
    l->text[l->n++] = '\n';
    rc = write(STDERR_FILENO, l->text, l->n);
    (void)rc; /* nobody is left to be told */
}

void
yb_log(enum yb_log_level level, const struct yb_log_ctx *ctx, const char *event, const char *fmt,
       ...)
{
    struct yb_log_line l;
    char text[512];
    va_list args;

    if (level < lowest_level)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    yb_log_begin(&l, level, ctx, event);
    yb_log_str(&l, "text", yb_str_from(text));
    yb_log_end(&l);
}

void
yb_log_err(enum yb_log_level level, const struct yb_log_ctx *ctx, const char *event,
           const struct yb_err *err)
{
    static const char *const classes[] = { "ok", "temp", "perm", "bug" };
    struct yb_log_line l;

    yb_log_begin(&l, level, ctx, event);
    yb_log_str(&l, "class", yb_str_from(classes[err->class]));
    yb_log_str(&l, "status", yb_str_from(err->status));
    yb_log_str(&l, "text", yb_str_from(err->text));
    yb_log_end(&l);
}
