/*
 * The command surface, and the dispatcher that alone checks states, TLS, arguments and counts, and
 * runs what answers piece by piece.
 */
#include "imapd/dispatch.h"

#include "imapd/cmd.h"
#include "imapd/reply.h"
#include "lib/base/clock.h"

#define ARENA_BLOCK 4096
/* How long a step waits for memory that other commands hold, who keep little of it for longer than a
 * slice. */
#define MEMORY_WAIT_MS 500

enum {
    NO_TLS = 1,   /* STARTTLS */
    NEED_TLS = 2, /* shows a password */
    NO_ARGS = 4,
    LONG = 8,        /* may answer piece by piece: gets an arena of its own */
    NO_EXPUNGE = 16, /* its numbers must hold until it is answered (RFC 3501 §7.4.1) */
    WRITES = 32,     /* the selected mailbox must be read-write */
    BY_UID = 64
};

#define START IMAPD_ST_START
#define USER (IMAPD_ST_USER | IMAPD_ST_BOX)
#define BOX IMAPD_ST_BOX
#define ANY (START | USER)

struct imapd_command {
    struct yb_str name;
    int (*run)(struct imapd_cmd *c, struct yb_err *err);
    unsigned states, needs;
};

/* clang-format off */
#define N(name) YB_STR_INIT(name)
static const struct imapd_command commands[] = {
    /* name             handler                 states  needs */
    { N("CAPABILITY"),   imapd_cmd_capability,   ANY,   NO_ARGS },
    { N("NOOP"),         imapd_cmd_noop,         ANY,   NO_ARGS },
    { N("LOGOUT"),       imapd_cmd_logout,       ANY,   NO_ARGS },
    { N("ID"),           imapd_cmd_id,           ANY,   0 },
    { N("STARTTLS"),     imapd_cmd_starttls,     START, NO_ARGS | NO_TLS },
    { N("AUTHENTICATE"), imapd_cmd_authenticate, START, NEED_TLS },
    { N("LOGIN"),        imapd_cmd_login,        START, NEED_TLS },
    { N("ENABLE"),       imapd_cmd_enable,       USER,  0 },
    { N("NAMESPACE"),    imapd_cmd_namespace,    USER,  NO_ARGS },
    { N("SELECT"),       imapd_cmd_select,       USER,  0 },
    { N("EXAMINE"),      imapd_cmd_examine,      USER,  0 },
    { N("CREATE"),       imapd_cmd_create,       USER,  0 },
    { N("DELETE"),       imapd_cmd_delete,       USER,  0 },
    { N("RENAME"),       imapd_cmd_rename,       USER,  0 },
    { N("SUBSCRIBE"),    imapd_cmd_subscribe,    USER,  0 },
    { N("UNSUBSCRIBE"),  imapd_cmd_unsubscribe,  USER,  0 },
    { N("LIST"),         imapd_cmd_list,         USER,  LONG },
    { N("LSUB"),         imapd_cmd_lsub,         USER,  LONG },
    { N("STATUS"),       imapd_cmd_status,       USER,  0 },
    { N("APPEND"),       imapd_cmd_append,       USER,  0 },
    { N("GETQUOTA"),     imapd_cmd_getquota,     USER,  0 },
    { N("GETQUOTAROOT"), imapd_cmd_getquotaroot, USER,  0 },
    { N("SETQUOTA"),     imapd_cmd_setquota,     USER,  0 },
    { N("IDLE"),         imapd_cmd_idle,         USER,  NO_ARGS },
    { N("CHECK"),        imapd_cmd_check,        BOX,   NO_ARGS },
    { N("CLOSE"),        imapd_cmd_close,        BOX,   NO_ARGS },
    { N("UNSELECT"),     imapd_cmd_unselect,     BOX,   NO_ARGS },
    { N("EXPUNGE"),      imapd_cmd_expunge,      BOX,   NO_ARGS | WRITES },
    { N("EXPUNGE"),      imapd_cmd_uid_expunge,  BOX,   WRITES | BY_UID },
    { N("FETCH"),        imapd_cmd_fetch,        BOX,   LONG | NO_EXPUNGE },
    { N("FETCH"),        imapd_cmd_fetch,        BOX,   LONG | BY_UID },
    { N("STORE"),        imapd_cmd_store,        BOX,   LONG | NO_EXPUNGE | WRITES },
    { N("STORE"),        imapd_cmd_store,        BOX,   LONG | WRITES | BY_UID },
    { N("SEARCH"),       imapd_cmd_search,       BOX,   LONG | NO_EXPUNGE },
    { N("SEARCH"),       imapd_cmd_search,       BOX,   LONG | BY_UID },
    { N("COPY"),         imapd_cmd_copy,         BOX,   LONG },
    { N("COPY"),         imapd_cmd_copy,         BOX,   LONG | BY_UID },
    { N("MOVE"),         imapd_cmd_move,         BOX,   LONG | WRITES },
    { N("MOVE"),         imapd_cmd_move,         BOX,   LONG | WRITES | BY_UID },
};
#undef N
/* clang-format on */

