/*
 * A directory of one domain, for tests of who is accepted. In ours.test: bob, "a/b" and postmaster
 * are mailboxes here, and so is every name that begins with n and a digit; team leads to two of
 * them, and so does crew; bob+ and something is bob by a sub-address; far lives in a store that is at
 * home on another node, lost in one that the map does not have; away is a forward; the names of answers
 * give them; nowhere breaks the directory's word, and leads to nothing. friend.test is hosted and empty.
 * Everything else is not ours. While it is down, nothing is known.
 */
#include "tests/unit/receive/fake_directory.h"
#include "lib/base/map.h"
#include "lib/directory/directory.h"
#include "lib/mime/address.h"

#include <stdio.h>

static const struct {
    const char *local;
    enum yb_answer_why why;
    unsigned code;
    const char *status;
} answers[] = {
    { "disabled", YB_WHY_DISABLED, 550, "5.2.1" }, { "suspended", YB_WHY_SUSPENDED, 450, "4.2.1" },
    { "moved", YB_WHY_MOVED, 550, "5.1.6" },       { "full", YB_WHY_FULL, 452, "4.2.2" },
    { "fuller", YB_WHY_FULL, 552, "5.2.2" },       { "loop", YB_WHY_LOOP, 550, "5.4.6" },
};

static struct yb_target
mailbox(uint8_t n, uint8_t store)
{
    struct yb_target t = { .kind = YB_TARGET_LOCAL, .quota_bytes = 1000000u + n, .full_days = 3 };

    t.account.v[0] = n;
    t.tenant.v[0] = 7;
    t.store.v[0] = store;
    return t;
}

static bool
local_is(struct yb_str local, const char *name)
{
    return yb_str_eqi(local, yb_str_from(name));
}

static void
accept(struct yb_resolution *out, struct yb_arena *arena, struct yb_target a, struct yb_target b,
       size_t n)
{
    out->targets = yb_arena_alloc(arena, 2, sizeof(*out->targets));
    out->targets[0] = a;
    out->targets[1] = b;
    out->n_targets = n;
}

/* n1, n02, n345é … */
static bool
is_numbered(struct yb_str local)
{
    return local.n > 1 && yb_lower(local.p[0]) == 'n' && yb_is_digit(local.p[1]);
}

/* Each a mailbox of its own; those with an odd digit are another tenant's. */
static struct yb_target
numbered(struct yb_str local, struct yb_arena *arena)
{
    static const uint64_t key[2] = { 1, 2 };
    struct yb_target t = mailbox(4, 1);
    uint64_t hash = yb_siphash(key, yb_address_fold(local, arena));

    memcpy(t.account.v + 1, &hash, sizeof(hash));
    t.tenant.v[0] += (uint8_t)(local.p[1] - '0') % 2;
    return t;
}

static struct yb_target
detailed(struct yb_str local)
{
    struct yb_target t = mailbox(1, 1);

    t.detail = yb_str_skip(local, 4);
    return t;
}

static void
refuse(struct yb_resolution *out, enum yb_answer_why why, unsigned code, const char *status)
{
    out->answer = (struct yb_answer){
        .why = why, .code = code, .status = status, .text = YB_STR("So it is")
    };
}

