/*
 * The dispatcher, the replies and the life of a session. The walk of a line: lib/net calls
 * service_line(), which refuses what is no line of SMTP and hands the rest to dispatch(); that
 * finds the command's row and checks everything the row says before the handler (commands.c) runs.
 */
#include "lib/smtp/server.h"

#include "lib/smtp/reply.h"
#include "lib/smtp/session.h"

#include <netinet/in.h>
#include <stdio.h>

#define MAX_RCPT 100
#define MAX_ERRORS 20
#define MAX_IDLE 100
#define MAX_HOPS 50
#define COMMAND_TIMEOUT_MS 300000
#define DATA_TIMEOUT_MS 300000
#define DATA_TOTAL_MS 7200000
/* Memory of a transaction: what a usual one needs, so that it takes one block. */
#define TX_BLOCK 4000
/* As much of a line that is no command yet goes into the log. */
#define VERB_SHOWN 32

/* --- the server --- */

struct yb_smtp_server *
yb_smtp_server_new(const struct yb_smtp_conf *conf, const struct yb_smtp_hooks *hooks, void *arg)
{
    struct yb_smtp_server *srv = yb_alloc(1, sizeof(*srv));
    struct yb_smtp_conf *c = &srv->conf;

    yb_assert(hooks->connect != NULL && hooks->rcpt != NULL && hooks->message != NULL);
    yb_assert((conf->pool != NULL) != (hooks->block != NULL));
    *c = *conf;
    srv->hooks = *hooks;
    srv->arg = arg;
    c->max_rcpt = c->max_rcpt == 0 ? MAX_RCPT : c->max_rcpt;
    c->max_errors = c->max_errors == 0 ? MAX_ERRORS : c->max_errors;
    c->max_idle = c->max_idle == 0 ? MAX_IDLE : c->max_idle;
    c->max_hops = c->max_hops == 0 ? MAX_HOPS : c->max_hops;
    if (c->command_timeout_ms == 0)
        c->command_timeout_ms = COMMAND_TIMEOUT_MS;
    if (c->data_timeout_ms == 0)
        c->data_timeout_ms = DATA_TIMEOUT_MS;
    if (c->data_total_ms == 0)
        c->data_total_ms = DATA_TOTAL_MS;
    switch (c->dialect) {
    case YB_SMTP_MX:
        srv->table = smtp_mx_commands;
        srv->n_table = smtp_mx_n_commands;
        break;
    case YB_SMTP_SUBMISSION:
        srv->table = smtp_submission_commands;
        srv->n_table = smtp_submission_n_commands;
        break;
    case YB_SMTP_LMTP:
        srv->table = smtp_lmtp_commands;
        srv->n_table = smtp_lmtp_n_commands;
        break;
    }
    yb_assert(srv->n_table < YB_SMTP_COMMANDS);
    return srv;
}

void
yb_smtp_server_free(struct yb_smtp_server **srv)
{
    yb_free(*srv);
    *srv = NULL;
}

void *
yb_smtp_server_arg(const struct yb_smtp_server *srv)
{
    return srv->arg;
}

const struct yb_smtp_conf *
yb_smtp_server_conf(const struct yb_smtp_server *srv)
{
    return &srv->conf;
}

const struct yb_smtp_counts *
yb_smtp_server_counts(const struct yb_smtp_server *srv)
{
    return &srv->counts;
}

const char *
yb_smtp_count_name(const struct yb_smtp_server *srv, size_t i)
{
    if (i < srv->n_table)
        return srv->table[i].verb.p;
    return i == srv->n_table ? "unknown" : NULL;
}

void
yb_smtp_server_drain(struct yb_smtp_server *srv)
{
    atomic_store(&srv->draining, true);
}

/* --- replies --- */

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

/* --- log --- */

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

/* --- transaction --- */

void
smtp_tx_begin(struct yb_smtp_session *s)
{
    struct yb_arena *arena = yb_arena_new(TX_BLOCK);

    yb_assert(s->tx == NULL);
    s->tx = yb_arena_alloc(arena, 1, sizeof(*s->tx));
    s->tx->arena = arena;
}

/* The one place where a transaction ends, however it went. */
void
smtp_tx_reset(struct yb_smtp_session *s)
{
    struct yb_arena *arena;

    if ((s->engine->state & (ST_GREETED | ST_AUTH)) == 0)
        s->engine->state = ST_READY;
    memset(&s->engine->in, 0, sizeof(s->engine->in));
    if (s->tx == NULL)
        return;
    yb_conn_set_deadline(s->conn, 0); /* of its message, begun or whole */
    if (s->server->hooks.reset != NULL)
        s->server->hooks.reset(s);
    yb_msgbuf_free(&s->tx->message);
    yb_log_ctx_cut(yb_conn_log(s->conn), s->engine->log_n);
    arena = s->tx->arena;
    s->tx = NULL; /* it lies in the arena */
    s->engine->last_rcpt = NULL;
    yb_arena_free(&arena);
}

/* --- dispatch --- */

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

