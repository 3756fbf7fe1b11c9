/* May somebody who logged in go on? */
#include "lib/auth/online.h"
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/cred/cred.h"

/* How long after a login by an imported hash its replacement is the same password: the login itself
 * replaces it, and another that went on beside it may have been faster. */
#define REPLACED_S 60

/* A key that every process has: verifiers are salted, and what comes of them stays in memory. */
uint64_t
yb_auth_proof(struct yb_str verifier)
{
    static const uint64_t key[2] = { 0x79756269, 0x6e206175 };

    return yb_siphash(key, verifier);
}

static bool
is_on(const struct yb_login *login, enum yb_auth_protocol protocol)
{
    switch (protocol) {
    case YB_AUTH_IMAP:
        return login->imap;
    case YB_AUTH_POP3:
        return login->pop3;
    case YB_AUTH_SUBMISSION:
        return login->submission;
    }
    return false;
}

static bool
has_app_password(const struct yb_auth_means *by, const struct yb_login *login)
{
    for (size_t i = 0; i < login->n_apps; i++) {
        if (yb_auth_proof(login->apps[i]) == by->proof)
            return true;
    }
    return false;
}

/* An answer that was asked for before the replacement may come after one that has it: the password
 * proved right by both. */
static bool
has_password(struct yb_auth_means *by, const struct yb_login *login, time_t since)
{
    uint64_t proof = yb_auth_proof(login->verifier);

    if (by->app)
        return has_app_password(by, login);
    if (proof == by->proof || (by->replaced != 0 && proof == by->replaced))
        return true;
    if (!by->imported || yb_cred_needs_upgrade(login->verifier) ||
        yb_clock_now() - since > REPLACED_S)
        return false;
    by->replaced = by->proof;
    by->proof = proof;
    by->imported = false;
    return true;
}

int
yb_auth_still(struct yb_account_id account, struct yb_auth_means *by, const struct yb_login *login,
              enum yb_auth_protocol protocol, time_t since, struct yb_err *err)
{
    struct yb_str why = { NULL, 0 };

    if (!login->known || !yb_account_id_eq(login->account, account))
        why = YB_STR("This account is no more");
    else if (login->refused.n > 0)
        why = login->refused;
    else if (!is_on(login, protocol))
        why = YB_STR("This service is switched off for your account");
    else if (!has_password(by, login, since))
        why = YB_STR("Your password was changed, log in again");
    if (why.n == 0)
        return 0;
    return yb_err_as(err, YB_ERR_DISABLED, YB_PERM, "5.7.13", "%.*s", YB_STR_ARG(why));
}
