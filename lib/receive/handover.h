/*
 * From a recipient to the store: what smtpd and submitd share. At RCPT an address is resolved to
 * the mailboxes it leads to; at the end of the message all of them are handed to this node's lmtpd
 * in one LMTP transaction. What it did not store, of a message that others have, goes to relayd; the
 * client hears one answer for all (docs/delivery.md, 4).
 *
 * Only what lies behind that one lmtpd is taken: a target on another node or at a foreign host is
 * answered 451 4.3.0 at RCPT.
 */
#ifndef YB_RECEIVE_HANDOVER_H
#define YB_RECEIVE_HANDOVER_H

#include "lib/directory/directory.h"
#include "lib/receive/refused.h"
#include "lib/smtp/client.h"
#include "lib/smtp/server.h"

struct yb_handover {
    struct yb_directory *directory;
    struct yb_smtp_dest *lmtpd;  /* stores mail of stores that are at home here */
    struct yb_smtp_dest *relayd; /* queues what it did not store; NULL: nobody does */
    struct yb_refused *refusals; /* what lmtpd said of mailboxes; NULL: not kept */
    enum yb_lmtp_origin origin;  /* XORIGIN of everything handed over */
    bool hide_bcc;               /* Bcc and Resent-Bcc are taken out (submission) */
    size_t max_targets;          /* of one message; 0: 1 000 */
    /* For metrics: messages by outcome (queued: in part, or all), mailboxes of those taken. */
    _Atomic uint64_t stored, queued, refused, unknown;
    _Atomic uint64_t places_stored, places_queued;
};

/* How RCPT was decided; for limits and the log. */
struct yb_handover_verdict {
    enum yb_answer_why why;
    bool form;      /* NOT_HOSTED by its form: a relaying trick, whatever the domain */
    bool elsewhere; /* a target's store is not at home here */
};

/*
 * The RCPT hook's work. tx->data and r->data are in use from then on. 0: r->data holds the targets,
 * and the hook accepts the recipient. -1: *err is the answer, r->code its reply code where the
 * directory chose one. `why` is ACCEPTED for errors that are ours (database away).
 */
int yb_handover_rcpt(const struct yb_handover *h, struct yb_smtp_session *s, struct yb_smtp_rcpt *r,
                     struct yb_handover_verdict *verdict, struct yb_err *err) YB_MUST_USE;

/*
 * The message hook's work: s->tx with `head` before it, an empty line between them when it is text
 * without a header, and without the fields of its header that nobody may get (Return-Path, hide_bcc),
 * to the targets of all its recipients. The header is looked through up to YB_SMTP_HEADER_MAX.
 * 0: stored for all, or stored or queued for each; s->tx says for how many. -1: *err is the client's
 * answer; if anybody may have it all the same, "<name>.data.maybe_twice" names exactly those
 * recipients in the log.
 */
int yb_handover_message(struct yb_handover *h, struct yb_smtp_session *s, struct yb_str head,
                        struct yb_err *err) YB_MUST_USE;

#endif
