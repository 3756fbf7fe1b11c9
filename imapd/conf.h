/* Configuration of imapd: the [imapd] section. */
#ifndef IMAPD_CONF_H
#define IMAPD_CONF_H

#include "lib/daemon/common_conf.h"

struct imapd_conf {
    struct yb_daemon_conf daemon;
    struct yb_conf_list listen, listen_tls;
    const char *auth_mechanisms;
    unsigned max_connections_per_account;
    uint64_t max_message;
    uint64_t command_memory, commands_memory;
    unsigned max_bad_commands;
    int64_t login_timeout, idle_timeout;
    unsigned open_accounts;
    int64_t lock_timeout, usage_interval, keep_expunged;
};

extern const struct yb_conf_table imapd_conf_table;

#endif