static void
dispatch(struct yb_smtp_session *s, struct yb_str line)
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
        if (err.class == YB_PERM && strncmp(err.status, "5.5.", 4) == 0)
            smtp_count_error(s);
    } else if ((cmd->needs & PROGRESS) != 0) {
        s->engine->idle_commands = 0;
    }
    count_idle(s, cmd);
}

/* --- what lib/net calls --- */

/* A number for the client's network: IPv4 /24, IPv6 /64; 0 for unix sockets. */
static uint64_t
network_of(const struct sockaddr *sa)
{
    uint64_t n = 0;

    if (sa == NULL)
        return 0;
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;

        return (uint64_t)(ntohl(in->sin_addr.s_addr) >> 8) | (uint64_t)1 << 32;
    }
    if (sa->sa_family == AF_INET6) {
        const uint8_t *v = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr.s6_addr;

        if (IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr))
            return (uint64_t)v[12] << 16 | (uint64_t)v[13] << 8 | v[14] | (uint64_t)1 << 32;
        for (size_t i = 0; i < 8; i++)
            n = n << 8 | v[i];
    }
    return n;
}

static struct yb_smtp_session *
session_of(struct yb_conn *c)
{
    struct yb_smtp_session *s = yb_conn_session(c);

    if (s != NULL)
        s->conn = c;
    return s;
}

/* A session and the engine's part of it, in one piece of memory. */
struct both {
    struct yb_smtp_session session;
    struct yb_smtp_engine engine;
};

static void
service_opened(struct yb_conn *c)
{
    struct both *both = yb_alloc(1, sizeof(*both));
    struct yb_smtp_session *s = &both->session;
    struct yb_err err = { 0 };
    char text[200];

    s->engine = &both->engine;
    s->server = yb_conn_listener_arg(c);
    s->conn = c;
    s->engine->state = ST_GREETED;
    s->network = network_of(yb_conn_peer(c));
    s->id = yb_conn_session_id(c);
    yb_conn_set_session(c, s);
    yb_conn_set_timeout(c, s->server->conf.command_timeout_ms);
    if (atomic_load(&s->server->draining)) {
        smtp_farewell(s, "4.3.2", "shutting down");
        return;
    }
    if (s->server->hooks.connect(s, &err) < 0) {
        smtp_log_refusal(s, "connect.reject", NULL, &err);
        if (err.class == YB_PERM)
            smtp_reply(s, 554, "5.7.1", yb_err_public(&err));
        else
            smtp_farewell(s, "4.3.2", yb_err_public(&err));
        yb_conn_close(c);
        return;
    }
    /* In TLS the client's hello came first, as it must. */
    s->engine->early = !yb_conn_is_tls(c) && yb_conn_has_input(c);
    (void)snprintf(text, sizeof(text), "%.150s %s ready", s->server->conf.hostname,
                   s->server->conf.dialect == YB_SMTP_LMTP ? "LMTP" : "ESMTP");
    smtp_reply(s, 220, NULL, text);
}

static void
service_line(struct yb_conn *c, struct yb_str line, unsigned flags)
{
    struct yb_smtp_session *s = session_of(c);

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
        dispatch(s, line);
    }
}

static void
service_data(struct yb_conn *c, struct yb_str block, bool last, unsigned flags)
{
    smtp_data_block(session_of(c), block, last, flags);
}

/* RFC 3207 §4.2: everything said before is forgotten. */
static void
service_tls_started(struct yb_conn *c)
{
    struct yb_smtp_session *s = session_of(c);

    smtp_tx_reset(s);
    s->engine->state = ST_GREETED;
    yb_free(s->engine->helo);
    s->engine->helo = NULL;
    s->engine->esmtp = false;
}

static void
service_timed_out(struct yb_conn *c)
{
    struct yb_smtp_session *s = session_of(c);
    struct yb_log_line l;

    yb_smtp_log_begin(s, &l, YB_LOG_INFO, "timeout");
    yb_log_str(&l, "in", s->engine->in.active ? YB_STR("data") : YB_STR("command"));
    yb_log_end(&l);
    smtp_farewell(s, "4.4.2", "waited too long for you");
}

static void
service_closed(struct yb_conn *c)
{
    struct yb_smtp_session *s = session_of(c);

    if (s == NULL)
        return;
    smtp_tx_reset(s);
    if (s->server->hooks.closed != NULL)
        s->server->hooks.closed(s);
    yb_free(s->engine->helo);
    yb_free(s); /* the engine's part with it */
    yb_conn_set_session(c, NULL);
}

/* clang-format off */
#define SERVICE(service_name)                                                                      \
    {                                                                                              \
        .name = service_name, .busy_text = "421 4.3.2 Too many connections, try again later",      \
        .opened = service_opened, .line = service_line, .data = service_data,                      \
        .tls_started = service_tls_started, .timed_out = service_timed_out,                        \
        .closed = service_closed                                                                   \
    }
const struct yb_service yb_smtp_service = SERVICE("smtp");
const struct yb_service yb_submission_service = SERVICE("submission");
const struct yb_service yb_lmtp_service = SERVICE("lmtp");
/* clang-format on */
