/*
 * The tables of commands, one for each dialect, and everything that is checked by their rows before
 * a command (cmd.h) runs.
 */
#include "lib/smtp/dispatch.h"

#include "lib/smtp/cmd.h"
#include "lib/smtp/say.h"

/* As much of a line that is no command yet goes into the log. */
#define VERB_SHOWN 32

/*
 * BDAT checks its state and its argument itself: whatever it answers, it must first take the octets
 * that follow. RSET, NOOP, VRFY, EXPN and HELP need no hello (RFC 5321 §4.1.4).
 * LHLO and not HELO or EHLO is LMTP's hello (RFC 2033 §4.1).
 */
/* clang-format off */
#define V(literal) YB_STR_INIT(literal)
static const struct yb_smtp_command mx_commands[] = {
    /* verb          handler            allowed states       needs            argument */
    { V("EHLO"),     smtp_cmd_ehlo,     ST_ANY,              LAST | IDLE,     ARG_REQUIRED },
    { V("HELO"),     smtp_cmd_helo,     ST_ANY,              IDLE,            ARG_REQUIRED },
    { V("STARTTLS"), smtp_cmd_starttls, ST_READY,            NO_TLS,          ARG_NONE },
    { V("MAIL"),     smtp_cmd_mail,     ST_READY,            IDLE,            ARG_REQUIRED },
    { V("RCPT"),     smtp_cmd_rcpt,     ST_MAIL | ST_RCPT,   PROGRESS,        ARG_REQUIRED },
    { V("DATA"),     smtp_cmd_data,     ST_RCPT,             LAST,            ARG_NONE },
    { V("BDAT"),     smtp_cmd_bdat,     ST_ANY,              0,               ARG_OPTIONAL },
    { V("RSET"),     smtp_cmd_rset,     ST_ANY,              IDLE,            ARG_NONE },
    { V("NOOP"),     smtp_cmd_noop,     ST_ANY,              IDLE,            ARG_OPTIONAL },
    { V("VRFY"),     smtp_cmd_vrfy,     ST_ANY,              IDLE,            ARG_REQUIRED },
    { V("EXPN"),     smtp_cmd_expn,     ST_ANY,              IDLE,            ARG_REQUIRED },
    { V("HELP"),     smtp_cmd_help,     ST_ANY,              IDLE,            ARG_OPTIONAL },
    { V("QUIT"),     smtp_cmd_quit,     ST_ANY,              0,               ARG_NONE },
};

static const struct yb_smtp_command submission_commands[] = {
    { V("EHLO"),     smtp_cmd_ehlo,     ST_ANY,              LAST | IDLE,     ARG_REQUIRED },
    { V("HELO"),     smtp_cmd_helo,     ST_ANY,              IDLE,            ARG_REQUIRED },
    { V("STARTTLS"), smtp_cmd_starttls, ST_READY,            NO_TLS,          ARG_NONE },
    { V("AUTH"),     smtp_cmd_auth,     ST_READY,            LAST | IDLE,     ARG_REQUIRED },
    { V("MAIL"),     smtp_cmd_mail,     ST_READY,            NEED_AUTH | IDLE, ARG_REQUIRED },
    { V("RCPT"),     smtp_cmd_rcpt,     ST_MAIL | ST_RCPT,   NEED_AUTH | PROGRESS, ARG_REQUIRED },
    { V("DATA"),     smtp_cmd_data,     ST_RCPT,             NEED_AUTH | LAST, ARG_NONE },
    { V("BDAT"),     smtp_cmd_bdat,     ST_ANY,              0,               ARG_OPTIONAL },
    { V("RSET"),     smtp_cmd_rset,     ST_ANY,              IDLE,            ARG_NONE },
    { V("NOOP"),     smtp_cmd_noop,     ST_ANY,              IDLE,            ARG_OPTIONAL },
    { V("VRFY"),     smtp_cmd_vrfy,     ST_ANY,              NEED_AUTH | IDLE, ARG_REQUIRED },
    { V("EXPN"),     smtp_cmd_expn,     ST_ANY,              NEED_AUTH | IDLE, ARG_REQUIRED },
    { V("HELP"),     smtp_cmd_help,     ST_ANY,              IDLE,            ARG_OPTIONAL },
    { V("QUIT"),     smtp_cmd_quit,     ST_ANY,              0,               ARG_NONE },
};

