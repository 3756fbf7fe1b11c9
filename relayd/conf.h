/* Configuration of relayd: the [relayd] section. */
#ifndef RELAYD_CONF_H
#define RELAYD_CONF_H

#include "lib/daemon/common_conf.h"

struct relayd_conf {
    struct yb_daemon_conf daemon;
    struct yb_conf_list listen;
    struct yb_conf_list peers;
    uint64_t max_message;
    unsigned max_rcpt;
    int64_t command_timeout, data_timeout;
    uint64_t memory_per_message, memory_total;

    unsigned max_recipients;
    uint64_t max_bytes;
    uint64_t disk_reserve;
    uint64_t inline_body, wal_size;

    const char *lmtpd;
    int64_t lmtpd_timeout;
    unsigned deliver_workers;
    int64_t sleep_first, sleep_most;
    int64_t retry_first, retry_most;
    int64_t ask_after;
    int64_t away_expire, hold_look, hold_expire, expire_grace;
};

extern const struct yb_conf_table relayd_conf_table;

#endif
