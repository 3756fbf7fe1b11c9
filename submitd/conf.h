/* Configuration of submitd: the [submitd] section. */
#ifndef SUBMITD_CONF_H
#define SUBMITD_CONF_H

#include "lib/daemon/common_conf.h"

struct submitd_conf {
    struct yb_daemon_conf daemon;
    struct yb_conf_list listen;
    struct yb_conf_list listen_tls;
    const char *auth_mechanisms;
    unsigned max_connections_per_account;
    const char *lmtpd;
    unsigned lmtpd_connections;
    int64_t lmtpd_timeout;
    uint64_t max_message;
    unsigned max_rcpt;
    unsigned max_errors;
    unsigned max_hops;
    int64_t command_timeout;
    int64_t data_timeout;
    int64_t message_timeout;
    uint64_t memory_per_message;
    uint64_t memory_total;
    uint64_t memory_per_network;
    uint64_t disk_per_network;
    uint64_t disk_reserve;
};

extern const struct yb_conf_table submitd_conf_table;

#endif
