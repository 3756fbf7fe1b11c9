#include "lib/auth/attempt.h"

#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/mime/address.h"

#include <openssl/crypto.h>

static void
decide(struct yb_auth_attempt *at, enum yb_err_kind kind, enum yb_err_class class,
       const char *status, const char *text)
{
    at->decided = true;
    yb_err_as(&at->verdict, kind, class, status, "%s", text);
}

static void
decide_wrong(struct yb_auth_attempt *at)
{
    decide(at, YB_ERR_CREDENTIALS, YB_PERM, "5.7.8", "Wrong user name or password");
}

static void
decide_limited(struct yb_auth_attempt *at)
{
    decide(at, YB_ERR_BLOCKED, YB_TEMP, "4.7.0",
           "Too many wrong passwords for this account; try again later");
}

static void
decide_yes(struct yb_auth_attempt *at)
{
    at->decided = true;
    at->verdict = (struct yb_err){ 0 };
}

/* The password is right: what remains is whether the account may be used. */
static void
decide_right(struct yb_auth_attempt *at)
{
    if (!at->record.found)
        decide_wrong(at);
    else if (at->record.refused[0] != '\0')
        decide(at, YB_ERR_DISABLED, YB_PERM, "5.7.13", at->record.refused);
    else
        decide_yes(at);
}

/* A name no account can have is nobody's, and is treated like every other name of nobody. */
static bool
is_possible(struct yb_str name)
{
    if (name.n == 0 || name.n >= YB_AUTH_ADDRESS || !yb_str_utf8(name))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < ' ' || name.p[i] == 127)
            return false;
    return true;
}

/*
 * The one name behind all ways of writing it, as the directory folds it: whoever guesses gets no new
 * attempts by adding a dot, and whoever asks for salts learns nothing from two that differ.
 */
static struct yb_str
fold_name(struct yb_str name, struct yb_arena *arena)
{
    size_t at = yb_str_rfind(name, '@');
    struct yb_str local = yb_str_head(name, at), domain = yb_str_skip(name, at + 1);
    struct yb_err ignored;

    if (!is_possible(name) || yb_domain_normal(domain, arena, &domain, &ignored) < 0)
        return yb_arena_dup(arena, yb_str_head(name, YB_AUTH_ADDRESS - 1));
    local = yb_address_fold(local, arena);
    return yb_arena_printf(arena, "%.*s@%.*s", YB_STR_ARG(local), YB_STR_ARG(domain));
}

int
yb_auth_attempt_name(struct yb_auth_attempt *at, struct yb_str name)
{
    struct yb_auth *a = at->auth;
    struct yb_err err = { 0 };
    char key[YB_AUTH_LIMIT_KEY];

    if (at->decided || at->name.p != NULL)
        return at->decided ? -1 : 0;
    at->name = yb_arena_dup(at->arena, yb_str_head(name, YB_AUTH_ADDRESS - 1));
    at->folded = fold_name(name, at->arena);
    at->limit_key = yb_arena_dup(at->arena, yb_auth_limit_key(at->folded, at->facts->peer, key));
    if (yb_auth_limit_look(a->limit, at->limit_key, NULL, a->conf.now_ms()) ==
        YB_AUTH_LIMIT_BLOCKED) {
        decide_limited(at);
        return -1;
    }
    if (!is_possible(name))
        return 0;
    if (a->conf.source.lookup(a->conf.source.arg, name, at->arena, &at->record, &err) < 0) {
        yb_log_err(YB_LOG_WARN, at->facts->log, "auth.lookup.failed", &err);
        decide(at, YB_ERR_AWAY, YB_TEMP, "4.3.0",
               "Accounts cannot be checked at the moment; try again later");
        return -1;
    }
    return 0;
}

/* Which decoy stands for a name: always the same one. */
static size_t
decoy_slot(const struct yb_auth *a, struct yb_str name)
{
    uint64_t key[2];

    memcpy(key, a->secret, sizeof(key));
    return yb_siphash(key, name) % DECOYS;
}

/*
 * A check for nobody costs what a check for somebody costs. Schemes differ (imports), so nobody's
 * names are spread over what real accounts were seen to use, each account in a slot of its own.
 */
static void
decoy_learn(struct yb_auth *a, struct yb_str name, struct yb_str verifier)
{
    char decoy[YB_CRED_VERIFIER];

    yb_cred_decoy(verifier, decoy);
    pthread_mutex_lock(&a->decoys_lock);
    memcpy(a->decoys[decoy_slot(a, name)], decoy, sizeof(decoy));
    pthread_mutex_unlock(&a->decoys_lock);
}

