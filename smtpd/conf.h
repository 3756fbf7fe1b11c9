/* Configuration of smtpd: the [smtpd] section. */
#ifndef SMTPD_CONF_H
#define SMTPD_CONF_H

#include "lib/daemon/common_conf.h"

struct smtpd_conf {
    struct yb_daemon_conf daemon;
    struct yb_conf_list listen;
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
    struct yb_conf_list limit_exempt;
    int64_t limit_window;
    int64_t limit_block;
    unsigned limit_messages;
    unsigned limit_unknown;
};

extern const struct yb_conf_table smtpd_conf_table;

#endif
