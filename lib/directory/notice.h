/*
 * What a notice of a change carries, for lib/directory alone. Every role of the database can hear
 * it, so a name is 64 bits of a keyed hash (schema/0012_notices.sql says which and why it is
 * sound); and every role can send one, so nothing here trusts it. Pure functions.
 */
#ifndef YB_DIRECTORY_NOTICE_H
#define YB_DIRECTORY_NOTICE_H

#include "lib/base/err.h"
#include "lib/base/id.h"
#include "lib/base/str.h"

#define YB_NOTICE_KEY 32
struct yb_notice_key {
    uint8_t v[YB_NOTICE_KEY];
    uint8_t id[4]; /* told with each notice: another key than ours was used */
};

/* Reads the key as the database tells it ("\x" and hex digits). */
int yb_notice_key_read(struct yb_str text, struct yb_notice_key *out,
                       struct yb_err *err) YB_MUST_USE;

/* A domain, in key form. */
uint64_t yb_notice_domain(const struct yb_notice_key *k, struct yb_str domain);
/* An address, in key form, by its base: what stands before the first byte that could separate a
 * sub-address. */
uint64_t yb_notice_address(const struct yb_notice_key *k, struct yb_str local,
                           struct yb_str domain);
uint64_t yb_notice_tenant(const struct yb_notice_key *k, struct yb_tenant_id tenant);

enum yb_notice_kind {
    YB_NOTICE_ADDRESS,
    YB_NOTICE_DOMAIN,
    YB_NOTICE_TENANT, /* all that is its */
    YB_NOTICE_NAMES,  /* which names are hosted */
    YB_NOTICE_ALL,    /* everything, and whatever cannot be read */
    YB_NOTICE_UNKNOWN /* by a key that is not ours */
};
/* *hash is set for an address, a domain and a tenant. */
enum yb_notice_kind yb_notice_parse(const struct yb_notice_key *k, struct yb_str payload,
                                    uint64_t *hash);

#endif
