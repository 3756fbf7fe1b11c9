/* Configuration of pop3d: the [pop3d] section. */
#ifndef POP3D_CONF_H
#define POP3D_CONF_H

#include "lib/daemon/common_conf.h"

struct pop3d_conf {
    struct yb_daemon_conf daemon;
    struct yb_conf_list listen;
    struct yb_conf_list listen_tls;
    const char *auth_mechanisms;
    unsigned max_connections_per_account;
    unsigned open_accounts;
    unsigned max_failures;
    int64_t login_timeout;
    int64_t timeout;
    int64_t lock_timeout;
    int64_t usage_interval;
};

extern const struct yb_conf_table pop3d_conf_table;

#endif
