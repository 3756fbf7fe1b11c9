/*
 * smtpd's own part of a session: who may hand in mail for whom (rcpt.c) and what becomes of a whole
 * message (data.c). Everything of the protocol is lib/smtp's.
 */
#ifndef SMTPD_SMTPD_H
#define SMTPD_SMTPD_H

#include "lib/net/proxy.h"
#include "lib/receive/handover.h"
#include "smtpd/limits.h"

struct smtpd {
    struct yb_handover handover;
    struct smtpd_limits *limits;
    struct yb_cidr *exempt; /* networks that are not counted */
    size_t n_exempt;
    _Atomic uint64_t blocks; /* begun by a limit */
};

extern const struct yb_smtp_hooks smtpd_hooks; /* arg of the server: struct smtpd */

/* rcpt.c */
int smtpd_rcpt(struct yb_smtp_session *s, struct yb_smtp_rcpt *r, struct yb_err *err) YB_MUST_USE;
/* Counts for the client's network, unless it is exempt. -1: it is over a limit; the beginning of a
 * block is logged. */
int smtpd_count(struct yb_smtp_session *s, enum smtpd_limit kind, struct yb_err *err) YB_MUST_USE;
/* data.c */
int smtpd_message(struct yb_smtp_session *s, struct yb_str *answer, struct yb_err *err) YB_MUST_USE;

#endif
