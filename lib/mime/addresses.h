/*
 * Address lists of header fields (RFC 5322 §3.4 with the obsolete forms of §4.4: routes, comments
 * and spaces inside addresses, empty list members). Two readers share one parser:
 * - yb_mime_addresses_parse() is for showing (IMAP ENVELOPE): it gives what can be recognised in any
 *   bytes;
 * - yb_mime_field_addresses() is for deciding (does this From belong to the user?): it gives every
 *   address of every field of that name, or an error when another program could read something
 *   else.
 *
 * Pure functions; results live in the arena.
 */
#ifndef YB_MIME_ADDRESSES_H
#define YB_MIME_ADDRESSES_H

#include "lib/mime/address.h"

#define YB_MIME_ADDRESSES_MAX 20000 /* members of one list; further ones are left out (broken) */

enum yb_mime_address_kind {
    YB_MIME_MAILBOX,
    YB_MIME_GROUP_START, /* name: the group's */
    YB_MIME_GROUP_END
};

struct yb_mime_address {
    enum yb_mime_address_kind kind;
    /* Display name without quotes, encoded words as they are; without one the last comment, as
     * "a@b (Full Name)" means it; p == NULL: none. */
    struct yb_str name;
    struct yb_str route;  /* "@a,@b" of an obsolete route; p == NULL: none */
    struct yb_str local;  /* without quotes and backslashes */
    struct yb_str domain; /* as written, without comments and spaces; not in normal form */
    bool no_domain;       /* there was no '@' */
    bool quoted;          /* the local part was (partly) a quoted string */
    struct yb_mime_address *next;
};

struct yb_mime_addresses {
    struct yb_mime_address *first;
    size_t n;
    /* Something was not an address list; what followed the next comma was read again. */
    bool broken;
    /* Well-formed, but programs differ in how they read it: a route, a comment or space inside an
     * addr-spec, a comment with '@', '<' or '>'. */
    bool obscure;
};

/* Reads the value of an address field, folded or not. Never fails; see `broken`. */
void yb_mime_addresses_parse(struct yb_str value, struct yb_arena *arena,
                             struct yb_mime_addresses *out);

struct yb_address_list {
    struct yb_address *addresses; /* local parts canonical, domains in normal form */
    size_t n;
    size_t fields; /* how many fields of that name there were */
};

/*
 * All addresses in all fields `name` of a header (or message) with CRLF line ends; none is fine.
 * -1 with a YB_PERM error (5.6.0) when the header is not unambiguous to its end (a line that is no
 * field, a bare CR or LF, a NUL) or one of those fields is broken, obscure, holds controls, an
 * address without domain or with an invalid one; and when there are more than 100 such fields,
 * 1 000 addresses in them, or 64 KiB in one. Display names may be in any character set: a field
 * that is no UTF-8 is refused when, read in another one, it could show an address that is not given.
 */
int yb_mime_field_addresses(struct yb_str header, struct yb_str name, struct yb_arena *arena,
                            struct yb_address_list *out, struct yb_err *err) YB_MUST_USE;

/* The same for From, which must be there and name at least one address. More than one field is
 * given as `fields` > 1: a program that shows only one of them shows an address that is in the
 * list. */
int yb_mime_from_addresses(struct yb_str header, struct yb_arena *arena,
                           struct yb_address_list *out, struct yb_err *err) YB_MUST_USE;

#endif
