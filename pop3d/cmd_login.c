/* Before the mailbox is open: CAPA, STLS, and the ways to log in. */
#include "pop3d/cmd.h"
#include "pop3d/reply.h"

#include "lib/base/clock.h"

#define SLICE_MS 20 /* of work, then others have their turn */

void
pop3d_capa(struct yb_conn *c, struct pop3d_session *s, struct yb_str arg YB_UNUSED)
{
    struct yb_auth_facts facts;

    yb_conn_write(c,
                  YB_STR("+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n"));
    if (s->state != POP3D_TRANSACTION && yb_conn_is_tls(c)) {
        yb_auth_facts_of(c, &facts);
        yb_conn_printf(c, "USER\r\nSASL %.*s\r\n",
                       YB_STR_ARG(yb_auth_mechanisms(s->pop3d->auth, &facts)));
    } else if (s->state != POP3D_TRANSACTION && yb_conn_can_tls(c)) {
        yb_conn_write(c, YB_STR("STLS\r\n"));
    }
    yb_conn_write(c, YB_STR(".\r\n"));
}

void
pop3d_stls(struct yb_conn *c, struct pop3d_session *s YB_UNUSED, struct yb_str arg YB_UNUSED)
{
    yb_conn_write(c, YB_STR("+OK Begin TLS\r\n"));
    yb_conn_start_tls(c);
}

/* Opens the maildrop of who proved himself. */
static int
open_maildrop(struct yb_conn *c, struct pop3d_session *s, const struct yb_auth_user *user,
              struct yb_err *err)
{
    if (atomic_load(&s->pop3d->draining))
        return yb_err_set(err, YB_TEMP, "4.3.2", "The server is being stopped; try again");
    if (s->pop3d->serves != NULL && s->pop3d->serves(s->pop3d->home, user->store, err) < 0)
        return -1;
    if (!yb_conn_set_account(c, user->account, s->pop3d->max_per_account))
        return yb_err_as(err, YB_ERR_IN_USE, YB_TEMP, "4.7.0",
                         "Your account has too many connections: close one of them");
    return pop3d_maildrop_open(s->pop3d->store, user->account, &s->drop, err);
}

/* The maildrop is open, and all is known of it. */
static void
opened(struct yb_conn *c, struct pop3d_session *s)
{
    struct pop3d_totals all = pop3d_maildrop_totals(s->drop);
    struct yb_log_line line;

    s->state = POP3D_TRANSACTION;
    yb_log_begin(&line, YB_LOG_INFO, yb_conn_log(c), "pop3.open");
    yb_log_num(&line, "messages", (int64_t)all.messages);
    yb_log_num(&line, "bytes", (int64_t)all.bytes);
    yb_log_end(&line);
    yb_conn_printf(c, "+OK %zu messages (%llu octets)\r\n", all.messages,
                   (unsigned long long)all.bytes);
}

/* A slice of what has to be counted first; a producer, too: no command is heard meanwhile. */
static bool
count_some(struct yb_conn *c)
{
    struct pop3d_session *s = yb_conn_session(c);

    if (pop3d_maildrop_count_octets(s->drop, yb_clock_ms() + SLICE_MS))
        return true;
    opened(c, s);
    return false;
}

static void
welcome(struct yb_conn *c, struct pop3d_session *s, const struct yb_auth_user *user)
{
    struct yb_log_ctx *log = yb_conn_log(c);
    size_t n_log = log->n;
    struct yb_err err = { 0 };
    uint64_t tenant;

    yb_log_ctx_add(log, "user", yb_str_from(user->address));
    if (open_maildrop(c, s, user, &err) < 0) {
        if (err.kind == YB_ERR_IN_USE)
            atomic_fetch_add(&s->pop3d->counts.in_use, 1);
        yb_log_err(YB_LOG_WARN, log, "pop3.open.failed", &err);
        yb_log_ctx_cut(log, n_log);
        pop3d_reply_err(c, &err);
        s->state = POP3D_AUTHORIZATION;
        return;
    }
    memcpy(&tenant, user->tenant.v, sizeof(tenant));
    yb_conn_set_fair_key(c, tenant);
    yb_conn_set_deadline(c, 0);
    yb_conn_set_timeout(c, s->pop3d->timeout_ms);
    yb_online_add(s->pop3d->online, &s->online, c, user);
    if (count_some(c))
        yb_conn_set_producer(c, count_some);
}

/*
 * Not logged in. Only refused logins bring the end nearer, not our own troubles; what is no login
 * (not base64, no such mechanism, "*") is nonsense like any other.
 */
static void
refuse(struct yb_conn *c, struct pop3d_session *s, const struct yb_err *err)
{
    bool no_login = err->kind == YB_ERR_SYNTAX || err->kind == YB_ERR_UNSUPPORTED ||
                    err->kind == YB_ERR_CANCELLED;

    s->state = POP3D_AUTHORIZATION;
    pop3d_reply_err(c, err);
    if (err->class != YB_PERM)
        return;
    if (no_login)
        pop3d_nonsense(c, s);
    else if (++s->failures >= s->pop3d->max_failures)
        yb_conn_close(c);
}

void
pop3d_user(struct yb_conn *c, struct pop3d_session *s, struct yb_str arg)
{
    yb_free(s->user);
    s->user = yb_dup(arg.p, arg.n);
    s->state = POP3D_USER;
    yb_conn_write(c, YB_STR("+OK Password, please\r\n"));
}

void
pop3d_pass(struct yb_conn *c, struct pop3d_session *s, struct yb_str arg)
{
    struct yb_auth_facts facts;
    struct yb_auth_user user;
    struct yb_err err = { 0 };
    int rc;

    yb_auth_facts_of(c, &facts);
    rc = yb_auth_password(s->pop3d->auth, yb_str_from(s->user), arg, &facts, &user, &err);
    yb_free(s->user);
    s->user = NULL;
    if (rc == 0)
        welcome(c, s, &user);
    else
        refuse(c, s, &err);
}

/* Tells what an exchange came to (RFC 5034 §4). */
static void
answer(struct yb_conn *c, struct pop3d_session *s, const struct yb_auth_outcome *out)
{
    switch (out->result) {
    case YB_AUTH_CONTINUE:
        yb_conn_set_line_limit(c, YB_AUTH_LINE);
        yb_conn_printf(c, "+ %.*s\r\n", YB_STR_ARG(out->challenge));
        break;
    case YB_AUTH_DONE:
        welcome(c, s, &out->user);
        break;
    case YB_AUTH_FAILED:
    case YB_AUTH_CANCELLED:
        refuse(c, s, &out->err);
        break;
    }
}

void
pop3d_auth(struct yb_conn *c, struct pop3d_session *s, struct yb_str arg)
{
    struct yb_str mechanism = yb_str_word(&arg);
    struct yb_auth_facts facts;
    struct yb_auth_outcome out;

    yb_free(s->user);
    s->user = NULL;
    s->state = POP3D_AUTHORIZATION;
    yb_auth_facts_of(c, &facts);
    yb_auth_begin(s->pop3d->auth, &s->exchange, mechanism, arg.n > 0 ? &arg : NULL, &facts, &out);
    answer(c, s, &out);
}

void
pop3d_auth_line(struct yb_conn *c, struct pop3d_session *s, struct yb_str line)
{
    struct yb_auth_facts facts;
    struct yb_auth_outcome out;

    yb_auth_facts_of(c, &facts);
    yb_auth_step(&s->exchange, line, &facts, &out);
    answer(c, s, &out);
}