/* Our own daemons may pipeline as they like, and repeat themselves. */
static const struct yb_smtp_command lmtp_commands[] = {
    { V("LHLO"),     smtp_cmd_ehlo,     ST_ANY,              0,               ARG_REQUIRED },
    { V("MAIL"),     smtp_cmd_mail,     ST_READY,            0,               ARG_REQUIRED },
    { V("RCPT"),     smtp_cmd_rcpt,     ST_MAIL | ST_RCPT,   PROGRESS,        ARG_REQUIRED },
    { V("DATA"),     smtp_cmd_data,     ST_RCPT,             LAST,            ARG_NONE },
    { V("BDAT"),     smtp_cmd_bdat,     ST_ANY,              0,               ARG_OPTIONAL },
    { V("RSET"),     smtp_cmd_rset,     ST_ANY,              0,               ARG_NONE },
    { V("NOOP"),     smtp_cmd_noop,     ST_ANY,              IDLE,            ARG_OPTIONAL },
    { V("VRFY"),     smtp_cmd_vrfy,     ST_ANY,              IDLE,            ARG_REQUIRED },
    { V("HELP"),     smtp_cmd_help,     ST_ANY,              IDLE,            ARG_OPTIONAL },
    { V("QUIT"),     smtp_cmd_quit,     ST_ANY,              0,               ARG_NONE },
};
/* clang-format on */

const struct yb_smtp_command *
smtp_commands(enum yb_smtp_dialect dialect, size_t *n)
{
    switch (dialect) {
    case YB_SMTP_MX:
        break;
    case YB_SMTP_SUBMISSION:
        *n = YB_COUNT(submission_commands);
        return submission_commands;
    case YB_SMTP_LMTP:
        *n = YB_COUNT(lmtp_commands);
        return lmtp_commands;
    }
    *n = YB_COUNT(mx_commands);
    return mx_commands;
}

static const struct yb_smtp_command *
command_find(const struct yb_smtp_server *srv, struct yb_str verb)
{
    for (size_t i = 0; i < srv->n_table; i++) {
        if (yb_str_eqi(verb, srv->table[i].verb))
            return &srv->table[i];
    }
    return NULL;
}

/* True when a row's needs are not met; the reply is said. */
static bool
refuse_needs(struct yb_smtp_session *s, const struct yb_smtp_command *cmd)
{
    if ((cmd->needs & NEED_AUTH) != 0 && !s->engine->authenticated) {
        smtp_reply(s, 530, "5.7.0",
                   yb_conn_is_tls(s->conn) ? "Authentication required"
                                           : "Must issue a STARTTLS command first");
        return true;
    }
    if ((cmd->needs & NO_TLS) != 0 && yb_conn_is_tls(s->conn)) {
        smtp_reply(s, 503, "5.5.1", "TLS is active already");
        return true;
    }
    if ((cmd->needs & NO_TLS) != 0 && !yb_conn_can_tls(s->conn)) {
        smtp_reply(s, 502, "5.5.1", "Command not implemented");
        return true;
    }
    return false;
}

/*
 * RFC 2920 §3.1: what may not have anything behind it, has. What follows may be text that was meant
 * as a message; none of it must become a command, so the connection ends here.
 */
static bool
refuse_pipelined(struct yb_smtp_session *s, const struct yb_smtp_command *cmd)
{
    struct yb_log_line l;

    if ((cmd->needs & LAST) == 0 || !yb_conn_has_input(s->conn))
        return false;
    yb_smtp_log_begin(s, &l, YB_LOG_INFO, "limit");
    yb_log_str(&l, "reason", YB_STR("pipelining"));
    yb_log_str(&l, "verb", cmd->verb);
    yb_log_end(&l);
    yb_conn_drop_input(s->conn);
    smtp_reply(s, 503, "5.5.1", "Nothing may be pipelined behind this command, closing");
    yb_conn_close(s->conn);
    return true;
}

/*
 * RFC 5321 §4.3.1: a client waits for the greeting. Who does not has often not read what it was
 * told, and never will; but some are only hasty. So it is not turned away: it hears the greeting,
 * its first line is refused by a text that says why (a hasty EHLO may be followed by HELO, §3.2, or
 * said again), and what else it said in advance comes before any hello. BDAT refuses itself, since
 * its octets must not become commands.
 */
