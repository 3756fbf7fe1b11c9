#include "lib/smtp/say.h"

#include "lib/smtp/events.h"
#include "lib/smtp/reply.h"

#include <stdio.h>

void
smtp_reply_str(struct yb_smtp_session *s, int code, bool more, const char *status,
               struct yb_str text)
{
    char line[YB_SMTP_REPLY_LINE], ascii[YB_SMTP_REPLY_LINE];
    size_t n;

    /* RFC 6531 §3.7.4.2: only who said SMTPUTF8 is shown more than ASCII. */
    if (s->tx == NULL || !s->tx->utf8)
        text = yb_str(ascii, yb_str_put_ascii(yb_str_head(text, sizeof(ascii)), ascii));
    n = yb_smtp_reply_format(line, code, more, status, text);
    yb_conn_write(s->conn, yb_str(line, n));
}

void
smtp_reply(struct yb_smtp_session *s, int code, const char *status, const char *text)
{
    smtp_reply_str(s, code, false, status, yb_str_from(text));
}

void
smtp_reply_err(struct yb_smtp_session *s, const struct yb_err *err)
{
    char status[10];
    int code = yb_smtp_reply_code(err, status);

    smtp_reply(s, code, status, yb_err_public(err));
}

void
smtp_farewell(struct yb_smtp_session *s, const char *status, const char *text)
{
    char line[160];

    (void)snprintf(line, sizeof(line), "%.80s %s, closing", s->server->conf.hostname, text);
    smtp_reply(s, 421, status, line);
    yb_conn_close(s->conn);
}

void
smtp_count_error(struct yb_smtp_session *s)
{
    struct yb_log_line l;

    s->engine->errors++;
    if (s->engine->errors != s->server->conf.max_errors)
        return;
    yb_smtp_log_begin(s, &l, YB_LOG_INFO, "limit");
    yb_log_str(&l, "reason", YB_STR("errors"));
    yb_log_end(&l);
    smtp_farewell(s, "4.7.0", "too many errors");
}

void
yb_smtp_log_begin(struct yb_smtp_session *s, struct yb_log_line *l, enum yb_log_level level,
                  const char *what)
{
    char event[48];

    (void)snprintf(event, sizeof(event), "%s.%s", s->server->conf.name, what);
    yb_log_begin(l, level, yb_conn_log(s->conn), event);
}

void
smtp_log_refusal(struct yb_smtp_session *s, const char *what, const struct yb_smtp_rcpt *r,
                 const struct yb_err *err)
{
    struct yb_log_line l;
    char status[10];
    int code = yb_smtp_reply_code(err, status);

    yb_smtp_log_begin(s, &l, err->class == YB_BUG ? YB_LOG_ERROR : YB_LOG_INFO, what);
    yb_log_num(&l, "code", code);
    yb_log_str(&l, "class", yb_str_from(status));
    if (s->tx != NULL)
        yb_log_str(&l, "from", s->tx->from_text);
    if (r != NULL)
        yb_log_str(&l, "to", r->text);
    if (s->engine->helo != NULL)
        yb_log_str(&l, "helo", yb_str_from(s->engine->helo));
    yb_log_str(&l, "reason", yb_str_from(err->text));
    yb_log_end(&l);
    smtp_event_refused(s, what, r, err);
}
