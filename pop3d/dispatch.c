/* The table of commands, and everything that is checked before a command (cmd.h) runs. */
#include "pop3d/dispatch.h"

#include "pop3d/cmd.h"
#include "pop3d/reply.h"

enum {
    NEED_TLS = 1, /* shows a password */
    NO_TLS = 2
};

enum argument { ARG_NONE, ARG_REQUIRED, ARG_OPTIONAL };

struct command {
    struct yb_str verb;
    pop3d_command *run;
    unsigned states, needs;
    enum argument argument;
};

#define V(verb) YB_STR_INIT(verb)
#define ANY (POP3D_AUTHORIZATION | POP3D_USER | POP3D_TRANSACTION)
#define BEFORE (POP3D_AUTHORIZATION | POP3D_USER)

static const struct command commands[] = {
    /* clang-format off */
    /* verb      handler            states               needs     argument */
    { V("CAPA"), pop3d_capa,        ANY,                 0,        ARG_NONE },
    { V("STLS"), pop3d_stls,        BEFORE,              NO_TLS,   ARG_NONE },
    { V("USER"), pop3d_user,        BEFORE,              NEED_TLS, ARG_REQUIRED },
    { V("PASS"), pop3d_pass,        POP3D_USER,          NEED_TLS, ARG_REQUIRED },
    { V("AUTH"), pop3d_auth,        BEFORE,              NEED_TLS, ARG_REQUIRED },
    { V("STAT"), pop3d_stat,        POP3D_TRANSACTION,   0,        ARG_NONE },
    { V("LIST"), pop3d_list,        POP3D_TRANSACTION,   0,        ARG_OPTIONAL },
    { V("UIDL"), pop3d_uidl,        POP3D_TRANSACTION,   0,        ARG_OPTIONAL },
    { V("RETR"), pop3d_retr,        POP3D_TRANSACTION,   0,        ARG_REQUIRED },
    { V("TOP"),  pop3d_top_command, POP3D_TRANSACTION,   0,        ARG_REQUIRED },
    { V("DELE"), pop3d_dele,        POP3D_TRANSACTION,   0,        ARG_REQUIRED },
    { V("NOOP"), pop3d_noop,        POP3D_TRANSACTION,   0,        ARG_NONE },
    { V("RSET"), pop3d_rset,        POP3D_TRANSACTION,   0,        ARG_NONE },
    { V("QUIT"), pop3d_quit,        ANY,                 0,        ARG_NONE },
    /* clang-format on */
};

static const struct command *
command_find(struct yb_str verb)
{
    for (size_t i = 0; i < YB_COUNT(commands); i++)
        if (yb_str_eqi(verb, commands[i].verb))
            return &commands[i];
    return NULL;
}

/* Says no. */
static void
nonsense(struct yb_conn *c, struct pop3d_session *s, const char *text)
{
    yb_conn_printf(c, "-ERR %s\r\n", text);
    pop3d_nonsense(c, s);
}

/* What must be true before this command may run; says so and returns false when it is not. */
static bool
may_run(struct yb_conn *c, struct pop3d_session *s, const struct command *cmd, struct yb_str arg)
{
    const char *text = NULL;

    if ((cmd->states & (unsigned)s->state) == 0)
        text = s->state == POP3D_TRANSACTION ? "You are logged in already"
               : cmd->states == POP3D_USER   ? "USER comes first"
                                             : "Log in first";
    else if ((cmd->needs & NEED_TLS) != 0 && !yb_conn_is_tls(c))
        text = "Encryption is needed before a password: use STLS";
    else if ((cmd->needs & NO_TLS) != 0 && (yb_conn_is_tls(c) || !yb_conn_can_tls(c)))
        text = yb_conn_is_tls(c) ? "This connection is encrypted already" : "No encryption here";
    else if (cmd->argument != ARG_OPTIONAL && (cmd->argument == ARG_REQUIRED) != (arg.n > 0))
        text = cmd->argument == ARG_REQUIRED ? "An argument is missing" : "There is no argument";
    if (text != NULL)
        nonsense(c, s, text);
    return text == NULL;
}

void
pop3d_dispatch(struct yb_conn *c, struct pop3d_session *s, struct yb_str line, unsigned flags)
{
    const struct command *cmd;
    struct yb_str verb, arg;

    if ((flags & (YB_IN_TOO_LONG | YB_IN_NUL | YB_IN_BARE_CR)) != 0) {
        yb_auth_abandon(&s->exchange);
        yb_conn_set_line_limit(c, POP3D_COMMAND_LINE);
        nonsense(c, s, (flags & YB_IN_TOO_LONG) != 0 ? "Line too long" : "Forbidden character");
        return;
    }
    if (s->exchange != NULL) {
        pop3d_auth_line(c, s, line);
        if (s->exchange == NULL)
            yb_conn_set_line_limit(c, POP3D_COMMAND_LINE);
        return;
    }
    /* Only one space belongs to the command: a password may begin or end with more. */
    verb = yb_str_head(line, yb_str_find(line, ' '));
    arg = yb_str_skip(line, verb.n + 1);
    cmd = command_find(verb);
    if (cmd == NULL)
        nonsense(c, s, "Unknown command");
    else if (may_run(c, s, cmd, arg))
        cmd->run(c, s, arg);
}
