/*
 * What the database answers, as the cache keeps it, for lib/directory alone: one step of a
 * resolution, a login, an account's sender rights. The structs live in the data of a cache value,
 * their bytes behind them; whoever holds the value may read them.
 */
#ifndef YB_DIRECTORY_STEP_H
#define YB_DIRECTORY_STEP_H

#include "lib/db/db.h"
#include "lib/directory/cache.h"
#include "lib/settings/settings.h"

/* One address, one step (the kinds of yb_resolve() in schema/). */
enum yb_step_kind {
    YB_STEP_ACCOUNT,
    YB_STEP_ALIAS,
    YB_STEP_MOVED,
    YB_STEP_DISABLED,
    YB_STEP_UNKNOWN,
    YB_STEP_FOREIGN
};

struct yb_step {
    enum yb_step_kind kind;
    bool suspended, deliver, tell;
    struct yb_tenant_id tenant;
    struct yb_account_id account;
    struct yb_store_id store;
    struct yb_str local, domain, detail; /* as written, the domain that serves, the sub-address */
    uint64_t quota_bytes;
    int64_t full_since; /* of its pool, 0: room left */
    int64_t mailbox_full_since;
    int64_t full_days;
    struct yb_str *targets; /* "local@domain" */
    size_t n_targets;
    struct yb_settings settings; /* of an account */
};

struct yb_sender_rights {
    bool known;
    struct yb_tenant_id tenant;
    struct yb_str *rights; /* "local@domain" or "@domain", in key form */
    size_t n_rights;
};

/* Longest key: class, local part, domain. Longer names are in no directory. */
#define YB_KEY_MAX 400

/*
 * The key of an address under a class letter: class, domain, NUL, local part, folded. Into `room`
 * (YB_KEY_MAX bytes) without allocation when it is plain ASCII, else by way of the arena. -1:
 * not an address (YB_PERM 5.1.3), too long for any directory among others.
 */
int yb_key_address(char class, struct yb_str local, struct yb_str domain, char *room,
                   struct yb_arena *arena, struct yb_str *out, struct yb_err *err) YB_MUST_USE;
/* The parts of such a key. */
void yb_key_split(struct yb_str key, struct yb_str *local, struct yb_str *domain);

/*
 * Classes. A target of an alias or forward is asked for as a recipient is, but kept apart: that its
 * domain is not hosted is good news for a target (it is a foreign one), and still served when
 * stale; for a recipient it is a refusal, which is not.
 */
enum { YB_KEY_RECIPIENT = 'r', YB_KEY_TARGET = 't', YB_KEY_LOGIN = 'l', YB_KEY_SENDER = 's' };

/* A lookup of keys through the cache; recipients and targets may be mixed, others not. */
int yb_step_get(struct yb_cache *c, struct yb_db *db, const struct yb_str *keys, size_t n,
                struct yb_cache_value **out, struct yb_err *err) YB_MUST_USE;

/* What counts for an address, out of the cache into the arena. (--enable-faults tells the log: a test
 * sees that a change was heard.) */
struct yb_settings yb_step_settings(struct yb_settings s, struct yb_str local, struct yb_str domain,
                                    struct yb_arena *arena);

static inline const struct yb_step *
yb_value_step(const struct yb_cache_value *v)
{
    return (const struct yb_step *)(const void *)v->data;
}

static inline const struct yb_login *
yb_value_login(const struct yb_cache_value *v)
{
    return (const struct yb_login *)(const void *)v->data;
}

static inline const struct yb_sender_rights *
yb_value_sender(const struct yb_cache_value *v)
{
    return (const struct yb_sender_rights *)(const void *)v->data;
}

#endif
