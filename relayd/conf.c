#include "relayd/conf.h"

#define OPT(...) YB_CONF_OPT(struct relayd_conf, __VA_ARGS__)
#define OPT_START(...) YB_CONF_OPT_START(struct relayd_conf, __VA_ARGS__)

#define DAY UINT64_C(86400000)

static const struct yb_conf_option options[] = {
    YB_ROLE_ROWS(struct relayd_conf, RELAYD, "16"),
    /* clang-format off */
    OPT_START(ADDRESSES, listen, "unix:/run/yubin/relayd.lmtp", 1, 16,
        "Where daemons of this node hand over what has to wait."),
    OPT_START(LIST, peers, YB_ROLE_USER(SMTPD) " " YB_ROLE_USER(SUBMITD) " " YB_ROLE_USER(LMTPD), 1, 16,
        "System users that may hand over, besides root and relayd's own; what they say of a "
        "recipient is believed."),
    OPT_START(SIZE, max_message, "64M", 1024, SIZE_MAX,
        "Largest message taken; above smtpd's max_message, which leaves room for added fields."),
    OPT_START(UINT, max_rcpt, "1000", 100, 100000,
        "Recipients of one hand-over: an alias may have so many targets."),
    OPT_START(DURATION, command_timeout, "5m", 1000, 3600000,
        "A hand-over that says nothing for so long is let go (RFC 5321 4.5.3.2)."),
    OPT_START(DURATION, data_timeout, "3m", 1000, 3600000,
        "The same between two blocks of a message (RFC 5321 4.5.3.2.5)."),
    OPT_START(SIZE, memory_per_message, "128K", 8192, SIZE_MAX,
        "A message up to this size is held in memory while it is taken or delivered, a larger one in "
        "a file."),
    OPT_START(SIZE, memory_total, "64M", 1048576, SIZE_MAX,
        "Messages held in memory, all together; over it new ones go to files at once, over twice of "
        "it they hear 452."),
    OPT_START(UINT, max_recipients, "1000000", 1000, 10000000,
        "Recipients queued at once, each in at most 200 bytes of memory. Over it, or over half of it "
        "for one tenant, a hand-over hears 452; the last tenth is for mail that somebody was told is "
        "accepted."),
    OPT_START(SIZE, max_bytes, "20G", 1048576, SIZE_MAX,
        "The same for the octets of messages queued at once."),
    OPT_START(SIZE, disk_reserve, "512M", 0, SIZE_MAX,
        "Space of the queue's file system that stays free; below it a hand-over hears 452."),
    OPT_START(SIZE, inline_body, "16K", 0, 1048576,
        "A message up to this size lies in the queue's database, a larger one in a file beside it."),
    OPT_START(SIZE, wal_size, "8M", 1048576, 1073741824,
        "The database's log is written back when it has grown to this; until then it is also the "
        "first reserve of a full disk."),
    OPT_START(STRING, lmtpd, "unix:/run/yubin/lmtpd.lmtp", 1, 200,
        "Where this node's lmtpd takes messages."),
    OPT_START(DURATION, lmtpd_timeout, "30s", 1000, 600000,
        "How long lmtpd may take to answer; then the message is tried again, marked as a repeat."),
    OPT_START(UINT, deliver_workers, "4", 1, 256,
        "Messages delivered at once; while another tenant's wait, one tenant has at most half of "
        "these."),
    OPT(DURATION, sleep_first, "1s", 100, 600000,
        "lmtpd, or the database, did not answer: it is tried again after this, and after twice as long "
        "each further time. Nobody's attempts count meanwhile."),
    OPT(DURATION, sleep_most, "30s", 1000, 3600000,
        "The longest such wait."),
    OPT(DURATION, retry_first, "5m", 1000, 86400000,
        "A recipient that was refused for now is tried again after this, and after twice as long each "
        "further time (RFC 5321 4.5.4.1), each with up to a tenth more, by chance."),
    OPT(DURATION, retry_most, "2h", 1000, 604800000,
        "The longest such wait."),
    OPT(DURATION, ask_after, "10m", 0, 86400000,
        "Who has waited for so long is looked up in the directory before each attempt: an account that "
        "is gone gets no new mailbox."),
    OPT(DURATION, away_expire, "5d", 1000, 90 * DAY,
        "What has waited for so long in vain is held, and shows so: lmtpd did not answer all that time, or "
        "refused it."),
    OPT(DURATION, hold_look, "10m", 1000, 86400000,
        "How often what is held is looked at, so that what is over ends by itself."),
    OPT(DURATION, hold_expire, "30d", 1000, 3650 * DAY,
        "Mail for an account that is gone is discarded after so long."),
    OPT(DURATION, expire_grace, "6h", 0, 30 * DAY,
        "Nothing is held or discarded for its age so soon after a start or a jump of the clock."),
    /* clang-format on */
};

const struct yb_conf_table relayd_conf_table = YB_CONF_TABLE(
    YB_ROLE_NAME(RELAYD), struct relayd_conf, options, "Keeps the queue of mail that waits.");
