/* Configuration of lmtpd: the [lmtpd] section. */
#ifndef LMTPD_CONF_H
#define LMTPD_CONF_H

#include "lib/daemon/common_conf.h"

struct lmtpd_conf {
    struct yb_daemon_conf daemon;
    struct yb_conf_list listen;
    struct yb_conf_list peers;
    uint64_t max_message;
    unsigned max_rcpt;
    unsigned open_accounts;
    int64_t lock_timeout;
    int64_t usage_interval, usage_round;
    int64_t command_timeout;
    int64_t data_timeout;
};

extern const struct yb_conf_table lmtpd_conf_table;

#endif
