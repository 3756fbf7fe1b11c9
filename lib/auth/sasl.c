/*
 * The process-wide part: mutexes, which plugins may load, where passwords come from (ourselves),
 * and what the library may log.
 */
#include "lib/auth/sasl.h"

#include "lib/base/log.h"

#include <sasl/saslplug.h>
#include <stdatomic.h>
#include <stdio.h>

static const char *const names[MECH_COUNT] = { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN",
                                               "LOGIN" };

/*
 * True while some yb_auth lives. The library keeps one set of callbacks for the process, so a
 * second one would be served by the first one's: the only mutable variable of this room.
 */
static atomic_bool started;

const char *
yb_auth_mechanism_name(enum mechanism m)
{
    return names[m];
}

static void *
mutex_new(void)
{
    pthread_mutex_t *m = yb_alloc(1, sizeof(*m));

    yb_assert(pthread_mutex_init(m, NULL) == 0);
    return m;
}

static int
mutex_lock(void *m)
{
    return pthread_mutex_lock(m) == 0 ? SASL_OK : SASL_FAIL;
}

static int
mutex_unlock(void *m)
{
    return pthread_mutex_unlock(m) == 0 ? SASL_OK : SASL_FAIL;
}

static void
mutex_free(void *m)
{
    pthread_mutex_destroy(m);
    yb_free(m);
}

/* Options are ours alone: nothing is read from files. */
static int
option(void *context YB_UNUSED, const char *plugin YB_UNUSED, const char *name, const char **result,
       unsigned *n)
{
    static const struct {
        const char *name, *value;
    } options[] = {
        { "auxprop_plugin", "yubin" },
        { "canon_user_plugin", "INTERNAL" },
        { "pwcheck_method", "none" }, /* the checkpass callback is asked first and knows it all */
        { "mech_list", "SCRAM-SHA-256 PLAIN LOGIN" }, /* SCRAM's -PLUS comes with it */
        { "log_level", "3" },
    };

    for (size_t i = 0; i < YB_COUNT(options); i++) {
        if (strcmp(options[i].name, name) == 0) {
            *result = options[i].value;
            if (n != NULL)
                *n = (unsigned)strlen(*result);
            return SASL_OK;
        }
    }
    return SASL_FAIL;
}

/* The library's own words are for who debugs; above "warning" it may write what was typed. */
static int
log_line(void *context YB_UNUSED, int level, const char *message)
{
    if (level <= SASL_LOG_WARN)
        yb_log(YB_LOG_DEBUG, NULL, "auth.sasl", "%s", message);
    return SASL_OK;
}

/* By default every plugin installed on the machine is loaded; ours are these three. */
static int
verify_file(void *context YB_UNUSED, const char *file, sasl_verify_type_t type)
{
    static const char *const allowed[] = { "libplain.so", "liblogin.so", "libscram.so" };
    const char *base = strrchr(file, '/');

    base = base == NULL ? file : base + 1;
    if (type == SASL_VRFY_CONF)
        return SASL_CONTINUE;
    if (type != SASL_VRFY_PLUGIN)
        return SASL_OK; /* the folders themselves */
    for (size_t i = 0; i < YB_COUNT(allowed); i++)
        if (strncmp(base, allowed[i], strlen(allowed[i])) == 0)
            return SASL_OK;
    return SASL_CONTINUE;
}

/* The attempt behind a connection: the context of its CHECKPASS callback. */
static struct yb_auth_attempt *
attempt_of(const sasl_utils_t *utils)
{
    int (*proc)(void) = NULL;
    void *context = NULL;

    if (utils->getcallback(utils->conn, SASL_CB_SERVER_USERDB_CHECKPASS, &proc, &context) !=
        SASL_OK)
        return NULL;
    return context;
}

/*
 * Called with the name as authentication and again as authorization identity, by every mechanism.
 * Only SCRAM wants the verifier. PLAIN and LOGIN ask nothing that CHECKPASS will not be asked, and
 * must not fail here: the LOGIN plugin then forgets to free the password.
 */
static int
auxprop_lookup(void *context YB_UNUSED, sasl_server_params_t *sparams, unsigned flags,
               const char *user, unsigned n_user)
{
    struct yb_auth_attempt *at = attempt_of(sparams->utils);
    const struct propval *wanted = sparams->utils->prop_get(sparams->propctx);
    char verifier[YB_CRED_VERIFIER];

    /* Never "*userPassword": SCRAM would take that for a password in clear. */
    while (wanted != NULL && wanted->name != NULL && strcmp(wanted->name, "*authPassword") != 0)
        wanted++;
    if (at == NULL || (flags & SASL_AUXPROP_AUTHZID) != 0 || wanted == NULL || wanted->name == NULL)
        return SASL_OK;
    if (yb_auth_attempt_name(at, yb_str(user, n_user)) < 0)
        return SASL_UNAVAIL;
    yb_auth_attempt_scram(at, verifier);
    sparams->utils->prop_set(sparams->propctx, wanted->name, verifier, (int)strlen(verifier));
    explicit_bzero(verifier, sizeof(verifier));
    return SASL_OK;
}

static int
auxprop_init(const sasl_utils_t *utils YB_UNUSED, int max_version, int *version,
             sasl_auxprop_plug_t **plugin, const char *name YB_UNUSED)
{
    static char plugin_name[] = "yubin";
    static sasl_auxprop_plug_t plug = { .auxprop_lookup = auxprop_lookup, .name = plugin_name };

    if (max_version < SASL_AUXPROP_PLUG_VERSION)
        return SASL_BADVERS;
    *version = SASL_AUXPROP_PLUG_VERSION;
    *plugin = &plug;
    return SASL_OK;
}

/* The library calls each callback by its own type and stores all of them as this one. */
#define CALLBACK(fn) ((int (*)(void))(void (*)(void))(fn))

int
yb_auth_sasl_start(struct yb_auth *a, struct yb_err *err)
{
    int rc;

    if (atomic_exchange(&started, true))
        return yb_err_inside(err, YB_BUG, "4.3.0", "the SASL library serves another yb_auth");
    a->callbacks[0] = (sasl_callback_t){ SASL_CB_GETOPT, CALLBACK(option), a };
    a->callbacks[1] = (sasl_callback_t){ SASL_CB_LOG, CALLBACK(log_line), a };
    a->callbacks[2] = (sasl_callback_t){ SASL_CB_VERIFYFILE, CALLBACK(verify_file), a };
    a->callbacks[3] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
    sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
    rc = sasl_server_init(a->callbacks, "yubin");
    if (rc == SASL_OK)
        rc = sasl_auxprop_add_plugin("yubin", auxprop_init);
    if (rc != SASL_OK) {
        atomic_store(&started, false);
        return yb_err_inside(err, YB_TEMP, "4.3.0", "starting the SASL library: %s",
                             sasl_errstring(rc, NULL, NULL));
    }
    return 0;
}

void
yb_auth_sasl_stop(struct yb_auth *a YB_UNUSED)
{
    sasl_server_done();
    atomic_store(&started, false);
}
