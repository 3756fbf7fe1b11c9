#include "tests/unit/auth/client.h"

#include "lib/base/io.h"
#include "lib/cred/cred.h"

#include <check.h>
#include <netinet/in.h>
#include <sasl/sasl.h>
#include <sched.h>

static _Atomic int64_t now_ms = 1000000;

int64_t
clock_now(void)
{
    return atomic_load(&now_ms);
}

void
clock_move(int64_t ms)
{
    atomic_fetch_add(&now_ms, ms);
}

void
accounts_init(struct accounts *a, struct account *v, size_t n)
{
    struct yb_err err = { 0 };

    *a = (struct accounts){ .v = v, .n = n };
    ck_assert_int_eq(pthread_mutex_init(&a->lock, NULL), 0);
    for (size_t i = 0; i < n; i++)
        if (v[i].password != NULL && v[i].verifier[0] == '\0')
            ck_assert_int_eq(yb_cred_make(yb_str_from(v[i].password), 0, v[i].verifier, &err), 0);
}

static int
lookup(void *arg, struct yb_str name, struct yb_arena *arena, struct yb_auth_record *out,
       struct yb_err *err)
{
    struct accounts *a = arg;

    *out = (struct yb_auth_record){ 0 };
    atomic_fetch_add(&a->asked, 1);
    if (atomic_load(&a->away))
        return yb_err_inside(err, YB_TEMP, "4.3.0", "database away");
    for (size_t i = 0; i < a->n; i++) {
        const struct account *v = &a->v[i];

        if (!yb_str_eqi(name, yb_str_from(v->name)))
            continue;
        out->found = true;
        memset(out->user.account.v, (int)i + 1, sizeof(out->user.account.v));
        ck_assert(yb_str_copy(yb_str_from(v->name), out->user.address, sizeof(out->user.address)));
        if (v->refused != NULL)
            ck_assert(yb_str_copy(yb_str_from(v->refused), out->refused, sizeof(out->refused)));
        pthread_mutex_lock(&a->lock);
        memcpy(out->verifier, v->verifier, sizeof(out->verifier));
        pthread_mutex_unlock(&a->lock);
        if (v->app != NULL) {
            struct yb_str *apps = yb_arena_alloc(arena, 1, sizeof(*apps));

            *apps = yb_str_from(v->app);
            out->app_passwords = apps;
            out->n_app_passwords = 1;
        }
    }
    return 0;
}

static int
upgrade(void *arg, struct yb_account_id account, struct yb_str old, struct yb_str fresh,
        struct yb_err *err)
{
    struct accounts *a = arg;
    struct account *v = &a->v[account.v[0] - 1];

    if (atomic_load(&a->away))
        return yb_err_inside(err, YB_TEMP, "4.3.0", "database away");
    atomic_fetch_add(&a->upgrading, 1);
    while (atomic_load(&a->stuck))
        sched_yield();
    pthread_mutex_lock(&a->lock);
    if (yb_str_eq(old, yb_str_from(v->verifier)) &&
        yb_str_copy(fresh, v->verifier, sizeof(v->verifier)))
        atomic_fetch_add(&a->upgraded, 1);
    pthread_mutex_unlock(&a->lock);
    return 0;
}

struct yb_auth_source
accounts_source(struct accounts *a)
{
    return (struct yb_auth_source){ .arg = a, .lookup = lookup, .upgrade = upgrade };
}

/* --- the client half --- */

static int
get_simple(void *context, int id, const char **result, unsigned *n)
{
    const struct login *l = context;
    const char *value = id == SASL_CB_USER && l->authzid != NULL ? l->authzid
                        : id == SASL_CB_USER                     ? ""
                                                                 : l->user;

    *result = value;
    if (n != NULL)
        *n = (unsigned)strlen(value);
    return SASL_OK;
}

struct secret {
    const struct login *login;
    sasl_secret_t *value;
};

static int
get_secret(sasl_conn_t *conn YB_UNUSED, void *context, int id YB_UNUSED, sasl_secret_t **out)
{
    *out = ((struct secret *)context)->value;
    return SASL_OK;
}

#define CALLBACK(fn) ((int (*)(void))(void (*)(void))(fn))

void
client_start(void)
{
    ck_assert_int_eq(sasl_client_init(NULL), SASL_OK);
}

void
client_stop(void)
{
    sasl_client_done();
}

