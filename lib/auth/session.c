/*
 * One SASL exchange: base64, the library's connection (made at AUTH, disposed at the end), and the
 * step from the library's code to our own verdict.
 */
#include "lib/auth/sasl.h"
#include "lib/base/io.h"
#include "lib/base/log.h"

#define SCRATCH 4096
#define NAME_MAX_BYTES 1000
#define STEPS_MAX 8 /* more than any of our mechanisms takes */

struct yb_auth_session {
    struct yb_auth_attempt at;
    enum mechanism mechanism;
    bool started; /* sasl_server_start() was called */
    bool named;   /* the client has told his name */
    unsigned steps;
    sasl_conn_t *conn;
    sasl_callback_t callbacks[3];
    uint8_t exporter[32];
    sasl_channel_binding_t binding;
    bool salted; /* SCRAM: the salt was told, what follows is a proof */
};

static bool
is_scram(enum mechanism m)
{
    return m == MECH_SCRAM || m == MECH_SCRAM_PLUS;
}

/* CHECKPASS of PLAIN and LOGIN. What we return is forgotten by the library; the verdict is ours. */
static int
checkpass(sasl_conn_t *conn YB_UNUSED, void *context, const char *user, const char *password,
          unsigned n_password, struct propctx *properties YB_UNUSED)
{
    struct yb_auth_attempt *at = context;

    if (yb_auth_attempt_name(at, yb_str_from(user)) < 0)
        return SASL_UNAVAIL;
    yb_auth_attempt_password(at, yb_str(password, n_password));
    return at->verdict.class == YB_OK ? SASL_OK : SASL_BADAUTH;
}

/* Who asks to act for somebody else (authzid) is refused: nobody may. */
static int
proxy_policy(sasl_conn_t *conn YB_UNUSED, void *context, const char *wanted, unsigned n_wanted,
             const char *who, unsigned n_who, const char *realm YB_UNUSED,
             unsigned n_realm YB_UNUSED, struct propctx *properties YB_UNUSED)
{
    struct yb_auth_attempt *at = context;
    struct yb_err err = { 0 };

    if (n_wanted == 0 || yb_str_eqi(yb_str(wanted, n_wanted), yb_str(who, n_who)))
        return SASL_OK;
    if (!at->decided || at->verdict.class == YB_OK) {
        yb_err_as(&err, YB_ERR_CREDENTIALS, YB_PERM, "5.7.8",
                  "You may not act for another account");
        yb_auth_attempt_refuse(at, &err);
    }
    return SASL_NOAUTHZ;
}

#define CALLBACK(fn) ((int (*)(void))(void (*)(void))(fn))

static int
connect_library(struct yb_auth_session *s, const struct yb_auth_facts *facts, struct yb_err *err)
{
    sasl_security_properties_t none = { .max_ssf = 0, .maxbufsize = 0 };
    sasl_ssf_t tls = 128;
    int rc;

    s->callbacks[0] =
        (sasl_callback_t){ SASL_CB_SERVER_USERDB_CHECKPASS, CALLBACK(checkpass), &s->at };
    s->callbacks[1] = (sasl_callback_t){ SASL_CB_PROXY_POLICY, CALLBACK(proxy_policy), &s->at };
    s->callbacks[2] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
    rc = sasl_server_new(s->at.auth->conf.service, "yubin", NULL, NULL, NULL, s->callbacks, 0,
                         &s->conn);
    if (rc == SASL_OK)
        rc = sasl_setprop(s->conn, SASL_SEC_PROPS, &none);
    if (rc == SASL_OK)
        rc = sasl_setprop(s->conn, SASL_SSF_EXTERNAL, &tls);
    /* With a binding the library holds a client that believes us to have none for deceived; who was
     * not offered one believes it rightly. */
    if (rc == SASL_OK && facts->has_exporter && s->at.auth->offered[MECH_SCRAM_PLUS]) {
        memcpy(s->exporter, facts->tls_exporter, sizeof(s->exporter));
        s->binding = (sasl_channel_binding_t){ .name = "tls-exporter",
                                               .critical = s->mechanism == MECH_SCRAM_PLUS,
                                               .len = sizeof(s->exporter),
                                               .data = s->exporter };
        rc = sasl_setprop(s->conn, SASL_CHANNEL_BINDING, &s->binding);
    }
    if (rc != SASL_OK)
        return yb_err_inside(err, YB_TEMP, "4.3.0", "sasl_server_new: %s",
                             sasl_errstring(rc, NULL, NULL));
    return 0;
}

/* Takes the exchange apart and gives its result. */
static enum yb_auth_result
finish(struct yb_auth_session **s, struct yb_auth_outcome *out, enum yb_auth_result result)
{
    out->result = result;
    yb_auth_abandon(s);
    return result;
}

static enum yb_auth_result
fail(struct yb_auth_session **s, struct yb_auth_outcome *out, enum yb_err_kind kind,
     enum yb_err_class class, const char *status, const char *text)
{
    yb_err_as(&out->err, kind, class, status, "%s", text);
    return finish(s, out, YB_AUTH_FAILED);
}