static bool
refuse_early(struct yb_smtp_session *s, struct yb_str line)
{
    struct yb_str verb = yb_str_word(&line);
    struct yb_log_line l;

    s->engine->early = false;
    yb_smtp_log_begin(s, &l, YB_LOG_INFO, "early");
    yb_log_str(&l, "verb", yb_str_head(verb, VERB_SHOWN));
    yb_log_end(&l);
    if (yb_str_eqi(verb, YB_STR("BDAT")))
        return false;
    smtp_reply(s, 503, "5.5.1", "You spoke before the greeting: wait for it, then begin again");
    smtp_count_error(s);
    return true;
}

static void
count_idle(struct yb_smtp_session *s, const struct yb_smtp_command *cmd)
{
    struct yb_log_line l;

    if ((cmd->needs & IDLE) == 0 || ++s->engine->idle_commands != s->server->conf.max_idle)
        return;
    yb_smtp_log_begin(s, &l, YB_LOG_INFO, "limit");
    yb_log_str(&l, "reason", YB_STR("idle commands"));
    yb_log_end(&l);
    smtp_farewell(s, "4.7.0", "too many commands without mail");
}

/* What a program of a mail system does not say; anything else may be meant well. */
static bool
is_wrong_command(const struct yb_err *err)
{
    return err->kind == YB_ERR_SYNTAX || err->kind == YB_ERR_SEQUENCE;
}

static void
run_command(struct yb_smtp_session *s, struct yb_str line)
{
    struct yb_smtp_server *srv = s->server;
    const struct yb_smtp_command *cmd;
    struct yb_err err = { 0 };
    struct yb_str verb;

    /* Spaces at the end of a line are tolerated (RFC 5321 §4.1.1), nothing else is. */
    while (line.n > 0 && line.p[line.n - 1] == ' ')
        line.n--;
    verb = yb_str_word(&line);
    cmd = command_find(srv, verb);
    if (cmd == NULL) {
        atomic_fetch_add_explicit(&srv->counts.commands[srv->n_table], 1, memory_order_relaxed);
        smtp_reply(s, 500, "5.5.2", "Unknown command");
        smtp_count_error(s);
        return;
    }
    atomic_fetch_add_explicit(&srv->counts.commands[cmd - srv->table], 1, memory_order_relaxed);
    if (refuse_pipelined(s, cmd))
        return;
    if (refuse_needs(s, cmd)) {
        smtp_count_error(s);
    } else if ((cmd->states & s->engine->state) == 0) {
        smtp_reply(s, 503, "5.5.1",
                   s->engine->state == ST_GREETED ? "Say hello first" : "Bad sequence of commands");
        smtp_count_error(s);
    } else if (cmd->arg != ARG_OPTIONAL && (cmd->arg == ARG_REQUIRED) != (line.n > 0)) {
        smtp_reply(s, 501, "5.5.4", "Syntax error in argument");
        smtp_count_error(s);
    } else if (cmd->run(s, line, &err) < 0) {
        smtp_reply_err(s, &err);
        if (is_wrong_command(&err))
            smtp_count_error(s);
    } else if ((cmd->needs & PROGRESS) != 0) {
        s->engine->idle_commands = 0;
    }
    count_idle(s, cmd);
}

void
smtp_dispatch(struct yb_smtp_session *s, struct yb_str line, unsigned flags)
{
    if (s->engine->early && refuse_early(s, line))
        return;
    if (s->engine->state == ST_AUTH) {
        smtp_auth_line(s, line, flags);
    } else if ((flags & YB_IN_TOO_LONG) != 0) {
        smtp_reply(s, 500, "5.5.2", "Line too long");
        smtp_count_error(s);
    } else if ((flags & (YB_IN_BARE_LF | YB_IN_BARE_CR | YB_IN_NUL)) != 0) {
        /* RFC 5321 §2.3.8: only CRLF ends a line. A line that two servers would end in two
         * places is no command of either. */
        smtp_reply(s, 500, "5.5.2", "Lines end with CR LF and hold no other CR, LF or NUL");
        smtp_count_error(s);
    } else {
        run_command(s, line);
    }
}