static const struct imapd_command *
command_find(struct yb_str name, bool uid)
{
    for (size_t i = 0; i < YB_COUNT(commands); i++) {
        if (((commands[i].needs & BY_UID) != 0) == uid && yb_str_eqi(commands[i].name, name))
            return &commands[i];
    }
    return NULL;
}

/* --- a command's life --- */

/* Between two steps: a client that does not take the answer holds no memory by it. */
static void
cmd_pause(struct imapd_cmd *c, bool more)
{
    if (!more || c->pause == NULL)
        return;
    yb_conn_flush(c->conn);
    if (yb_conn_unsent(c->conn) > 0)
        c->pause(c);
}

/* Frees a command that has an arena of its own; it lives there. */
static void
cmd_free(struct imapd_cmd *c)
{
    struct yb_arena *own = c->own_arena;

    if (c->end != NULL)
        c->end(c);
    yb_arena_free(&own);
}

/* Whether the command may go on with the memory that it has. Short ones take little and are not
 * asked: who has come so far can always leave in order; nor is one that would be refused in the
 * middle of an answer, of which it keeps little more than the place. */
static int
ask_memory(struct imapd_cmd *c, struct yb_err *err)
{
    if (c->own_arena == NULL || c->answering)
        return 0;
    switch (yb_budget_ask(c->budget, 0, MEMORY_WAIT_MS)) {
    case YB_BUDGET_OK:
        break;
    case YB_BUDGET_OVER:
        return yb_err_as(err, YB_ERR_LIMIT, YB_PERM, "5.3.4",
                         "The command needs too much memory: ask for less at once");
    case YB_BUDGET_EXHAUSTED:
        return yb_err_as(err, YB_ERR_LIMIT, YB_TEMP, "4.3.1",
                         "The server is short of memory, try again later");
    }
    return 0;
}

/* One call of the command's step (or its first run). True: it wants another. */
static bool
cmd_step(struct imapd_cmd *c, int (*step)(struct imapd_cmd *c, struct yb_err *err))
{
    struct yb_err err = { 0 };
    int rc = ask_memory(c, &err);

    c->until = yb_clock_ms() + c->s->server->slice_ms;
    if (rc == 0)
        rc = step(c, &err);
    c->has_keywords = false;
    if (rc < 0)
        imapd_refuse(c, &err);
    return rc > 0;
}

static const char *
command_refusal(const struct imapd_cmd *c, const struct imapd_command *row)
{
    bool tls = yb_conn_is_tls(c->conn);

    if ((row->states & c->s->state) == 0)
        return c->s->state == IMAPD_ST_START ? "Log in first"
               : row->states == IMAPD_ST_BOX ? "Select a mailbox first"
                                             : "Not after login";
    if ((row->needs & NO_TLS) != 0 && (tls || !yb_conn_can_tls(c->conn)))
        return tls ? "TLS is spoken already" : "TLS is not available";
    return NULL;
}

/* Account, and mailbox where the command is about it, of a session that rested. False, answered,
 * when they cannot be had. */
static bool
command_resume(struct imapd_cmd *c)
{
    struct yb_err err = { 0 };

    if ((c->row->states & START) != 0 ||
        (c->row->states == BOX ? imapd_resume(c->s, &err) : imapd_resume_account(c->s, &err)) == 0)
        return true;
    if (err.class == YB_PERM) {
        yb_buf_add(c->out, YB_STR("* BYE The mailbox was deleted or replaced, select anew\r\n"));
        c->s->closing = true;
    } else {
        yb_log_err(YB_LOG_WARN, yb_conn_log(c->conn), "imap.error", &err);
        imapd_put_err(c->out, c->tag, &err);
    }
    return false;
}

