/* AUTH: lib/auth's exchange between the engine's hooks. */
#include "lib/base/clock.h"
#include "submitd/submitd.h"

struct yb_str
submitd_mechanisms(struct yb_smtp_session *s)
{
    struct yb_auth_facts facts;

    yb_auth_facts_of(s->conn, &facts);
    return yb_auth_mechanisms(submitd_of(s)->auth, &facts);
}

/* Logged in: from here on the session is his, in fairness, log and addresses. */
static int
login(struct yb_smtp_session *s, const struct yb_auth_user *user, struct yb_err *err)
{
    struct submitd_session *d = s->data;
    struct yb_str address;
    uint64_t tenant;

    if (!yb_conn_set_account(s->conn, user->account, submitd_of(s)->max_per_account))
        return yb_err_as(err, YB_ERR_LIMIT, YB_TEMP, "4.7.0",
                         "Your account has too many connections: close one of them");
    d->user = *user;
    d->since = yb_clock_now();
    yb_online_add(submitd_of(s)->online, &d->online, s->conn, user);
    address = yb_str_from(d->user.address);
    s->qualify = yb_str_skip(address, yb_str_rfind(address, '@') + 1);
    s->tenant = user->tenant;
    s->account = user->account;
    memcpy(&tenant, user->tenant.v, sizeof(tenant));
    yb_conn_set_fair_key(s->conn, tenant);
    yb_log_ctx_add(yb_conn_log(s->conn), "user", address);
    return 0;
}

static enum yb_smtp_auth
result(struct yb_smtp_session *s, const struct yb_auth_outcome *o, struct yb_str *challenge,
       struct yb_err *err)
{
    switch (o->result) {
    case YB_AUTH_CONTINUE:
        *challenge = o->challenge;
        return YB_SMTP_AUTH_CONTINUE;
    case YB_AUTH_DONE:
        return login(s, &o->user, err) < 0 ? YB_SMTP_AUTH_FAILED : YB_SMTP_AUTH_DONE;
    case YB_AUTH_FAILED:
    case YB_AUTH_CANCELLED:
        break;
    }
    *err = o->err;
    return YB_SMTP_AUTH_FAILED;
}

enum yb_smtp_auth
submitd_auth_begin(struct yb_smtp_session *s, struct yb_str mechanism, const struct yb_str *initial,
                   struct yb_str *challenge, struct yb_err *err)
{
    struct submitd_session *d = s->data;
    struct yb_auth_outcome o;
    struct yb_auth_facts facts;

    yb_auth_facts_of(s->conn, &facts);
    (void)yb_auth_begin(submitd_of(s)->auth, &d->exchange, mechanism, initial, &facts, &o);
    return result(s, &o, challenge, err);
}

enum yb_smtp_auth
submitd_auth_step(struct yb_smtp_session *s, struct yb_str line, struct yb_str *challenge,
                  struct yb_err *err)
{
    struct submitd_session *d = s->data;
    struct yb_auth_outcome o;
    struct yb_auth_facts facts;

    yb_auth_facts_of(s->conn, &facts);
    (void)yb_auth_step(&d->exchange, line, &facts, &o);
    return result(s, &o, challenge, err);
}
