/*
 * The arguments of SMTP and LMTP commands (RFC 5321 §4.1.1, §4.1.2): pure functions that accept or
 * reject. What a dialect may say is asked for by flags, so that nothing is believed from a stranger
 * that only our own daemons may say.
 */
#ifndef YB_SMTP_PARAMS_H
#define YB_SMTP_PARAMS_H

#include "lib/mime/address.h"
#include "lib/smtp/xparam.h"

enum {
    YB_PARAMS_LMTP = 1, /* lib/smtp/xparam.h */
    YB_PARAMS_AUTH = 2, /* MAIL AUTH= (RFC 4954 §5): read, then ignored */
    /* Addresses of hosts elsewhere as they come (enum yb_path_kind) … */
    YB_PARAMS_ODD_SENDER = 4, /* … in MAIL */
    YB_PARAMS_ODD_RCPT = 8 /* … in RCPT: a hosted one it must not be, which the caller sees to */
};

struct yb_smtp_mail_args {
    struct yb_address from;
    struct yb_str text; /* as it was written, without < and >, a source route and a final dot */
    bool has_size;
    uint64_t size;
    bool body_8bit, utf8;
    struct yb_lmtp_mail x;
};

struct yb_smtp_rcpt_args {
    struct yb_address to;
    struct yb_str text; /* likewise */
    struct yb_lmtp_rcpt x;
};

/* "FROM:<…> [parameters]" and "TO:<…> [parameters]". Spaces behind the colon are passed over, as
 * nearly everybody does: senders that put one there are many and mean no other address. */
int yb_smtp_mail_parse(struct yb_str arg, unsigned allow, struct yb_arena *arena,
                       struct yb_smtp_mail_args *out, struct yb_err *err) YB_MUST_USE;
/* The same for RCPT; `utf8`: MAIL said SMTPUTF8. */
int yb_smtp_rcpt_parse(struct yb_str arg, unsigned allow, bool utf8, struct yb_arena *arena,
                       struct yb_smtp_rcpt_args *out, struct yb_err *err) YB_MUST_USE;
/*
 * RFC 6409 §8, submission only: "FROM:<u>" becomes "FROM:<u@domain>"; anything that has a domain,
 * is empty, is <postmaster> or is no path at all comes back as it is. The result is parsed like any
 * other.
 */
struct yb_str yb_smtp_path_complete(struct yb_str arg, struct yb_str domain,
                                    struct yb_arena *arena) YB_MUST_USE;
/* "n" or "n LAST" (RFC 3030 §2). */
bool yb_smtp_bdat_parse(struct yb_str arg, uint64_t *n, bool *last) YB_MUST_USE;
/* "MECHANISM [initial]" (RFC 4954 §4); initial->p is NULL without one. */
bool yb_smtp_auth_parse(struct yb_str arg, struct yb_str *mechanism,
                        struct yb_str *initial) YB_MUST_USE;
#define YB_SMTP_HELO_MAX 255 /* a domain's limit (RFC 5321 §4.5.3.1.2) */

/*
 * What a client calls itself, as it may stand in a Received field: nobody is refused for a name
 * (RFC 5321 §4.1.4), and people name their computers as they like. Of its first YB_SMTP_HELO_MAX
 * octets all that a domain or address literal is not made of is replaced, with `utf8` (RFC 6531
 * §3.7.1) but for well-formed UTF-8.
 */
struct yb_str yb_smtp_helo_text(struct yb_str name, bool utf8, struct yb_arena *arena) YB_MUST_USE;

#endif