static void
resolve_ours(struct yb_str local, struct yb_arena *arena, struct yb_resolution *out)
{
    const struct yb_target foreign = { .kind = YB_TARGET_FOREIGN,
                                       .local = YB_STR("x"),
                                       .domain = YB_STR("far.test") };

    for (size_t i = 0; i < YB_COUNT(answers); i++) {
        if (local_is(local, answers[i].local)) {
            refuse(out, answers[i].why, answers[i].code, answers[i].status);
            return;
        }
    }
    /* Nothing of the kind can be provisioned; a door that asks for it would be found open. */
    if (yb_str_find(local, '%') < local.n || yb_str_find(local, '!') < local.n ||
        yb_str_find(local, '@') < local.n)
        accept(out, arena, mailbox(9, 1), mailbox(9, 1), 1);
    else if (local_is(local, "bob") || local_is(local, "a/b") || local_is(local, "postmaster"))
        accept(out, arena, mailbox(1, 1), mailbox(1, 1), 1);
    else if (local.n > 4 && yb_str_eqi(yb_str_head(local, 4), YB_STR("bob+")))
        accept(out, arena, detailed(local), detailed(local), 1);
    else if (is_numbered(local))
        accept(out, arena, numbered(local, arena), numbered(local, arena), 1);
    else if (local_is(local, "ann"))
        accept(out, arena, mailbox(2, 1), mailbox(2, 1), 1);
    else if (local_is(local, "team") || local_is(local, "crew"))
        accept(out, arena, mailbox(1, 1), mailbox(2, 1), 2);
    else if (local_is(local, "far"))
        accept(out, arena, mailbox(3, 2), mailbox(3, 2), 1);
    else if (local_is(local, "lost"))
        accept(out, arena, mailbox(3, 3), mailbox(3, 3), 1);
    else if (local_is(local, "nowhere"))
        accept(out, arena, mailbox(1, 1), mailbox(1, 1), 0);
    else if (local_is(local, "away"))
        accept(out, arena, mailbox(1, 1), foreign, 2);
    else
        refuse(out, YB_WHY_UNKNOWN, 550, "5.1.1");
}

int
yb_directory_resolve(struct yb_directory *d, struct yb_str local, struct yb_str domain,
                     struct yb_arena *arena, struct yb_resolution *out, struct yb_err *err)
{
    const struct fake_directory *fake = (const struct fake_directory *)(const void *)d;

    memset(out, 0, sizeof(*out));
    if (fake->down)
        return yb_err_inside(err, YB_TEMP, "4.3.0", "the database is away");
    if (yb_str_eqi(domain, YB_STR("ours.test")) || (domain.n == 0 && local_is(local, "postmaster")))
        resolve_ours(local, arena, out);
    else if (yb_str_eqi(domain, YB_STR("friend.test")))
        refuse(out, YB_WHY_UNKNOWN, 550, "5.1.1");
    else
        refuse(out, YB_WHY_NOT_HOSTED, 550, "5.7.1");
    return 0;
}

/* Store 1 is at home here, 2 on another node; there are no others. */
int
yb_directory_home(struct yb_directory *d YB_UNUSED, struct yb_store_id store, struct yb_home *out,
                  struct yb_err *err)
{
    if (store.v[0] != 1 && store.v[0] != 2)
        return yb_err_inside(err, YB_TEMP, "4.3.0", "no such store");
    out->here = store.v[0] == 1;
    return 0;
}

/* Account 1 may send as bob and team. */
int
yb_directory_may_send(struct yb_directory *d, struct yb_account_id account, struct yb_str local,
                      struct yb_str domain, bool *may, struct yb_err *err)
{
    const struct fake_directory *fake = (const struct fake_directory *)(const void *)d;

    if (fake->down)
        return yb_err_inside(err, YB_TEMP, "4.3.0", "the database is away");
    *may = account.v[0] == 1 && yb_str_eqi(domain, YB_STR("ours.test")) &&
           (local_is(local, "bob") || local_is(local, "team"));
    return 0;
}

/* bob is account 1 and logs in; while `refused` is set he may not any more. */
int
yb_directory_login(struct yb_directory *d, struct yb_str local, struct yb_str domain,
                   struct yb_arena *arena, struct yb_login *out, struct yb_err *err)
{
    const struct fake_directory *fake = (const struct fake_directory *)(const void *)d;

    memset(out, 0, sizeof(*out));
    yb_assert(arena != NULL);
    if (fake->down)
        return yb_err_inside(err, YB_TEMP, "4.3.0", "the database is away");
    out->known = !fake->gone && local_is(local, "bob") && yb_str_eqi(domain, YB_STR("ours.test"));
    out->account.v[0] = 1;
    out->submission = !fake->off;
    out->verifier = yb_str_from(fake->verifier == NULL ? "a verifier" : fake->verifier);
    out->refused = yb_str_from(fake->refused == NULL ? "" : fake->refused);
    return 0;
}
