#include "submitd/conf.h"

#define OPT_START(...) YB_CONF_OPT_START(struct submitd_conf, __VA_ARGS__)

static const struct yb_conf_option options[] = {
    YB_DAEMON_ROWS(struct submitd_conf, "yubin-submit", "yubin_submitd", "32"),
    /* clang-format off */
    OPT_START(ADDRESSES, listen, "0.0.0.0:587, [::]:587", 0, 16,
        "Where users hand in mail after STARTTLS."),
    OPT_START(ADDRESSES, listen_tls, "0.0.0.0:465, [::]:465", 0, 16,
        "Where they do so with TLS from the first octet (RFC 8314)."),
    OPT_START(UINT, max_connections_per_account, "100", 1, 1000000,
        "Connections at once of one account; a network's are no longer counted once they are logged "
        "in."),
    OPT_START(STRING, auth_mechanisms, "", 0, 200,
        "SASL mechanisms offered, between spaces; empty means all there are."),
    OPT_START(STRING, lmtpd, "unix:/run/yubin/lmtpd.lmtp", 1, 200,
        "Where this node's lmtpd takes messages."),
    OPT_START(UINT, lmtpd_connections, "24", 1, 1024,
        "Messages handed to lmtpd at once; more wait a moment, then hear 451."),
    OPT_START(DURATION, lmtpd_timeout, "30s", 1000, 600000,
        "How long lmtpd may take to answer; then it is not known whether it stored the message."),
    OPT_START(SIZE, max_message, "50M", 1024, SIZE_MAX,
        "Largest message taken; announced as SIZE."),
    OPT_START(UINT, max_rcpt, "100", 100, 10000,
        "Recipients of a message (RFC 5321 wants at least 100)."),
    OPT_START(UINT, max_errors, "20", 2, 10000,
        "Wrong commands and failed logins of a client until it is let go."),
    OPT_START(UINT, max_hops, "50", 10, 1000,
        "Received fields of a message over which it is taken to go round in circles."),
    OPT_START(DURATION, command_timeout, "5m", 1000, 3600000,
        "A client that says nothing for so long is let go (RFC 5321 4.5.3.2.7)."),
    OPT_START(DURATION, data_timeout, "5m", 1000, 3600000,
        "The same in the middle of a message."),
    OPT_START(DURATION, message_timeout, "2h", 1000, 86400000,
        "A message must be whole by then, however steadily it trickles."),
    OPT_START(SIZE, memory_per_message, "128K", 8192, SIZE_MAX,
        "A message up to this size is held in memory, a larger one in a file."),
    OPT_START(SIZE, memory_total, "64M", 1048576, SIZE_MAX,
        "Messages held in memory, all together; over it new ones go to files at once, over twice of "
        "it they hear 452."),
    OPT_START(SIZE, memory_per_network, "16M", 65536, SIZE_MAX,
        "The same for one client network (IPv4 /24, IPv6 /64)."),
    OPT_START(SIZE, disk_per_network, "4G", 1048576, SIZE_MAX,
        "Unfinished messages in files, of one client network; over it new ones hear 452."),
    OPT_START(SIZE, disk_reserve, "256M", 0, SIZE_MAX,
        "Space of the spool's file system that stays free; below it new messages hear 452."),
    /* clang-format on */
};

const struct yb_conf_table submitd_conf_table =
    YB_CONF_TABLE("submitd", struct submitd_conf, options, "Takes mail from authenticated users.");
