/*
 * How much one client network may do: messages and unknown recipients over a sliding window. Over a
 * threshold the network is blocked, which ends by itself. The memory is fixed at the beginning:
 * networks share sets of a few entries, and in a full set the one that was quiet longest is
 * forgotten. Thread safe. Owned by smtpd; one a process.
 */
#ifndef SMTPD_LIMITS_H
#define SMTPD_LIMITS_H

#include "lib/base/base.h"

struct smtpd_limits;

enum smtpd_limit { SMTPD_LIMIT_MESSAGES, SMTPD_LIMIT_UNKNOWN, SMTPD_LIMITS };

struct smtpd_limits_conf {
    size_t networks; /* remembered at once; 0: 65 536 */
    int64_t window_ms, block_ms;
    unsigned most[SMTPD_LIMITS]; /* in a window; 0: no limit */
};

struct smtpd_limits *smtpd_limits_new(const struct smtpd_limits_conf *conf) YB_MUST_USE;
void smtpd_limits_free(struct smtpd_limits **l);
enum smtpd_limit_state {
    SMTPD_WITHIN,
    SMTPD_BEGINS, /* one too many: it begins a block */
    SMTPD_BLOCKED /* not counted */
};
/* One more of that kind from the network (yb_network_number()), at `now_ms`: the first `most` in a
 * window are within. */
enum smtpd_limit_state smtpd_limits_count(struct smtpd_limits *l, uint64_t network,
                                          enum smtpd_limit kind, int64_t now_ms);
bool smtpd_limits_blocked(struct smtpd_limits *l, uint64_t network, int64_t now_ms);

#endif