/* The attempt came to a verdict. */
static enum yb_auth_result
conclude(struct yb_auth_session **s, struct yb_auth_outcome *out)
{
    const struct yb_auth_attempt *at = &(*s)->at;

    yb_auth_attempt_report(at);
    if (at->verdict.class != YB_OK) {
        out->err = at->verdict;
        return finish(s, out, YB_AUTH_FAILED);
    }
    out->user = at->record.user;
    return finish(s, out, YB_AUTH_DONE);
}

static enum yb_auth_result
challenge(struct yb_auth_session *s, struct yb_str bytes, struct yb_auth_outcome *out)
{
    char *text = yb_arena_alloc(s->at.arena, YB_BASE64_SIZE(bytes.n), 1);

    out->challenge = yb_str(text, yb_base64(bytes, text));
    out->result = YB_AUTH_CONTINUE;
    return YB_AUTH_CONTINUE;
}

/* The library said no without our saying so first. */
static enum yb_auth_result
refused(struct yb_auth_session **s, int rc, struct yb_auth_outcome *out)
{
    struct yb_auth_session *x = *s;

    if (x->at.decided)
        return conclude(s, out);
    if (is_scram(x->mechanism) && rc == SASL_BADAUTH && x->salted) {
        yb_auth_attempt_wrong(&x->at);
        return conclude(s, out);
    }
    if (rc == SASL_BADPROT || rc == SASL_BADPARAM || rc == SASL_BADAUTH || rc == SASL_NOAUTHZ ||
        rc == SASL_BUFOVER || rc == SASL_FAIL || rc == SASL_NOUSER || rc == SASL_BADBINDING)
        return fail(s, out, YB_ERR_SYNTAX, YB_PERM, "5.5.2", "Cannot understand this response");
    yb_err_inside(&out->err, YB_TEMP, "4.3.0", "SASL: %s", sasl_errstring(rc, NULL, NULL));
    yb_log_err(YB_LOG_ERROR, x->at.facts->log, "auth.sasl.failed", &out->err);
    return finish(s, out, YB_AUTH_FAILED);
}

/*
 * Names the library chokes on, and then leaks what it holds: above its buffer of 1 024 bytes, and
 * in LOGIN also empty ones and some that begin with a space (the password behind them is not
 * freed). They are nobody's, so they never get there.
 */
static bool
is_safe(const struct yb_auth_session *s, struct yb_str message)
{
    size_t first = yb_str_find(message, '\0');
    size_t second = yb_str_find(yb_str_skip(message, first + 1), '\0');

    switch (s->mechanism) {
    case MECH_PLAIN: /* authzid NUL authcid NUL password */
        return first <= NAME_MAX_BYTES && second <= NAME_MAX_BYTES;
    case MECH_LOGIN:
        return message.n > 0 && message.n <= NAME_MAX_BYTES && first == message.n &&
               (unsigned char)message.p[0] > ' ';
    case MECH_SCRAM:
    case MECH_SCRAM_PLUS: /* an empty one would be taken for nothing, and the next not be looked at */
        return message.n > 0 && message.n <= NAME_MAX_BYTES;
    case MECH_COUNT:
        break;
    }
    return false;
}

/*
 * RFC 5802 §6: a client that says "y" can bind to the TLS connection and believes that we cannot. We
 * offered it, so somebody between us took it off the list. The library would tell that only after
 * the proof, and by the code of a wrong one; it is no guess at a password, and not counted as one.
 */
static bool
is_downgraded(const struct yb_auth_session *s, struct yb_str message)
{
    return s->mechanism == MECH_SCRAM && message.p[0] == 'y' && s->at.facts->has_exporter &&
           s->at.auth->offered[MECH_SCRAM_PLUS];
}

/* May the client's first message go to the library? False with *err. */
static bool
first_good(const struct yb_auth_session *s, struct yb_str message, struct yb_err *err)
{
    if (!is_safe(s, message)) {
        yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.2", "Cannot understand this response");
        return false;
    }
    if (!is_downgraded(s, message))
        return true;
    yb_log(YB_LOG_WARN, s->at.facts->log, "auth.downgrade",
           "the client was not shown SCRAM-SHA-256-PLUS, which we offer");
    yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.2",
              "SCRAM-SHA-256-PLUS is offered here; something on the way hides it");
    return false;
}

