/*
 * One address in, final targets out. Addresses form a graph: each node is asked for one step, a
 * level at a time (all that are not cached in one pipeline), and visited once. What a node becomes:
 *
 *   account           a local target, unless it forwards without a copy; its forwards are followed
 *   alias             nothing itself; its targets are followed
 *   foreign           a foreign target (at the root: relaying denied)
 *   anything else     a refusal
 *
 * A node that was seen before adds nothing, so no mailbox gets a message twice; only if nothing
 * else is left is that a loop.
 */
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/directory/directory.h"
#include "lib/directory/inside.h"

#include <stdio.h>

struct node {
    struct yb_str key;     /* of the cache */
    struct yb_str written; /* local part as it is sent on to, when it turns out foreign */
    struct yb_str domain;
    const struct node *parent; /* NULL: the address asked for */
    unsigned depth;
    struct yb_cache_value *value;
    struct node *next;
};

/* A mailbox that takes nothing at the moment: a target only beside better ones. */
struct weak {
    struct yb_target target;
    struct yb_answer answer;
    struct weak *next;
};

struct walk {
    struct yb_directory *d;
    struct yb_arena *arena;
    bool owning;         /* yb_resolve_owns() */
    struct yb_map *seen; /* keys of nodes; accounts and foreign addresses that are targets */
    struct node *first, **last;
    struct yb_resolution *out;
    size_t room, refused_room; /* of out's arrays */
    struct weak *weak, **weak_last;
    size_t n_nodes;
    bool limit, no_postmaster;
};

/* More nodes than this are too wide, whatever they come to. */
#define MAX_NODES (4 * YB_RESOLVE_MAX_TARGETS)

static struct yb_answer
answer_make(enum yb_answer_why why)
{
    static const struct {
        unsigned code;
        const char *status;
        struct yb_str text;
    } answers[] = {
        [YB_WHY_ACCEPTED] = { 0, "", YB_STR_INIT("") },
        [YB_WHY_UNKNOWN] = { 550, "5.1.1", YB_STR_INIT("no such address here") },
        [YB_WHY_NOT_HOSTED] = { 550, "5.7.1",
                                YB_STR_INIT("relaying denied: this domain is not hosted here") },
        [YB_WHY_DISABLED] = { 550, "5.2.1", YB_STR_INIT("this address is disabled") },
        [YB_WHY_SUSPENDED] = { 450, "4.2.1",
                               YB_STR_INIT("this address is suspended, try again later") },
        [YB_WHY_MOVED] = { 550, "5.1.6", YB_STR_INIT("this mailbox has moved") },
        [YB_WHY_FULL] = { 452, "4.2.2", YB_STR_INIT("this mailbox is full, try again later") },
        [YB_WHY_LOOP] = { 550, "5.4.6", YB_STR_INIT("this address leads back to itself") },
        [YB_WHY_LIMIT] = { 550, "5.4.6", YB_STR_INIT("this address leads to too many others") },
    };

    return (struct yb_answer){ why, answers[why].code, answers[why].status, answers[why].text };
}

/* 452 at first, 552 when it has been full for too long. */
static struct yb_answer
answer_full(const struct yb_step *step)
{
    struct yb_answer a = answer_make(YB_WHY_FULL);

    if (yb_clock_now() - step->full_since >= step->full_days * 86400) {
        a.code = 552;
        a.status = "5.2.2";
        a.text = YB_STR("this mailbox has been full for too long");
    }
    return a;
}

/* A reply is ASCII: an address that is not stays unnamed. */
static struct yb_answer
answer_moved(const struct walk *w, const struct yb_step *step)
{
    struct yb_answer a = answer_make(YB_WHY_MOVED);

    if (step->n_targets == 1 && yb_str_ascii(step->targets[0]) && yb_str_ascii(step->local))
        a.text = yb_arena_printf(w->arena, "%.*s@%.*s has moved; please try %.*s",
                                 YB_STR_ARG(step->local), YB_STR_ARG(step->domain),
                                 YB_STR_ARG(step->targets[0]));
    return a;
}

struct yb_str
yb_address_join(struct yb_arena *arena, struct yb_str local, struct yb_str domain)
{
    return yb_arena_printf(arena, "%.*s@%.*s", YB_STR_ARG(local), YB_STR_ARG(domain));
}

void
yb_address_split(struct yb_str address, struct yb_str *local, struct yb_str *domain)
{
    size_t at = yb_str_rfind(address, '@');

    *local = yb_str_head(address, at);
    *domain = yb_str_skip(address, at + 1);
}

/* Adds an address to be asked for, unless it was. -1: not a proper address. */
static int
node_add(struct walk *w, struct yb_str local, struct yb_str domain, const struct node *parent,
         struct yb_err *err)
{
    char room[YB_KEY_MAX];
    struct node *n;
    struct yb_str key;

