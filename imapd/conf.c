#include "imapd/conf.h"

#include "lib/auth/auth.h"

#define OPT(...) YB_CONF_OPT(struct imapd_conf, __VA_ARGS__)
#define OPT_START(...) YB_CONF_OPT_START(struct imapd_conf, __VA_ARGS__)

static const struct yb_conf_option options[] = {
    YB_ROLE_ROWS(struct imapd_conf, IMAPD, "32"),
    /* clang-format off */
    OPT_START(ADDRESSES, listen, "0.0.0.0:143, [::]:143", 0, 16,
        "Where IMAP begins without TLS; a login needs STARTTLS first."),
    OPT_START(ADDRESSES_TLS, listen_tls, "0.0.0.0:993, [::]:993", 0, 16,
        "Where TLS is spoken from the first byte."),
    OPT(UINT, max_connections_per_account, "100", 1, 1000000,
        "Connections at once of one account; a network's are no longer counted once they are logged "
        "in."),
    OPT_START(STRING, auth_mechanisms, YB_AUTH_DEFAULT, 1, 200, YB_AUTH_PROSE),
    OPT(SIZE, max_message, "50M", 1024, UINT32_MAX,
        "Largest message taken by APPEND."),
    OPT(SIZE, command_memory, "64M", 1u << 20, UINT32_MAX,
        "Memory that one command may take for what it collects and answers; over it the command is "
        "refused with [LIMIT]. Ordinary ones take some kilobytes."),
    OPT(SIZE, commands_memory, "512M", 16u << 20, 1ull << 40,
        "The same for all commands together: over it they wait for each other, then they are refused."),
    OPT(UINT, max_bad_commands, "20", 1, 10000,
        "Wrong commands in a row after which a client is let go; before login a quarter of it, in "
        "a row or not."),
    OPT(DURATION, login_timeout, "1m", 1000, 3600000,
        "A client that has not logged in and says nothing for so long is let go; after five times as "
        "long it is in any case."),
    OPT(DURATION, idle_timeout, "30m", 1000, 86400000,
        "The same after login, IDLE included (RFC 3501 5.4 wants 30 minutes at least)."),
    OPT_START(UINT, open_accounts, "1024", 16, 65536,
        "Accounts kept open that nobody uses at the moment; each holds a few descriptors."),
    OPT_START(DURATION, lock_timeout, "10s", 100, 60000,
        "How long a command waits for an account that another process works on."),
    OPT_START(DURATION, usage_interval, "5s", 1000, 3600000,
        "How often sizes of mailboxes that changed are reported to the database."),
    OPT(DURATION, keep_expunged, "30d", 0, 31536000000,
        "How long an index remembers which messages were expunged, for clients that come back; "
        "older ones are dropped when there are many and nobody has the mailbox selected."),
    /* clang-format on */
};

static int
check(void *values, struct yb_arena *a YB_UNUSED, struct yb_err *err)
{
    const struct imapd_conf *c = (const struct imapd_conf *)values;
    return yb_auth_mechanisms_check(yb_str_from(c->auth_mechanisms), err);
}

static const struct yb_conf_gone gone[] = {
    { "time_zone",
      "is a setting now, of the platform, a tenant, a domain or an account: take it away here, "
      "and say `yubin setting set time_zone NAME`" },
    { NULL, NULL },
};

const struct yb_conf_table imapd_conf_table = {
    .section = YB_ROLE_NAME(IMAPD),
    .title = "Serves mailboxes of this node by IMAP.",
    .options = options,
    .n = YB_COUNT(options),
    .size = sizeof(struct imapd_conf),
    .check = check,
    .gone = gone,
};
