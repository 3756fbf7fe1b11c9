#include "pop3d/conf.h"

#include "lib/auth/auth.h"

#define OPT(...) YB_CONF_OPT(struct pop3d_conf, __VA_ARGS__)
#define OPT_START(...) YB_CONF_OPT_START(struct pop3d_conf, __VA_ARGS__)

static const struct yb_conf_option options[] = {
    YB_ROLE_ROWS(struct pop3d_conf, POP3D, "16"),
    /* clang-format off */
    OPT_START(ADDRESSES, listen, "0.0.0.0:110 [::]:110", 0, 16,
        "Where it listens; a login needs STLS first."),
    OPT_START(ADDRESSES_TLS, listen_tls, "0.0.0.0:995 [::]:995", 0, 16,
        "Where it listens with TLS from the first byte."),
    OPT_START(UINT, max_connections_per_account, "100", 1, 1000000,
        "Connections at once of one account; a network's are no longer counted once they are logged "
        "in."),
    OPT_START(STRING, auth_mechanisms, YB_AUTH_DEFAULT, 1, 200, YB_AUTH_PROSE),
    OPT_START(UINT, open_accounts, "1024", 16, 65536,
        "Accounts kept open after a session; each holds a few descriptors."),
    OPT_START(UINT, max_failures, "3", 1, 100,
        "Failed logins after which a connection is closed."),
    OPT_START(DURATION, login_timeout, "2m", 1000, 3600000,
        "A connection that has not logged in by then is closed."),
    OPT_START(DURATION, timeout, "10m", 1000, 86400000,
        "A session that says nothing for so long is closed, nothing deleted; RFC 1939 asks for at "
        "least 10 minutes."),
    OPT_START(DURATION, lock_timeout, "10s", 100, 60000,
        "How long a session waits for an account that another process works on."),
    OPT_START(DURATION, usage_interval, "5s", 1000, 3600000,
        "How often sizes of mailboxes that changed are reported to the database."),
    /* clang-format on */
};

static int
check(void *values, struct yb_arena *a YB_UNUSED, struct yb_err *err)
{
    const struct pop3d_conf *c = (const struct pop3d_conf *)values;

    return yb_auth_mechanisms_check(yb_str_from(c->auth_mechanisms), err);
}

const struct yb_conf_table pop3d_conf_table = {
    .section = YB_ROLE_NAME(POP3D),
    .title = "Serves mailboxes of this node to POP3 programs.",
    .options = options,
    .n = YB_COUNT(options),
    .size = sizeof(struct pop3d_conf),
    .check = check,
};