    if (yb_key_address(parent == NULL ? YB_KEY_RECIPIENT : YB_KEY_TARGET, local, domain, room,
                       w->arena, &key, err) < 0)
        return -1;
    if (w->seen == NULL)
        w->seen = yb_map_new();
    if (yb_map_get(w->seen, yb_str_skip(key, 1)) != NULL)
        return 0;
    if (parent != NULL && (parent->depth >= YB_RESOLVE_MAX_DEPTH || w->n_nodes >= MAX_NODES)) {
        w->limit = true;
        return 0;
    }
    n = yb_arena_alloc(w->arena, 1, sizeof(*n));
    n->key = yb_arena_dup(w->arena, key);
    n->written = yb_arena_dup(w->arena, local);
    yb_key_split(n->key, &local, &n->domain);
    n->parent = parent;
    n->depth = parent == NULL ? 0 : parent->depth + 1;
    *w->last = n;
    w->last = &n->next;
    w->n_nodes++;
    (void)yb_map_put(w->seen, yb_str_skip(n->key, 1), n);
    return 0;
}

/* True the first time a mailbox comes up. Its key begins as no domain does. */
static bool
mailbox_is_new(struct walk *w, struct yb_account_id id)
{
    char key[1 + sizeof(id.v)] = { '!' };

    memcpy(key + 1, id.v, sizeof(id.v));
    return yb_map_put(w->seen, yb_str(key, sizeof(key)), w) == NULL;
}

/* One more in an array of the arena; its size doubles. */
static void *
array_grow(struct yb_arena *arena, void *old, size_t n, size_t *room, size_t size)
{
    void *bigger;

    if (n < *room)
        return old;
    *room = *room == 0 ? 4 : 2 * *room;
    bigger = yb_arena_alloc(arena, *room, size);
    if (n > 0)
        memcpy(bigger, old, n * size);
    return bigger;
}

static void
target_put(struct walk *w, const struct yb_target *t)
{
    struct yb_resolution *out = w->out;

    if (out->n_targets >= YB_RESOLVE_MAX_TARGETS) {
        w->limit = true;
        return;
    }
    out->targets = array_grow(w->arena, out->targets, out->n_targets, &w->room, sizeof(*t));
    out->targets[out->n_targets++] = *t;
}

static void
refused_put(struct walk *w, struct yb_str local, struct yb_str domain, struct yb_answer answer)
{
    struct yb_resolution *out = w->out;

    out->refused =
        array_grow(w->arena, out->refused, out->n_refused, &w->refused_room, sizeof(*out->refused));
    out->refused[out->n_refused++] = (struct yb_refused_target){ local, domain, answer };
}

/* The address of the alias or forward that led to a node. */
static struct yb_str
via_of(const struct walk *w, const struct node *n)
{
    struct yb_str local, domain;

    if (n->parent == NULL)
        return yb_str("", 0);
    yb_key_split(n->parent->key, &local, &domain);
    return yb_address_join(w->arena, n->parent->written, domain);
}

/* Copies a mailbox out of the cache's memory. */
static struct yb_target
target_local(struct yb_arena *arena, const struct yb_step *step)
{
    return (struct yb_target){
        .kind = YB_TARGET_LOCAL,
        .local = yb_arena_dup(arena, step->local),
        .domain = yb_arena_dup(arena, step->domain),
        .tenant = step->tenant,
        .account = step->account,
        .store = step->store,
        .quota_bytes = step->quota_bytes,
        .full_since = step->mailbox_full_since,
        .full_days = step->full_days,
        .detail = step->detail.n > 0 ? yb_arena_dup(arena, step->detail) : yb_str("", 0),
        .settings = yb_step_settings(step->settings, step->local, step->domain, arena),
    };
}

static void
visit_mailbox(struct walk *w, const struct node *n, const struct yb_step *step)
{
    struct yb_target t;
    struct weak *weak;

    if (!mailbox_is_new(w, step->account))
        return;
    t = target_local(w->arena, step);
    t.via = via_of(w, n);
    if (w->owning || (!step->suspended && step->full_since == 0)) {
        target_put(w, &t);
        return;
    }
    weak = yb_arena_alloc(w->arena, 1, sizeof(*weak));
    weak->target = t;
    weak->answer = step->suspended ? answer_make(YB_WHY_SUSPENDED) : answer_full(step);
    *w->weak_last = weak;
    w->weak_last = &weak->next;
}

