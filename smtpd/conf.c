#include "smtpd/conf.h"

#include "lib/net/proxy.h"

#define OPT(...) YB_CONF_OPT(struct smtpd_conf, __VA_ARGS__)
#define OPT_START(...) YB_CONF_OPT_START(struct smtpd_conf, __VA_ARGS__)

static const struct yb_conf_option options[] = {
    YB_DAEMON_ROWS(struct smtpd_conf, "yubin-smtp", "yubin_smtpd", "64"),
    /* clang-format off */
    OPT_START(ADDRESSES, listen, "0.0.0.0:25, [::]:25", 1, 16,
        "Where mail from strangers is taken."),
    OPT_START(STRING, lmtpd, "unix:/run/yubin/lmtpd.lmtp", 1, 200,
        "Where this node's lmtpd takes messages."),
    OPT_START(UINT, lmtpd_connections, "48", 1, 1024,
        "Messages handed to lmtpd at once; more wait a moment, then hear 451."),
    OPT_START(DURATION, lmtpd_timeout, "30s", 1000, 600000,
        "How long lmtpd may take to answer; then it is not known whether it stored the message."),
    OPT_START(SIZE, max_message, "50M", 1024, SIZE_MAX,
        "Largest message taken; announced as SIZE."),
    OPT_START(UINT, max_rcpt, "100", 100, 10000,
        "Recipients of a message (RFC 5321 wants at least 100)."),
    OPT_START(UINT, max_errors, "20", 2, 10000,
        "Wrong commands of a client until it is let go."),
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
    OPT_START(LIST, limit_exempt, "127.0.0.0/8, ::1", 0, 64,
        "Networks the two limits below do not count."),
    OPT_START(DURATION, limit_window, "10m", 1000, 86400000,
        "The time over which messages and unknown recipients are counted."),
    OPT_START(DURATION, limit_block, "10m", 1000, 86400000,
        "How long a network over a limit hears 451 for every recipient; it ends by itself."),
    OPT_START(UINT, limit_messages, "20000", 0, 4000000,
        "Messages of a client network in that time; 0 means no limit."),
    OPT_START(UINT, limit_unknown, "200", 0, 4000000,
        "Unknown recipients asked for by a client network in that time; 0 means no limit."),
    /* clang-format on */
};

static int
check(void *values, struct yb_arena *a YB_UNUSED, struct yb_err *err)
{
    const struct smtpd_conf *c = values;
    struct yb_cidr network;

    for (size_t i = 0; i < c->limit_exempt.n; i++) {
        if (!yb_cidr_parse(yb_str_from(c->limit_exempt.v[i]), &network))
            return yb_err_set(err, YB_PERM, "5.3.5",
                              "limit_exempt: %s is no network; write it as 192.0.2.0/24",
                              c->limit_exempt.v[i]);
    }
    return 0;
}

const struct yb_conf_table smtpd_conf_table = {
    .section = "smtpd",
    .title = "Receives mail from strangers.",
    .options = options,
    .n = YB_COUNT(options),
    .size = sizeof(struct smtpd_conf),
    .check = check,
};
