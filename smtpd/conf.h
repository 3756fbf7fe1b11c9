/* Configuration of smtpd: the [smtpd] section. */
#ifndef SMTPD_CONF_H
#define SMTPD_CONF_H

#include "lib/daemon/common_conf.h"
#include "lib/receive/receiver.h"

struct smtpd_conf {
    struct yb_daemon_conf daemon;
    struct yb_conf_list listen;
    struct yb_receiver_conf receive;
    struct yb_conf_list limit_exempt;
    int64_t limit_window;
    int64_t limit_block;
    unsigned limit_messages;
    unsigned limit_unknown;
};

extern const struct yb_conf_table smtpd_conf_table;

#endif
