/*
 * Addresses of the SMTP envelope (RFC 5321 §4.1.2, with the UTF-8 of RFC 6531) and domain names.
 * Pure functions over bytes; results live in the caller's arena or point into its input. A parser
 * here accepts or rejects, it never repairs. Header address lists are in addresses.h.
 */
#ifndef YB_MIME_ADDRESS_H
#define YB_MIME_ADDRESS_H

#include "lib/base/arena.h"
#include "lib/base/err.h"

#define YB_LOCAL_MAX 64   /* octets, RFC 5321 §4.5.3.1.1 */
#define YB_DOMAIN_MAX 255 /* §4.5.3.1.2 */
#define YB_PATH_MAX 256   /* §4.5.3.1.3, with < and > */

struct yb_address {
    struct yb_str local; /* canonical: without quotes and backslashes; case kept */
    struct yb_str
        domain;     /* normal form of yb_domain_normal(), or "[192.0.2.1]", "[IPv6:2001:db8::1]" */
    bool null;      /* <>: local and domain are empty */
    bool no_domain; /* <postmaster>, in any case */
    bool quoted;    /* the local part was written as a quoted string */
    bool literal;   /* the domain is an address literal */
    bool utf8;      /* local part or domain were written with bytes above 127 */
    bool routed;    /* a source route "@a,@b:" stood before it (and is not kept) */
    bool percent, bang, at; /* the local part holds '%', '!', '@' */
    /* Foreign kinds only: it breaks the grammar in a way real addresses elsewhere do. No hosted
     * address can be written so: who asks whose it is looks here first. */
    bool odd_local, odd_domain;
};

/*
 * The foreign kinds take what hosts elsewhere gave to people who cannot change it: dots anywhere in
 * the local part (phone carriers), '_' and hyphens at the edges of labels in the domain (containers,
 * Windows domains). Everything else is as strict.
 */
enum yb_path_kind {
    YB_PATH_REVERSE, /* MAIL FROM: <> is fine */
    YB_PATH_FORWARD, /* RCPT TO: <postmaster> is fine; the local part has at most 64 octets */
    YB_PATH_REVERSE_FOREIGN,
    YB_PATH_FORWARD_FOREIGN
};

/*
 * Parses the path at the start of `in` (it begins with '<'); *rest gets what follows the '>':
 * nothing, or the parameters with the space before them. Without `utf8` a byte above 127 is an
 * error (5.6.7). Returns 0, or -1 with a YB_PERM error (5.1.3 for a forward, 5.1.7 for a reverse
 * path). The 64 octets are not asked of a reverse path: rewritten senders (SRS, VERP) pass them,
 * and §4.5.3.1 wants limits only where they are needed.
 */
int yb_path_parse(struct yb_str in, enum yb_path_kind kind, bool utf8, struct yb_arena *arena,
                  struct yb_address *out, struct yb_str *rest, struct yb_err *err) YB_MUST_USE;

/*
 * Parses a bare mailbox `local@domain`, as an operator or a login writes it; UTF-8 is fine, nothing
 * may follow. Limits are those of a forward path. -1 with a YB_PERM error (5.1.3).
 */
int yb_address_parse(struct yb_str in, struct yb_arena *arena, struct yb_address *out,
                     struct yb_err *err) YB_MUST_USE;

/* `local@domain` with quotes only where the local part needs them, "" for the null path,
 * "postmaster" without domain as it is. What it gives parses to the same address again. */
struct yb_str yb_address_write(const struct yb_address *a, struct yb_arena *arena) YB_MUST_USE;

/* The form under which a local part is looked up: ASCII lower-cased; UTF-8 case-folded, in NFC. */
struct yb_str yb_address_fold(struct yb_str local, struct yb_arena *arena) YB_MUST_USE;

/*
 * The one normal form of a domain name: lower-case A-labels (a U-label becomes its A-label by UTS
 * #46, non-transitional), without a trailing dot. A name is letters, digits and hyphens in labels
 * of 1 to 63, 253 in all, the last label not only digits (that is an address, RFC 3696 §2). An
 * A-label that is already there is not decoded: it is the name DNS knows. Returns 0, or -1 with a
 * YB_PERM error (5.1.2).
 */
int yb_domain_normal(struct yb_str domain, struct yb_arena *arena, struct yb_str *out,
                     struct yb_err *err) YB_MUST_USE;

/* True for a byte of an atom (RFC 5322 §3.2.3); bytes above 127 are not. */
bool yb_is_atext(char c);

#endif