static void
command_run(struct imapd_cmd *c, const struct imapd_command *row)
{
    const char *refusal = command_refusal(c, row);
    const struct imapd_session *s = c->s;
    struct yb_err err = { 0 };

    c->row = row;
    c->no_expunge = (row->needs & NO_EXPUNGE) != 0;
    if (refusal != NULL) {
        imapd_bad(c, yb_str_from(refusal));
        return;
    }
    if ((row->needs & NEED_TLS) != 0 && !yb_conn_is_tls(c->conn)) {
        yb_err_as(&err, YB_ERR_NEED_TLS, YB_PERM, "5.7.11", "Begin TLS first");
        imapd_no(c, &err);
        return;
    }
    if ((row->needs & WRITES) != 0 && c->s->view.read_only) {
        yb_err_as(&err, YB_ERR_READ_ONLY, YB_PERM, "5.2.0", "The mailbox is selected read-only");
        imapd_no(c, &err);
        return;
    }
    if ((row->needs & NO_ARGS) != 0 ? !imapd_lex_end(&c->lex) : !imapd_lex_space(&c->lex)) {
        imapd_bad(c, yb_str_from(c->lex.why));
        return;
    }
    if (!command_resume(c))
        return;
    cmd_step(c, row->run);
    if (c->step != NULL && (s->closing || !cmd_step(c, c->step)))
        c->step = NULL;
}

/* Reads tag and name. NULL, answered, when there is no such command. */
static const struct imapd_command *
command_read(struct imapd_cmd *c)
{
    const struct imapd_command *row = NULL;
    struct yb_str name = { 0 };

    if (!imapd_lex_tag(&c->lex, &c->tag) || !imapd_lex_space(&c->lex)) {
        c->tag = yb_str(NULL, 0);
        imapd_bad(c, YB_STR("A tag and a command are missing"));
        return NULL;
    }
    if (imapd_lex_name(&c->lex, &name)) {
        c->uid = yb_str_eqi(name, YB_STR("UID"));
        if (!c->uid || (imapd_lex_char(&c->lex, ' ') && imapd_lex_name(&c->lex, &name)))
            row = command_find(name, c->uid);
    }
    if (row == NULL)
        imapd_bad(c, YB_STR("Unknown command"));
    return row;
}

/* The producer of a running command. */
static bool
produce(struct yb_conn *conn)
{
    struct imapd_session *s = yb_conn_session(conn);
    struct imapd_cmd *c = s->running;
    bool more;

    if (c == NULL)
        return false;
    c->conn = conn;
    c->scratch = yb_conn_scratch(conn);
    imapd_out_begin(c);
    more = cmd_step(c, c->step) && !s->closing;
    imapd_cmd_flush(c);
    cmd_pause(c, more);
    if (!more) {
        s->running = NULL;
        cmd_free(c);
        imapd_rest(s);
    }
    return more;
}

void
imapd_dispatch(struct yb_conn *conn, struct imapd_session *s, struct yb_str text)
{
    struct imapd_cmd first, *c = &first;
    const struct imapd_command *row;

    imapd_cmd_begin(&first, conn, yb_str(NULL, 0));
    first.lex = (struct imapd_lex){ .in = text, .arena = first.arena };
    imapd_count(s->server, IMAPD_COUNT_COMMANDS, 1);
    row = command_read(&first);
    if (row != NULL && (row->needs & LONG) != 0) {
        struct yb_arena *own = yb_arena_new_charged(ARENA_BLOCK, first.budget);

        c = yb_arena_alloc(own, 1, sizeof(*c));
        *c = first;
        c->arena = c->own_arena = c->lex.arena = own;
        c->lex.in = yb_arena_dup(own, text);
        c->tag = yb_str(c->lex.in.p, c->tag.n);
    }
    if (row != NULL)
        command_run(c, row);
    imapd_cmd_flush(c);
    if (c->own_arena == NULL)
        return;
    if (c->step == NULL || s->closing) {
        cmd_free(c);
        return;
    }
    s->running = c;
    cmd_pause(c, true);
    yb_conn_set_producer(conn, produce);
}

void
imapd_abandon(struct imapd_session *s)
{
    if (s->running == NULL)
        return;
    cmd_free(s->running);
    s->running = NULL;
}