/* Gives the decoded message to the library. */
static enum yb_auth_result
feed(struct yb_auth_session **s, struct yb_str message, struct yb_auth_outcome *out)
{
    struct yb_auth_session *x = *s;
    const char *answer = NULL;
    unsigned n_answer = 0;
    int rc;

    if (message.n > YB_AUTH_LINE || ++x->steps > STEPS_MAX)
        return fail(s, out, YB_ERR_SYNTAX, YB_PERM, "5.5.2", "Cannot understand this response");
    /* The first message of the client names him, but for LOGIN's request to be asked. */
    if (!x->named && (x->mechanism != MECH_LOGIN || x->started || message.n > 0)) {
        if (!first_good(x, message, &out->err))
            return finish(s, out, YB_AUTH_FAILED);
        x->named = true;
    }
    if (x->started)
        rc = sasl_server_step(x->conn, message.p, (unsigned)message.n, &answer, &n_answer);
    else
        rc = sasl_server_start(x->conn, yb_auth_mechanism_name(x->mechanism), message.p,
                               (unsigned)message.n, &answer, &n_answer);
    x->started = true;
    if (rc == SASL_CONTINUE && !(x->at.decided && x->at.verdict.class != YB_OK)) {
        x->salted = true;
        return challenge(x, yb_str(answer, n_answer), out);
    }
    if (rc != SASL_OK)
        return refused(s, rc, out);
    if (is_scram(x->mechanism))
        yb_auth_attempt_right(&x->at);
    /* PLAIN and LOGIN decided in CHECKPASS; a yes of the library alone is worth nothing. */
    if (!x->at.decided)
        return fail(s, out, YB_ERR_OTHER, YB_BUG, "4.3.0", "Internal error");
    return conclude(s, out);
}

/* Decodes the client's line, "=" being its way to write nothing, and feeds it. */
static enum yb_auth_result
feed_line(struct yb_auth_session **s, struct yb_str line, bool initial, struct yb_auth_outcome *out)
{
    enum yb_auth_result result;
    uint8_t *bytes;
    size_t n = 0, room = line.n / 4 * 3 + 1;

    if (line.n > YB_AUTH_LINE)
        return fail(s, out, YB_ERR_SYNTAX, YB_PERM, "5.5.2", "This response is too long");
    bytes = yb_alloc(1, room);
    if ((initial && yb_str_eq(line, YB_STR("="))) || yb_unbase64(line, bytes, &n))
        result = feed(s, yb_str((const char *)bytes, n), out);
    else
        result = fail(s, out, YB_ERR_SYNTAX, YB_PERM, "5.5.2", "This response is not base64");
    explicit_bzero(bytes, room);
    yb_free(bytes);
    return result;
}

/* The mechanism of that name, if it is announced to this connection. */
static enum mechanism
announced(const struct yb_auth *a, struct yb_str name, const struct yb_auth_facts *facts)
{
    enum mechanism m = MECH_SCRAM_PLUS;

    while (m < MECH_COUNT && !yb_str_eqi(name, yb_str_from(yb_auth_mechanism_name(m))))
        m++;
    if (m == MECH_COUNT || !a->offered[m] || (m == MECH_SCRAM_PLUS && !facts->has_exporter))
        return MECH_COUNT;
    return m;
}

enum yb_auth_result
yb_auth_begin(struct yb_auth *a, struct yb_auth_session **s, struct yb_str mechanism,
              const struct yb_str *initial, const struct yb_auth_facts *facts,
              struct yb_auth_outcome *out)
{
    enum mechanism m = announced(a, mechanism, facts);
    struct yb_auth_session *x;

    yb_auth_abandon(s);
    *out = (struct yb_auth_outcome){ .result = YB_AUTH_FAILED };
    if (!facts->tls)
        return fail(s, out, YB_ERR_NEED_TLS, YB_PERM, "5.7.11",
                    "Encryption is needed before authentication");
    if (m == MECH_COUNT)
        return fail(s, out, YB_ERR_UNSUPPORTED, YB_PERM, "5.5.4", "This mechanism is not offered");
    x = *s = yb_alloc(1, sizeof(*x));
    x->mechanism = m;
    x->at = (struct yb_auth_attempt){ .auth = a,
                                      .facts = facts,
                                      .mechanism = yb_auth_mechanism_name(m) };
    x->at.arena = yb_arena_new(SCRATCH);
    if (connect_library(x, facts, &out->err) < 0) {
        yb_log_err(YB_LOG_ERROR, facts->log, "auth.sasl.failed", &out->err);
        return finish(s, out, YB_AUTH_FAILED);
    }
    if (initial != NULL)
        return feed_line(s, *initial, true, out);
    if (m == MECH_LOGIN) /* here the server speaks first */
        return feed(s, yb_str(NULL, 0), out);
    return challenge(x, yb_str(NULL, 0), out);
}

enum yb_auth_result
yb_auth_step(struct yb_auth_session **s, struct yb_str line, const struct yb_auth_facts *facts,
             struct yb_auth_outcome *out)
{
    *out = (struct yb_auth_outcome){ .result = YB_AUTH_FAILED };
    (*s)->at.facts = facts;
    if (yb_str_eq(line, YB_STR("*"))) {
        yb_err_as(&out->err, YB_ERR_CANCELLED, YB_PERM, "5.7.0", "Authentication cancelled");
        return finish(s, out, YB_AUTH_CANCELLED);
    }
    return feed_line(s, line, false, out);
}

void
yb_auth_abandon(struct yb_auth_session **s)
{
    struct yb_auth_session *x = *s;

    if (x == NULL)
        return;
    if (x->conn != NULL)
        sasl_dispose(&x->conn);
    yb_arena_free(&x->at.arena);
    explicit_bzero(x, sizeof(*x));
    yb_free(x);
    *s = NULL;
}
