/*
 * Structured log: one logfmt line on stderr per event, written in one write(2), so that lines of
 * threads do not mix. Event names (`smtp.rcpt.reject`) are an interface, listed in docs/events.md.
 * No credentials, no message content.
 */
#ifndef YB_BASE_LOG_H
#define YB_BASE_LOG_H

#include "lib/base/err.h"
#include "lib/base/str.h"

enum yb_log_level { YB_LOG_DEBUG, YB_LOG_INFO, YB_LOG_WARN, YB_LOG_ERROR };

/*
 * Context attached once and inherited: "sid=… user=…" fields that every line below it carries.
 * Built with yb_log_ctx_add() from all zeros; text is cut at YB_LOG_CTX_MOST, never overflows. Each
 * connection has one: it takes what it holds, not the most.
 */
#define YB_LOG_CTX_MOST 320
struct yb_log_ctx {
    char *fields;
    uint16_t n, room;
};

/* Adds ` key=value`, the value quoted and escaped where needed. */
void yb_log_ctx_add(struct yb_log_ctx *ctx, const char *key, struct yb_str value);
void yb_log_ctx_cut(struct yb_log_ctx *ctx, size_t n);
/* All zeros again. */
void yb_log_ctx_free(struct yb_log_ctx *ctx);

/* Name of the program in every line, and the lowest level written. Call before threads. */
void yb_log_init(const char *program, enum yb_log_level lowest);
/*
 * A line is begun, filled field by field and ended: groups of key, format and arguments in one
 * variadic call could not be checked by the compiler. Every string is escaped; a line that would be
 * too long is cut.
 */
struct yb_log_line {
    enum yb_log_level level;
    size_t n;
    char text[1500];
};
void yb_log_begin(struct yb_log_line *l, enum yb_log_level level, const struct yb_log_ctx *ctx,
                  const char *event);
void yb_log_str(struct yb_log_line *l, const char *key, struct yb_str value);
void yb_log_num(struct yb_log_line *l, const char *key, int64_t value);
void yb_log_fmt(struct yb_log_line *l, const char *key, const char *fmt, ...) YB_PRINTF(3, 4);
void yb_log_end(struct yb_log_line *l);
/* The common case: an event with a free text `text=`. */
void yb_log(enum yb_log_level level, const struct yb_log_ctx *ctx, const char *event,
            const char *fmt, ...) YB_PRINTF(4, 5);
/* An event with class, status and text of *err. */
void yb_log_err(enum yb_log_level level, const struct yb_log_ctx *ctx, const char *event,
                const struct yb_err *err);

#endif