/* What a node's addresses are followed to. */
static void
visit_targets(struct walk *w, const struct node *n, const struct yb_step *step)
{
    struct yb_err ignored;
    struct yb_str local, domain;

    for (size_t i = 0; i < step->n_targets && !w->limit; i++) {
        yb_address_split(step->targets[i], &local, &domain);
        if (node_add(w, local, domain, n, &ignored) < 0)
            refused_put(w, yb_arena_dup(w->arena, local), yb_arena_dup(w->arena, domain),
                        answer_make(YB_WHY_UNKNOWN));
    }
    /* A role address of a domain without contact is the operator's. */
    if (step->kind == YB_STEP_ALIAS && step->n_targets == 0) {
        yb_address_split(yb_str_from(w->d->postmaster), &local, &domain);
        w->no_postmaster = local.n == 0 || node_add(w, local, domain, n, &ignored) < 0;
    }
}

static void
visit_foreign(struct walk *w, const struct node *n)
{
    struct yb_target t = { .kind = YB_TARGET_FOREIGN };
    const struct yb_step *from = yb_value_step(n->parent->value);

    t.local = n->written;
    t.domain = n->domain;
    t.via = via_of(w, n);
    t.tenant = from->tenant;
    target_put(w, &t);
}

static void
visit_tell(struct walk *w, const struct yb_step *step)
{
    if (!step->tell || step->n_targets == 0 || w->out->tell_old.n > 0)
        return;
    w->out->tell_old = yb_address_join(w->arena, step->local, step->domain);
    w->out->tell_new = yb_arena_dup(w->arena, step->targets[0]);
}

static void
visit(struct walk *w, const struct node *n)
{
    const struct yb_step *step = yb_value_step(n->value);
    struct yb_str local, domain;

    yb_key_split(n->key, &local, &domain);
    switch (step->kind) {
    case YB_STEP_ACCOUNT:
        if (step->deliver || w->owning)
            visit_mailbox(w, n, step);
        if (!w->owning)
            visit_targets(w, n, step);
        break;
    case YB_STEP_ALIAS:
        visit_tell(w, step);
        visit_targets(w, n, step);
        break;
    case YB_STEP_MOVED:
        refused_put(w, local, domain, answer_moved(w, step));
        break;
    case YB_STEP_DISABLED:
        refused_put(w, local, domain, answer_make(YB_WHY_DISABLED));
        break;
    case YB_STEP_UNKNOWN:
        refused_put(w, local, domain, answer_make(YB_WHY_UNKNOWN));
        break;
    case YB_STEP_FOREIGN:
        if (n->parent == NULL)
            refused_put(w, local, domain, answer_make(YB_WHY_NOT_HOSTED));
        else
            visit_foreign(w, n);
        break;
    }
}

/* Asks for all nodes from `level` on that were added so far. */
static int
level_get(struct walk *w, struct node *level, size_t *count, struct yb_err *err)
{
    struct yb_cache_value **values;
    struct yb_str *keys;
    size_t n = 0;
    int rc;

    for (const struct node *k = level; k != NULL; k = k->next)
        n++;
    keys = yb_arena_alloc(w->arena, n, sizeof(*keys));
    values = yb_arena_alloc(w->arena, n, sizeof(*values));
    n = 0;
    for (const struct node *k = level; k != NULL; k = k->next)
        keys[n++] = k->key;
    rc = yb_step_get(w->d->cache, w->d->db, keys, n, values, err);
    n = 0;
    for (struct node *k = level; k != NULL && rc == 0; k = k->next)
        k->value = values[n++];
    *count = n;
    return rc;
}

static int
walk_run(struct walk *w, struct yb_err *err)
{
    struct node *level = w->first;
    size_t n;

    while (level != NULL && !w->limit && !w->no_postmaster) {
        if (level_get(w, level, &n, err) < 0)
            return -1;
        /* Visiting adds the next level behind the last node of this one. */
        for (; n > 0; n--) {
            visit(w, level);
            level = level->next;
        }
    }
    return 0;
}

static void
walk_end(struct walk *w)
{
    for (struct node *n = w->first; n != NULL; n = n->next)
        yb_cache_value_drop(&n->value);
    yb_map_free(&w->seen);
}

/* Refused altogether. A temporary reason goes before a final one: it may yet be delivered. */
static struct yb_answer
walk_refusal(const struct walk *w)
{
    const struct yb_resolution *out = w->out;

    for (const struct weak *k = w->weak; k != NULL; k = k->next) {
        if (k->answer.code < 500)
            return k->answer;
    }
    if (w->weak != NULL)
        return w->weak->answer;
    if (out->n_refused > 0)
        return out->refused[0].answer;
    return answer_make(YB_WHY_LOOP);
}

