/*
 * Messages of SASL exchanges as a client may write them: the first line is the mechanism, the
 * second the initial response ("-": none), then one line a step. Whatever comes, nobody is logged
 * in (the only account's password is nobody's), every exchange ends, and what is asked back is
 * base64.
 */
#include "lib/auth/auth.h"

#include "lib/base/io.h"
#include "lib/base/log.h"

#define VERIFIER "{SSHA256}YflVcOMs6k7tbGkQbQNVn6/ehAnUAVltiLPKHBWGi2tzYWx0c2FsdA=="

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct yb_auth *auth;

/* Everybody exists, with a hash that is cheap to check and that no password fits. */
static int
lookup(void *arg YB_UNUSED, struct yb_str name, struct yb_arena *arena YB_UNUSED,
       struct yb_auth_record *out, struct yb_err *err)
{
    yb_assert(name.n > 0 && name.n < YB_AUTH_ADDRESS && memchr(name.p, '\0', name.n) == NULL);
    *out = (struct yb_auth_record){ .found = true, .verifier = VERIFIER };
    out->verifier[20] ^= 1;
    if (name.p[0] == '!')
        return yb_err_inside(err, YB_TEMP, "4.3.0", "away");
    return 0;
}

static void
check(const struct yb_auth_outcome *out, const struct yb_auth_session *s)
{
    uint8_t bytes[4 * YB_AUTH_LINE];
    size_t n;

    yb_assert(out->result != YB_AUTH_DONE);
    yb_assert((out->result == YB_AUTH_CONTINUE) == (s != NULL));
    if (out->result == YB_AUTH_CONTINUE)
        yb_assert(out->challenge.n <= sizeof(bytes) && yb_unbase64(out->challenge, bytes, &n));
    else
        yb_assert(out->err.class != YB_OK && out->err.status[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_auth_conf conf = { .service = "smtp",
                                 .source = { .lookup = lookup },
                                 .secret = YB_STR("the same each time"),
                                 .attempts = 100000 };
    struct yb_auth_facts facts = { .tls = true, .has_exporter = true, .tls_exporter = "binding" };
    struct yb_str rest = yb_str((const char *)data, size), mechanism, initial, line;
    struct yb_auth_session *s = NULL;
    struct yb_auth_outcome out;
    struct yb_err err = { 0 };

    if (auth == NULL) {
        yb_log_init("fuzz", YB_LOG_ERROR);
        auth = yb_auth_new(&conf, &err);
        yb_assert(auth != NULL);
    }
    if (!yb_str_split(&rest, '\n', &mechanism) || !yb_str_split(&rest, '\n', &initial))
        return 0;
    yb_auth_begin(auth, &s, mechanism, yb_str_eq(initial, YB_STR("-")) ? NULL : &initial, &facts,
                  &out);
    check(&out, s);
    while (s != NULL && yb_str_split(&rest, '\n', &line)) {
        yb_auth_step(&s, line, &facts, &out);
        check(&out, s);
    }
    yb_auth_abandon(&s);
    return 0;
}
