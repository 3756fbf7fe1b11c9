/*
 * The parameters that carry a decision over LMTP between our own daemons, and those of RFC 3461
 * that travel with them. Who says and who believes which is the table in docs/delivery.md. They
 * are read and written by the same rows, so the two directions cannot drift apart. Pure functions.
 */
#ifndef YB_SMTP_XPARAM_H
#define YB_SMTP_XPARAM_H

#include "lib/base/buf.h"
#include "lib/base/id.h"

/* Whether a DSN may be made for the message (XORIGIN). */
enum yb_lmtp_origin {
    YB_ORIGIN_NONE,
    YB_ORIGIN_PASS, /* SPF or DKIM passed for the reverse-path */
    YB_ORIGIN_AUTH  /* an authenticated user */
};

/* What MAIL carries. Zeroed means: nothing said. */
struct yb_lmtp_mail {
    struct yb_session_id session; /* XSESSION=<session>.<message>, for the log */
    struct yb_message_id message;
    struct yb_tenant_id tenant; /* XTENANT, for fairness and the log */
    enum yb_lmtp_origin origin;
    bool whole;              /* XWHOLE: stored for all recipients or for none */
    bool ask;                /* XASK: no message is at hand, and none will come */
    bool ret_full, ret_hdrs; /* RET */
    struct yb_str envid;     /* ENVID, xtext as it came */
    unsigned seen;           /* which rows were there */
};

/* NOTIFY (RFC 3461 §4.1). */
enum { YB_NOTIFY_NEVER = 1, YB_NOTIFY_SUCCESS = 2, YB_NOTIFY_FAILURE = 4, YB_NOTIFY_DELAY = 8 };

/* What RCPT carries. */
struct yb_lmtp_rcpt {
    struct yb_delivery_id delivery;
    struct yb_account_id account;
    struct yb_tenant_id owner; /* XOWNER: whose mail it is, where that is not MAIL's tenant */
    /* XHOME: the store where the account's mail lies, as far as the peer knows. */
    struct yb_store_id home;
    uint64_t quota; /* XQUOTA: limit of the account in bytes, 0 = none */
    bool junk;      /* XMARK=junk */
    bool accepted;  /* XACCEPTED: somebody already heard 250 for it */
    bool repeat;    /* XREPEAT: may have been stored */
    unsigned notify;
    struct yb_str orcpt; /* "rfc822;xtext" as it came */
    unsigned seen;
};

/* The result of reading one parameter. */
enum yb_lmtp_param { YB_PARAM_OK, YB_PARAM_UNKNOWN, YB_PARAM_BAD /* value, or said twice */ };

/* Reads KEY[=value]; `value.p` is NULL when there was no "=". Strings are kept by reference. */
enum yb_lmtp_param yb_lmtp_mail_read(struct yb_lmtp_mail *m, struct yb_str key,
                                     struct yb_str value);
/* The same for RCPT. */
enum yb_lmtp_param yb_lmtp_rcpt_read(struct yb_lmtp_rcpt *r, struct yb_str key,
                                     struct yb_str value);
/* Appends " KEY=value" for everything that says something. */
void yb_lmtp_mail_write(const struct yb_lmtp_mail *m, struct yb_buf *out);
void yb_lmtp_rcpt_write(const struct yb_lmtp_rcpt *r, struct yb_buf *out);
/* xtext (RFC 3461 §4): printable, no "+" or "=" but as hexchar "+XX". */
bool yb_lmtp_is_xtext(struct yb_str s);

#endif
