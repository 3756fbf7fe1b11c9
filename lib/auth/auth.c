/* The object of the process, and logins with name and password. Exchanges are in session.c. */
#include "lib/auth/auth.h"

#include "lib/auth/sasl.h"
#include "lib/base/id.h"

#include <stdio.h>
#include <unistd.h>

#define SCRATCH 1024 /* one directory answer */

static void
fill_defaults(struct yb_auth_conf *c)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (c->mechanisms.n == 0)
        c->mechanisms = YB_STR(YB_AUTH_DEFAULT);
    if (c->hashing == 0)
        c->hashing = cores < 1 ? 1 : (unsigned)cores;
    if (c->hashing_wait_ms == 0)
        c->hashing_wait_ms = 2000;
    if (c->cache_ms == 0)
        c->cache_ms = 10 * 60 * 1000;
    if (c->cache_size == 0)
        c->cache_size = 65536;
    if (c->attempts == 0)
        c->attempts = 10;
    if (c->attempts_ms == 0)
        c->attempts_ms = 15 * 60 * 1000;
    if (c->attempts_size == 0)
        c->attempts_size = 32768;
    if (c->now_ms == NULL)
        c->now_ms = yb_clock_ms;
}

static enum mechanism
mechanism_find(struct yb_str name)
{
    enum mechanism m = MECH_SCRAM_PLUS;

    while (m < MECH_COUNT && !yb_str_eqi(name, yb_str_from(yb_auth_mechanism_name(m))))
        m++;
    return m;
}

int
yb_auth_mechanisms_check(struct yb_str mechanisms, struct yb_err *err)
{
    struct yb_str rest = yb_str_trim(mechanisms);

    while (rest.n > 0) {
        struct yb_str word = yb_str_word(&rest);

        if (mechanism_find(word) == MECH_COUNT)
            return yb_err_set(err, YB_PERM, "5.5.4", "unknown mechanism \"%.*s\"; known are %s",
                              YB_STR_ARG(word), YB_AUTH_MECHANISMS);
    }
    return 0;
}

/* Reads conf.mechanisms, and writes down what is announced with and without channel binding. */
static int
choose_mechanisms(struct yb_auth *a, struct yb_err *err)
{
    struct yb_str rest = yb_str_trim(a->conf.mechanisms);

    if (yb_auth_mechanisms_check(rest, err) < 0)
        return -1;
    while (rest.n > 0)
        a->offered[mechanism_find(yb_str_word(&rest))] = true;
    for (int binding = 0; binding < 2; binding++) {
        size_t n = 0;

        for (enum mechanism m = MECH_SCRAM_PLUS; m < MECH_COUNT; m++)
            if (a->offered[m] && (m != MECH_SCRAM_PLUS || binding == 1))
                n += (size_t)snprintf(a->announced[binding] + n, sizeof(a->announced[binding]) - n,
                                      "%s%s", n == 0 ? "" : " ", yb_auth_mechanism_name(m));
    }
    return 0;
}

static void
release(struct yb_auth *a)
{
    yb_gate_free(&a->hashing);
    yb_auth_cache_free(&a->cache);
    yb_auth_limit_free(&a->limit);
    pthread_mutex_destroy(&a->decoys_lock);
    explicit_bzero(a, sizeof(*a));
    yb_free(a);
}

struct yb_auth *
yb_auth_new(const struct yb_auth_conf *conf, struct yb_err *err)
{
    struct yb_auth *a = yb_alloc(1, sizeof(*a));

    a->conf = *conf;
    fill_defaults(&a->conf);
    yb_random(a->process_key, sizeof(a->process_key));
    if (conf->secret.n == 0) {
        yb_random(a->secret, sizeof(a->secret));
    } else { /* of any length: hashed to ours */
        struct yb_auth_token t =
            yb_auth_token_of(conf->secret, YB_STR("fake salts"), YB_STR(""), YB_STR(""));

        memcpy(a->secret, t.v, sizeof(a->secret));
    }
    yb_assert(pthread_mutex_init(&a->decoys_lock, NULL) == 0);
    a->hashing = yb_gate_new(&(struct yb_gate_conf){ .name = "password hashing",
                                                     .inside = a->conf.hashing,
                                                     .wait_ms = a->conf.hashing_wait_ms });
    if (a->conf.cache_ms > 0)
        a->cache = yb_auth_cache_new(a->conf.cache_size, a->conf.cache_ms);
    a->limit = yb_auth_limit_new(&(struct yb_auth_limit_conf){
        a->conf.attempts, a->conf.attempts_ms, a->conf.attempts_size });
    if (choose_mechanisms(a, err) < 0 || yb_auth_sasl_start(a, err) < 0) {
        release(a);
        return NULL;
    }
    a->conf.secret = a->conf.mechanisms = yb_str(NULL, 0);
    return a;
}

void
yb_auth_free(struct yb_auth **a)
{
    if (*a == NULL)
        return;
    yb_auth_sasl_stop(*a);
    release(*a);
    *a = NULL;
}

void
yb_auth_facts_of(struct yb_conn *c, struct yb_auth_facts *facts)
{
    *facts = (struct yb_auth_facts){ .tls = yb_conn_is_tls(c),
                                     .peer = yb_conn_peer(c),
                                     .log = yb_conn_log(c) };
    facts->has_exporter = facts->tls && yb_conn_tls_exporter(c, facts->tls_exporter);
}

struct yb_str
yb_auth_mechanisms(const struct yb_auth *a, const struct yb_auth_facts *facts)
{
    return facts->tls ? yb_str_from(a->announced[facts->has_exporter ? 1 : 0]) : YB_STR("");
}

int
yb_auth_password(struct yb_auth *a, struct yb_str name, struct yb_str password,
                 const struct yb_auth_facts *facts, struct yb_auth_user *user, struct yb_err *err)
{
    struct yb_auth_attempt at = { .auth = a, .facts = facts, .mechanism = "password" };
    int rc;

    if (!facts->tls)
        return yb_err_as(err, YB_ERR_NEED_TLS, YB_PERM, "5.7.11",
                         "Encryption is needed before a password");
    at.arena = yb_arena_new(SCRATCH);
    if (yb_auth_attempt_name(&at, name) == 0)
        yb_auth_attempt_password(&at, password);
    yb_auth_attempt_report(&at);
    rc = at.verdict.class == YB_OK ? 0 : -1;
    if (rc == 0)
        *user = at.record.user;
    else if (err != NULL)
        *err = at.verdict;
    explicit_bzero(&at.record, sizeof(at.record));
    yb_arena_free(&at.arena);
    return rc;
}

void
yb_auth_stats_read(struct yb_auth *a, struct yb_auth_stats *out)
{
    const struct counters *n = &a->counters;

    *out = (struct yb_auth_stats){ n->ok,   n->wrong,  n->suspended, n->limited,
                                   n->away, n->hashed, n->remembered };
}
