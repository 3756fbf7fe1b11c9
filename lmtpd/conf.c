#include "lmtpd/conf.h"

#define OPT(...) YB_CONF_OPT(struct lmtpd_conf, __VA_ARGS__)
#define OPT_START(...) YB_CONF_OPT_START(struct lmtpd_conf, __VA_ARGS__)

static const struct yb_conf_option options[] = {
    YB_ROLE_ROWS(struct lmtpd_conf, LMTPD, "32"),
    /* clang-format off */
    OPT_START(ADDRESSES, listen, "unix:/run/yubin/lmtpd.lmtp", 1, 16,
        "Where smtpd, submitd and relayd of this node hand over."),
    OPT_START(LIST, peers, YB_ROLE_USER(SMTPD) " " YB_ROLE_USER(SUBMITD) " " YB_ROLE_USER(RELAYD), 1, 16,
        "System users that may hand over, besides root and lmtpd's own; what they say of a "
        "recipient is believed."),
    OPT_START(SIZE, max_message, "64M", 1024, SIZE_MAX,
        "Largest message stored; above smtpd's max_message, which leaves room for added fields."),
    OPT_START(UINT, max_rcpt, "1000", 100, 100000,
        "Recipients of one hand-over: an alias may have so many targets."),
    OPT_START(UINT, open_accounts, "1024", 16, 65536,
        "Accounts kept open between deliveries; each holds a few descriptors."),
    OPT_START(DURATION, lock_timeout, "10s", 100, 60000,
        "How long a delivery waits for an account that another process works on."),
    OPT_START(DURATION, usage_interval, "5s", 1000, 3600000,
        "How often sizes of mailboxes that changed are reported to the database."),
    OPT_START(DURATION, usage_round, "1d", 0, 2592000000,
        "So long after the sizes of all mailboxes of this node were reported again, whoever changed "
        "them, it is done once more, slowly; 0 means never."),
    OPT_START(DURATION, command_timeout, "5m", 1000, 3600000,
        "A hand-over that says nothing for so long is let go (RFC 5321 4.5.3.2)."),
    OPT_START(DURATION, data_timeout, "3m", 1000, 3600000,
        "The same between two blocks of a message (RFC 5321 4.5.3.2.5)."),
    /* clang-format on */
};

const struct yb_conf_table lmtpd_conf_table =
    YB_CONF_TABLE(YB_ROLE_NAME(LMTPD), struct lmtpd_conf, options,
                  "Stores messages into the Maildirs of this node.");