static void
decoy_for(struct yb_auth *a, struct yb_str name, char out[YB_CRED_VERIFIER])
{
    pthread_mutex_lock(&a->decoys_lock);
    memcpy(out, a->decoys[decoy_slot(a, name)], YB_CRED_VERIFIER);
    pthread_mutex_unlock(&a->decoys_lock);
    if (out[0] == '\0')
        yb_cred_decoy(YB_STR(""), out);
}

static void
note_proof(struct yb_auth_attempt *at, struct yb_str verifier)
{
    at->record.user.by.proof = yb_auth_proof(verifier);
    at->record.user.by.replaced = 0;
    at->record.user.by.app = false;
    at->record.user.by.imported = yb_cred_needs_upgrade(verifier);
}

static bool
is_app_password(struct yb_auth_attempt *at, struct yb_str password)
{
    char hash[YB_CRED_APP_HASH];
    bool found = false;

    if (at->record.n_app_passwords == 0 || !yb_cred_app_hash(password, hash))
        return false;
    for (size_t i = 0; i < at->record.n_app_passwords; i++)
        found |= yb_str_eq_secret(at->record.app_passwords[i], yb_str_from(hash));
    if (found) {
        note_proof(at, yb_str_from(hash));
        at->record.user.by.app = true;
        at->record.user.by.imported = false;
    }
    return found;
}

/* What a password of this attempt is remembered by. */
static struct yb_auth_token
token(const struct yb_auth_attempt *at, struct yb_str verifier, struct yb_str password)
{
    const struct yb_account_id *id = &at->record.user.account;
    struct yb_str whose =
        at->record.found ? yb_str((const char *)id->v, sizeof(id->v)) : at->limit_key;

    return yb_auth_token_of(yb_str(at->auth->process_key, sizeof(at->auth->process_key)), whose,
                            verifier, password);
}

/* What shall replace an imported hash after its password proved right, hashed; empty: nothing. */
static void
upgrade_make(struct yb_auth_attempt *at, struct yb_str old, struct yb_str password,
             char fresh[YB_CRED_VERIFIER])
{
    struct yb_err err = { 0 };

    fresh[0] = '\0';
    if (at->auth->conf.source.upgrade == NULL || !yb_cred_needs_upgrade(old))
        return;
    if (yb_cred_make(password, 0, fresh, &err) < 0) {
        fresh[0] = '\0';
        yb_log_err(YB_LOG_WARN, at->facts->log, "auth.upgrade.failed", &err);
    }
}

/* Puts it in place; a failure is only logged: the next login tries again. Asks the database, so
 * never while others wait for us to be done with hashing. */
static void
upgrade_store(struct yb_auth_attempt *at, struct yb_str old, struct yb_str password,
              struct yb_str fresh)
{
    struct yb_auth *a = at->auth;
    struct yb_err err = { 0 };

    if (a->conf.source.upgrade(a->conf.source.arg, at->record.user.account, old, fresh, &err) < 0) {
        yb_log_err(YB_LOG_WARN, at->facts->log, "auth.upgrade.failed", &err);
    } else {
        struct yb_auth_token t = token(at, fresh, password);

        if (a->cache != NULL)
            yb_auth_cache_put(a->cache, &t, a->conf.now_ms());
        yb_log(YB_LOG_INFO, at->facts->log, "auth.upgrade", "%s replaced by SCRAM-SHA-256",
               yb_cred_scheme_name(yb_cred_scheme_of(old)));
    }
}

/* The slow part, a few at a time. `real`: the verifier is the account's own. */
static void
check_hash(struct yb_auth_attempt *at, bool real, struct yb_str verifier, struct yb_str password,
           const struct yb_auth_token *t)
{
    struct yb_auth *a = at->auth;
    struct yb_err err = { 0 };
    enum yb_auth_limit_state state;
    char fresh[YB_CRED_VERIFIER] = "";
    bool right;

    if (yb_gate_enter(a->hashing, &err) < 0) {
        decide(at, YB_ERR_OTHER, YB_TEMP, "4.3.2", "Too busy checking passwords; try again later");
        return;
    }
    a->counters.hashed++;
    right = yb_cred_verify(verifier, password) == YB_CRED_RIGHT && real;
    if (right)
        upgrade_make(at, verifier, password, fresh);
    yb_gate_leave(a->hashing, YB_GATE_OK);
    if (fresh[0] != '\0')
        upgrade_store(at, verifier, password, yb_str_from(fresh));
    explicit_bzero(fresh, sizeof(fresh));
    if (right)
        state = yb_auth_limit_look(a->limit, at->limit_key, NULL, a->conf.now_ms());
    else
        state = yb_auth_limit_wrong(a->limit, at->limit_key, t, a->conf.now_ms());
    if (state == YB_AUTH_LIMIT_BLOCKED) {
        decide_limited(at);
    } else if (!right) {
        decide_wrong(at);
    } else {
        if (a->cache != NULL)
            yb_auth_cache_put(a->cache, t, a->conf.now_ms());
        at->how = "hash";
        decide_right(at);
    }
}