/* Turns what was found into the result. */
static void
walk_conclude(struct walk *w)
{
    struct yb_resolution *out = w->out;

    if (w->limit) {
        out->answer = answer_make(YB_WHY_LIMIT);
    } else if (out->n_targets == 0) {
        out->answer = walk_refusal(w);
    } else {
        for (const struct weak *k = w->weak; k != NULL; k = k->next) {
            struct yb_target t = k->target;

            t.accepted = true;
            if (k->answer.code < 500)
                target_put(w, &t);
            else
                refused_put(w, t.local, t.domain, k->answer);
        }
        if (w->limit)
            out->answer = answer_make(YB_WHY_LIMIT);
    }
    if (out->answer.code != 0)
        out->n_targets = out->n_refused = 0;
}

/* The common case, without a walk: a mailbox that takes mail, or a plain refusal. */
static bool
resolve_plain(const struct yb_step *step, struct yb_arena *arena, struct yb_resolution *out)
{
    switch (step->kind) {
    case YB_STEP_ACCOUNT:
        if (step->suspended)
            out->answer = answer_make(YB_WHY_SUSPENDED);
        else if (step->n_targets > 0 || step->full_since != 0)
            return false;
        else {
            out->targets = yb_arena_alloc(arena, 1, sizeof(*out->targets));
            out->targets[0] = target_local(arena, step);
            out->n_targets = 1;
        }
        return true;
    case YB_STEP_ALIAS:
        if (step->suspended)
            out->answer = answer_make(YB_WHY_SUSPENDED);
        return step->suspended;
    case YB_STEP_UNKNOWN:
        out->answer = answer_make(YB_WHY_UNKNOWN);
        return true;
    case YB_STEP_FOREIGN:
        out->answer = answer_make(YB_WHY_NOT_HOSTED);
        return true;
    case YB_STEP_DISABLED:
        out->answer = answer_make(YB_WHY_DISABLED);
        return true;
    case YB_STEP_MOVED:
        return false;
    }
    return false;
}

static int
resolve_walk(struct walk *w, struct yb_str local, struct yb_str domain, struct yb_err *err)
{
    int rc = node_add(w, local, domain, NULL, err);

    if (rc == 0)
        rc = walk_run(w, err);
    if (rc == 0 && w->no_postmaster)
        rc = yb_err_inside(err, YB_TEMP, "4.3.5", "no postmaster is configured");
    if (rc == 0)
        walk_conclude(w);
    walk_end(w);
    return rc;
}

/* An address that cannot stand in any directory has an answer too. */
static void
resolve_malformed(const struct yb_err *why, struct yb_resolution *out)
{
    out->answer = answer_make(why->kind == YB_ERR_DOMAIN ? YB_WHY_NOT_HOSTED : YB_WHY_UNKNOWN);
}

int
yb_resolve_address(struct yb_directory *d, struct yb_str local, struct yb_str domain,
                   struct yb_arena *arena, struct yb_resolution *out, struct yb_err *err)
{
    struct walk w = { .d = d, .arena = arena, .out = out };
    struct yb_cache_value *value;
    struct yb_err why = { 0 };
    char room[YB_KEY_MAX];
    struct yb_str key;
    bool done;

    *out = (struct yb_resolution){ .n_targets = 0 };
    if (yb_key_address(YB_KEY_RECIPIENT, local, domain, room, arena, &key, &why) < 0) {
        resolve_malformed(&why, out);
        return 0;
    }
    if (yb_step_get(d->cache, d->db, &key, 1, &value, err) < 0)
        return -1;
    out->tenant = yb_value_step(value)->tenant;
    done = resolve_plain(yb_value_step(value), arena, out);
    yb_cache_value_drop(&value);
    w.last = &w.first;
    w.weak_last = &w.weak;
    if (!done && resolve_walk(&w, local, domain, err) < 0)
        return -1;
    yb_assert(out->answer.code != 0 || out->n_targets > 0);
    return 0;
}

int
yb_resolve_owns(struct yb_directory *d, struct yb_account_id account, struct yb_tenant_id tenant,
                struct yb_str local, struct yb_str domain, struct yb_arena *arena, bool *may,
                struct yb_err *err)
{
    struct yb_resolution found = { .n_targets = 0 };
    struct walk w = { .d = d, .arena = arena, .owning = true, .out = &found };
    struct yb_err why = { 0 };
    const struct yb_step *root;
    int rc;

    *may = false;
    w.last = &w.first;
    w.weak_last = &w.weak;
    if (node_add(&w, local, domain, NULL, &why) < 0)
        return 0;
    rc = walk_run(&w, err);
    if (rc == 0) {
        root = yb_value_step(w.first->value);
        for (size_t i = 0; i < found.n_targets && yb_tenant_id_eq(root->tenant, tenant); i++) {
            if (found.targets[i].kind == YB_TARGET_LOCAL &&
                yb_account_id_eq(found.targets[i].account, account))
                *may = true;
        }
    }
    walk_end(&w);
    return rc;
}
