/* The commands outside a transaction, but for AUTH. */
#include "lib/smtp/cmd.h"
#include "lib/smtp/params.h"
#include "lib/smtp/say.h"

#include <stdio.h>

/* --- hello --- */

/* What is announced to this session now. */
static void
ehlo_answer(struct yb_smtp_session *s)
{
    const struct yb_smtp_server *srv = s->server;
    bool lmtp = srv->conf.dialect == YB_SMTP_LMTP;
    struct yb_str mechanisms = { NULL, 0 };
    char size[40], auth[200];
    int n;

    smtp_reply_str(s, 250, true, NULL, yb_str_from(srv->conf.hostname));
    smtp_reply_str(s, 250, true, NULL, YB_STR("PIPELINING"));
    n = snprintf(size, sizeof(size), "SIZE %llu", (unsigned long long)srv->conf.max_message);
    smtp_reply_str(s, 250, true, NULL, yb_str(size, (size_t)n));
    smtp_reply_str(s, 250, true, NULL, YB_STR("8BITMIME"));
    smtp_reply_str(s, 250, true, NULL, YB_STR("ENHANCEDSTATUSCODES"));
    if (!lmtp && yb_conn_can_tls(s->conn) && !yb_conn_is_tls(s->conn))
        smtp_reply_str(s, 250, true, NULL, YB_STR("STARTTLS"));
    if (srv->hooks.mechanisms != NULL && !s->engine->authenticated)
        mechanisms = srv->hooks.mechanisms(s);
    if (mechanisms.n > 0) {
        n = snprintf(auth, sizeof(auth), "AUTH %.*s", YB_STR_ARG(yb_str_head(mechanisms, 190)));
        smtp_reply_str(s, 250, true, NULL, yb_str(auth, (size_t)n));
    }
    if (lmtp) /* the parameters of xparam.h are understood */
        smtp_reply_str(s, 250, true, NULL, YB_STR("XYUBIN"));
    smtp_reply_str(s, 250, true, NULL, YB_STR("CHUNKING"));
    smtp_reply_str(s, 250, false, NULL, YB_STR("SMTPUTF8"));
}

/* Whatever the name: yb_smtp_helo_text() makes of it what may be written down. */
static int
hello(struct yb_smtp_session *s, struct yb_str name, bool extended)
{
    name = yb_str_head(name, YB_SMTP_HELO_MAX);
    smtp_tx_reset(s); /* RFC 5321 §4.1.4: as RSET */
    yb_free(s->engine->helo);
    s->engine->helo = yb_dup(name.p, name.n);
    s->engine->esmtp = extended;
    s->engine->state = ST_READY;
    if (extended)
        ehlo_answer(s);
    else
        smtp_reply_str(s, 250, false, NULL, yb_str_from(s->server->conf.hostname));
    return 0;
}

int
smtp_cmd_ehlo(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err YB_UNUSED)
{
    return hello(s, arg, true);
}

int
smtp_cmd_helo(struct yb_smtp_session *s, struct yb_str arg, struct yb_err *err YB_UNUSED)
{
    return hello(s, arg, false);
}

int
smtp_cmd_starttls(struct yb_smtp_session *s, struct yb_str arg YB_UNUSED,
                  struct yb_err *err YB_UNUSED)
{
    smtp_reply(s, 220, "2.0.0", "Ready to start TLS");
    yb_conn_start_tls(s->conn);
    return 0;
}

/* --- the rest --- */

int
smtp_cmd_rset(struct yb_smtp_session *s, struct yb_str arg YB_UNUSED, struct yb_err *err YB_UNUSED)
{
    smtp_tx_reset(s);
    smtp_reply(s, 250, "2.0.0", "OK");
    return 0;
}

int
smtp_cmd_noop(struct yb_smtp_session *s, struct yb_str arg YB_UNUSED, struct yb_err *err)
{
    if (s->server->hooks.noop != NULL && s->server->hooks.noop(s, err) < 0)
        smtp_farewell(s, "4.3.2", yb_err_public(err));
    else
        smtp_reply(s, 250, "2.0.0", "OK");
    return 0;
}

/* RFC 5321 §7.3: what VRFY would tell, RCPT tells. */
int
smtp_cmd_vrfy(struct yb_smtp_session *s, struct yb_str arg YB_UNUSED, struct yb_err *err YB_UNUSED)
{
    smtp_reply(s, 252, "2.0.0", "Cannot verify, but try RCPT");
    return 0;
}

int
smtp_cmd_expn(struct yb_smtp_session *s YB_UNUSED, struct yb_str arg YB_UNUSED, struct yb_err *err)
{
    smtp_reply(s, 502, "5.5.1", "Not implemented");
    (void)err;
    return 0;
}

int
smtp_cmd_help(struct yb_smtp_session *s, struct yb_str arg YB_UNUSED, struct yb_err *err YB_UNUSED)
{
    smtp_reply(s, 214, "2.0.0", "See RFC 5321");
    return 0;
}

int
smtp_cmd_quit(struct yb_smtp_session *s, struct yb_str arg YB_UNUSED, struct yb_err *err YB_UNUSED)
{
    smtp_reply(s, 221, "2.0.0", "Bye");
    yb_conn_close(s->conn);
    return 0;
}