void
yb_auth_attempt_password(struct yb_auth_attempt *at, struct yb_str password)
{
    struct yb_auth *a = at->auth;
    char decoy[YB_CRED_VERIFIER];
    struct yb_str verifier = yb_str_from(at->record.verifier);
    bool real = at->record.found && verifier.n > 0;
    enum yb_auth_limit_state state;
    struct yb_auth_token t;

    if (real) {
        decoy_learn(a, at->folded, verifier);
    } else {
        decoy_for(a, at->folded, decoy);
        verifier = yb_str_from(decoy);
    }
    note_proof(at, verifier);
    t = token(at, verifier, password);
    state = yb_auth_limit_look(a->limit, at->limit_key, &t, a->conf.now_ms());
    if (state == YB_AUTH_LIMIT_BLOCKED) {
        decide_limited(at);
    } else if (at->record.found && is_app_password(at, password)) {
        at->how = "app";
        decide_right(at);
    } else if (real && a->cache != NULL && yb_auth_cache_has(a->cache, &t, a->conf.now_ms())) {
        a->counters.remembered++;
        at->how = "remembered";
        decide_right(at);
    } else if (state == YB_AUTH_LIMIT_KNOWN) {
        decide_wrong(at);
    } else {
        check_hash(at, real, verifier, password, &t);
    }
    explicit_bzero(&t, sizeof(t));
}

void
yb_auth_attempt_scram(struct yb_auth_attempt *at, char out[YB_CRED_VERIFIER])
{
    struct yb_str verifier = yb_str_from(at->record.verifier);
    struct yb_cred_scram parts;
    char key[YB_AUTH_LIMIT_KEY];

    if (at->record.found && yb_cred_scram_parse(verifier, &parts))
        memcpy(out, at->record.verifier, YB_CRED_VERIFIER);
    else /* by the folded name and from nowhere: every way of writing it gets the same salt */
        yb_cred_fake(yb_str(at->auth->secret, sizeof(at->auth->secret)),
                     yb_auth_limit_key(at->folded, NULL, key), 0, out);
}

void
yb_auth_attempt_wrong(struct yb_auth_attempt *at)
{
    struct yb_auth *a = at->auth;
    struct yb_auth_token t;

    if (at->decided)
        return;
    yb_random(t.v, sizeof(t.v)); /* unlike any other */
    if (yb_auth_limit_wrong(a->limit, at->limit_key, &t, a->conf.now_ms()) == YB_AUTH_LIMIT_BLOCKED)
        decide_limited(at);
    else
        decide_wrong(at);
}

void
yb_auth_attempt_right(struct yb_auth_attempt *at)
{
    struct yb_auth *a = at->auth;

    if (at->decided)
        return;
    at->how = "scram";
    note_proof(at, yb_str_from(at->record.verifier));
    if (yb_auth_limit_look(a->limit, at->limit_key, NULL, a->conf.now_ms()) ==
        YB_AUTH_LIMIT_BLOCKED)
        decide_limited(at);
    else
        decide_right(at);
}

void
yb_auth_attempt_refuse(struct yb_auth_attempt *at, const struct yb_err *err)
{
    at->decided = true;
    at->verdict = *err;
}

/* The word for the log, and the number to count in. */
static const char *
reason(const struct yb_auth_attempt *at, struct counters *n)
{
    if (at->verdict.kind == YB_ERR_BLOCKED) {
        n->limited++;
        return "limited";
    }
    if (at->verdict.class != YB_PERM) {
        n->away++;
        return "away";
    }
    if (at->verdict.kind == YB_ERR_DISABLED) {
        n->suspended++;
        return "suspended";
    }
    n->wrong++;
    return !at->record.found ? "unknown" : at->record.verifier[0] == '\0' ? "no-password" : "wrong";
}

void
yb_auth_attempt_report(const struct yb_auth_attempt *at)
{
    struct counters *n = &at->auth->counters;
    struct yb_log_line line;

    if (at->verdict.class == YB_OK) {
        n->ok++;
        yb_log_begin(&line, YB_LOG_INFO, at->facts->log, "auth.ok");
        yb_log_str(&line, "user", yb_str_from(at->record.user.address));
        yb_log_str(&line, "how", yb_str_from(at->how));
    } else {
        yb_log_begin(&line, YB_LOG_INFO, at->facts->log, "auth.refused");
        yb_log_str(&line, "user", at->name);
        yb_log_str(&line, "reason", yb_str_from(reason(at, n)));
        yb_log_str(&line, "status", yb_str_from(at->verdict.status));
    }
    yb_log_str(&line, "mechanism", yb_str_from(at->mechanism));
    yb_log_num(&line, "tls", at->facts->tls ? 1 : 0);
    yb_log_end(&line);
}
