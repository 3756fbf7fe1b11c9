#include "submitd/conf.h"

#include "lib/auth/auth.h"

#define OPT_START(...) YB_CONF_OPT_START(struct submitd_conf, __VA_ARGS__)

static const struct yb_conf_option options[] = {
    YB_ROLE_ROWS(struct submitd_conf, SUBMITD, "32"),
    /* clang-format off */
    OPT_START(ADDRESSES, listen, "0.0.0.0:587, [::]:587", 0, 16,
        "Where users hand in mail after STARTTLS."),
    OPT_START(ADDRESSES_TLS, listen_tls, "0.0.0.0:465, [::]:465", 0, 16,
        "Where they do so with TLS from the first octet (RFC 8314)."),
    OPT_START(UINT, max_connections_per_account, "100", 1, 1000000,
        "Connections at once of one account; a network's are no longer counted once they are logged "
        "in."),
    OPT_START(STRING, auth_mechanisms, YB_AUTH_DEFAULT, 1, 200, YB_AUTH_PROSE),
    YB_RECEIVER_ROWS(struct submitd_conf, "24",
        "Wrong commands and failed logins of a client until it is let go."),
    /* clang-format on */
};

static int
check(void *values, struct yb_arena *a YB_UNUSED, struct yb_err *err)
{
    const struct submitd_conf *c = (const struct submitd_conf *)values;

    return yb_auth_mechanisms_check(yb_str_from(c->auth_mechanisms), err);
}

const struct yb_conf_table submitd_conf_table = {
    .section = YB_ROLE_NAME(SUBMITD),
    .title = "Takes mail from authenticated users.",
    .options = options,
    .n = YB_COUNT(options),
    .size = sizeof(struct submitd_conf),
    .check = check,
};