static void
set_properties(sasl_conn_t *conn, const struct login *l, sasl_channel_binding_t *cb)
{
    static const uint8_t same[32] = "the same bytes at both the ends",
                         other[32] = "somebody in the middle";
    sasl_security_properties_t none = { .max_ssf = 0, .maxbufsize = 0 };
    sasl_ssf_t tls = 128;

    ck_assert_int_eq(sasl_setprop(conn, SASL_SEC_PROPS, &none), SASL_OK);
    ck_assert_int_eq(sasl_setprop(conn, SASL_SSF_EXTERNAL, &tls), SASL_OK);
    *cb = (sasl_channel_binding_t){ .name = "tls-exporter",
                                    .len = 32,
                                    .data = l->client == SAME_BINDING ? same : other };
    if (l->client != NO_BINDING)
        ck_assert_int_eq(sasl_setprop(conn, SASL_CHANNEL_BINDING, cb), SASL_OK);
}

/* The client's message as a line: base64, "=" for nothing in an initial response. */
static struct yb_str
to_line(const char *bytes, unsigned n, bool initial, char *line)
{
    if (initial && n == 0)
        return YB_STR("=");
    return yb_str(line, yb_base64(yb_str(bytes, n), line));
}

static int
talk(struct yb_auth *a, sasl_conn_t *conn, const struct login *l, const struct yb_auth_facts *facts,
     struct yb_auth_outcome *out)
{
    struct yb_auth_session *s = NULL;
    const char *mine = NULL, *chosen = NULL;
    unsigned n_mine = 0;
    char line[8192];
    struct yb_str first;
    int rc = sasl_client_start(conn, l->list != NULL ? l->list : l->mechanism, NULL, &mine, &n_mine,
                               &chosen);
    bool has_first, used = false;

    if (rc != SASL_OK && rc != SASL_CONTINUE)
        return -1;
    has_first = mine != NULL && !l->no_initial;
    first = has_first ? to_line(mine, n_mine, true, line) : yb_str(NULL, 0);
    used = has_first;
    yb_auth_begin(a, &s, yb_str_from(l->mechanism), has_first ? &first : NULL, facts, out);
    while (out->result == YB_AUTH_CONTINUE) {
        uint8_t theirs[8192];
        size_t n_theirs;
        struct yb_str response;

        ck_assert_uint_lt(out->challenge.n, sizeof(theirs));
        ck_assert(yb_unbase64(out->challenge, theirs, &n_theirs));
        if (used || mine == NULL) {
            rc = sasl_client_step(conn, (const char *)theirs, (unsigned)n_theirs, NULL, &mine,
                                  &n_mine);
            if (rc != SASL_OK && rc != SASL_CONTINUE) {
                yb_auth_abandon(&s);
                return -1;
            }
        }
        used = true;
        response = to_line(mine == NULL ? "" : mine, n_mine, false, line);
        yb_auth_step(&s, response, facts, out);
    }
    ck_assert_ptr_null(s);
    return 0;
}

int
client_login(struct yb_auth *a, const struct login *l, struct yb_auth_outcome *out)
{
    struct sockaddr_in peer = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000205) };
    struct yb_auth_facts facts = { .tls = true,
                                   .has_exporter = l->server_binding,
                                   .tls_exporter = "the same bytes at both the ends",
                                   .peer = (const struct sockaddr *)&peer };
    size_t n = strlen(l->password);
    struct secret secret = { .login = l, .value = yb_alloc(1, sizeof(sasl_secret_t) + n + 1) };
    struct login mine = *l;
    sasl_callback_t callbacks[] = { { SASL_CB_USER, CALLBACK(get_simple), &mine },
                                    { SASL_CB_AUTHNAME, CALLBACK(get_simple), &mine },
                                    { SASL_CB_PASS, CALLBACK(get_secret), &secret },
                                    { SASL_CB_LIST_END, NULL, NULL } };
    sasl_channel_binding_t cb;
    sasl_conn_t *conn = NULL;
    int rc;

    memcpy(secret.value->data, l->password, n);
    secret.value->len = n;
    ck_assert_int_eq(sasl_client_new("imap", "localhost", NULL, NULL, callbacks, 0, &conn),
                     SASL_OK);
    set_properties(conn, l, &cb);
    rc = talk(a, conn, l, &facts, out);
    sasl_dispose(&conn);
    yb_free(secret.value);
    return rc;
}
