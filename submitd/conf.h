/* Configuration of submitd: the [submitd] section. */
#ifndef SUBMITD_CONF_H
#define SUBMITD_CONF_H

#include "lib/daemon/common_conf.h"
#include "lib/receive/receiver.h"

struct submitd_conf {
    struct yb_daemon_conf daemon;
    struct yb_conf_list listen;
    struct yb_conf_list listen_tls;
    const char *auth_mechanisms;
    unsigned max_connections_per_account;
    struct yb_receiver_conf receive;
};

extern const struct yb_conf_table submitd_conf_table;

#endif
