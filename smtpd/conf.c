#include "smtpd/conf.h"

#include "lib/net/proxy.h"

#define OPT(...) YB_CONF_OPT(struct smtpd_conf, __VA_ARGS__)
#define OPT_START(...) YB_CONF_OPT_START(struct smtpd_conf, __VA_ARGS__)

static const struct yb_conf_option options[] = {
    YB_ROLE_ROWS(struct smtpd_conf, SMTPD, "64"),
    /* clang-format off */
    OPT_START(ADDRESSES, listen, "0.0.0.0:25, [::]:25", 1, 16,
        "Where mail from strangers is taken."),
    YB_RECEIVER_ROWS(struct smtpd_conf, "48",
        "Wrong commands of a client until it is let go."),
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
    .section = YB_ROLE_NAME(SMTPD),
    .title = "Receives mail from strangers.",
    .options = options,
    .n = YB_COUNT(options),
    .size = sizeof(struct smtpd_conf),
    .check = check,
};
