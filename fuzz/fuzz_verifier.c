/*
 * What an import or a damaged row may hold as a verifier: the first line is the verifier, the rest
 * a password as typed. A verifier that passes the check has a scheme, one that does not has none;
 * the parts of a SCRAM verifier lie inside it and give it back; a prepared password is prepared
 * already.
 */
#include "lib/cred/cred.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_scram(struct yb_str verifier)
{
    struct yb_cred_scram p;
    char again[2 * YB_CRED_VERIFIER];

    if (!yb_cred_scram_parse(verifier, &p))
        return;
    snprintf(again, sizeof(again), "SCRAM-SHA-256$%u:%.*s$%.*s:%.*s", p.iterations,
             YB_STR_ARG(p.salt), YB_STR_ARG(p.stored_key), YB_STR_ARG(p.server_key));
    yb_assert(yb_str_eq(yb_str_from(again), verifier));
}

static void
check_prepared(struct yb_str password)
{
    char once[YB_CRED_PREPARED], twice[YB_CRED_PREPARED];
    size_t n, m;

    if (!yb_cred_prepare(password, once, &n))
        return;
    yb_assert(n > 0 && n <= sizeof(once) && yb_str_utf8(yb_str(once, n)));
    if (n <= YB_CRED_PASSWORD && yb_cred_prepare(yb_str(once, n), twice, &m))
        yb_assert(yb_str_eq(yb_str(once, n), yb_str(twice, m)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str all = yb_str((const char *)data, size);
    struct yb_str verifier = yb_str_head(all, yb_str_find(all, '\n'));
    struct yb_str password = yb_str_skip(all, verifier.n + 1);
    struct yb_err err = { 0 };
    char hash[YB_CRED_APP_HASH];

    if (yb_cred_check(verifier, &err) == 0)
        yb_assert(yb_cred_scheme_of(verifier) != YB_CRED_UNKNOWN);
    else
        yb_assert(yb_cred_scheme_of(verifier) == YB_CRED_UNKNOWN && err.class == YB_PERM);
    check_scram(verifier);
    check_prepared(password);
    if (yb_cred_app_hash(password, hash))
        yb_assert(strlen(hash) == 64);
    (void)yb_cred_needs_upgrade(verifier);
    /* Only the cheap schemes are run: the others are bounded by the check above. */
    if (yb_cred_scheme_of(verifier) == YB_CRED_SSHA512 ||
        yb_cred_scheme_of(verifier) == YB_CRED_SSHA256)
        (void)yb_cred_verify(verifier, password);
    return 0;
}
